"""Rebuilds of the view under continuous ingest and queries, with processes killed on the way; the
oracle judges every generation that is left."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from feed.event import event_key
from feed.topics import Group
from tests.e2e.under_load import Run
from tests.look import verdict_of, wait_until_ahead
from tests.oracle import FIRST_MS, Generator, Journal, ask_by_hour, journal_by_hour, make_rows
from tests.stack import Credentials, Stack, wait_until

NEIGHBOUR = "neighbour"
NEIGHBOUR_COUNT = 500
PROJECTORS = ("projector", "projector-2")
WORKERS = ("sink", *PROJECTORS, "replayer")
POINTS: Mapping[str, Sequence[str]] = {
    "replayer": (
        "replay.after_claim",
        "replay.after_gate",
        "replay.after_fence",
        "replay.after_publish",
        "replay.after_ack",
        "replay.before_save",
        "replay.before_drain",
        "replay.before_note",
        "replay.before_verdict",
    ),
    "projector": (
        "consume.before_handle",
        "projector.before_write",
        "projector.after_write",
        "consume.after_handle_before_commit",
        "consume.after_commit",
    ),
    "sink": (
        "sink.before_write",
        "sink.after_write",
        "consume.after_handle_before_commit",
        "consume.after_commit",
    ),
}
EMITTED_OVER_S, LEAST_EPS = 20, 600
PAUSE_S, PAUSE_ON_SERVERS_S = 0.3, 1.0
"""Between two batches of a sender: a scan must be able to overtake what comes in."""
BUILT_LIMIT_S = 600.0
LOOK_EVERY_S = 0.1
FEWEST_LOOKS = 20
Json = dict[str, Any]  # Any: JSON


@dataclass
class Watcher:
    """Asks for counts by hour and event all the time: none ever goes down, and none is of events
    that nobody sent. A process killed under a query may cost an answer, never a wrong one."""

    run: Run
    answers: int = 0
    generations: list[int] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    _latest: dict[tuple[str, int], int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Watcher":
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=90)
        if self.failures:
            raise self.failures[0]
        assert self.answers >= FEWEST_LOOKS, "too few answers to say that none was wrong"

    def _watch(self) -> None:
        try:
            while not self._stop.is_set():
                self._look()
                self._stop.wait(LOOK_EVERY_S)
        except BaseException as failure:
            self.failures.append(failure)

    def _look(self) -> None:
        answer = self.run.query()
        if answer.status_code == 503:
            return
        assert answer.status_code == 200, answer.text
        shown = _cells(answer)
        sent = len(self.run.journal.sent)
        generation = answer.json()["meta"]["generation"]
        fewer = [cell for cell, n in self._latest.items() if shown.get(cell, 0) < n]
        assert not fewer, (
            f"generation {generation} shows fewer than before in {len(fewer)} cells, such as "
            f"{[(cell, self._latest[cell], shown.get(cell, 0)) for cell in fewer[:3]]}"
        )
        assert sum(shown.values()) <= sent, f"{sum(shown.values())} events shown, {sent} sent"
        self._latest = shown
        self.answers += 1
        if generation not in self.generations[-1:]:
            self.generations.append(generation)


def _cells(answer: httpx.Response) -> dict[tuple[str, int], int]:
    return {
        (series["group"]["event"], index): point["v"][0]
        for series in answer.json()["series"]
        for index, point in enumerate(series["points"])
        if point["v"][0]
    }


@dataclass
class Site:
    """A stack with a past, under load and under watch, and an operator's requests to it."""

    run: Run
    operator: Credentials
    rng: random.Random

    def rebuild(self, *, kills: int) -> int:
        """Build a generation while so many processes are killed, and serve it; its number. At
        first no sink runs: what is projected meanwhile lies before the pins and in no warehouse
        yet, and would be in no new generation if the scan did not wait for it."""
        self.run.stack.kill("sink")
        self.run.wait_for_progress()
        wait_until("all of it is projected", self._shows(len(self.run.journal.acknowledged)))
        # A batch can be shown and not committed: pins are of what is committed.
        wait_until_ahead(self.run.stack, Group.PROJECTOR, of=Group.SINK)
        number = self._begin()
        wait_until("the rebuild waits for the sink", lambda: self._waits_for("sink", number))
        self.run.stack.start("sink")
        for _ in range(kills):
            self._kill_one()
        self._serve(number)
        return number

    def rebuild_with_projectors_killed_at(self, point: str) -> int:
        """As `rebuild`: each projector dies when it comes to this point, and is started again."""
        stack = self.run.stack
        for name in PROJECTORS:
            stack.kill(name)
            stack.start(name, command="projector", crash_point=f"{point}:1")
        self.run.wait_for_progress()
        number = self._begin()
        wait_until(f"the projectors die at {point}", self._have_projectors_died)
        for name in PROJECTORS:
            stack.kill(name)
            stack.start(name, command="projector")
        self._serve(number)
        return number

    def _have_projectors_died(self) -> bool:
        return not any(map(self.run.stack.is_running, PROJECTORS))

    def _begin(self) -> int:
        """What there is now is emitted over EMITTED_OVER_S, so that there is something to kill."""
        max_eps = max(LEAST_EPS, len(self.run.journal.sent) // EMITTED_OVER_S)
        order = {"reason": "a test", "rate": {"max_eps": max_eps, "auto": False}}
        return int(self._ask("POST", "/v1/generations", json=order)["generation"])

    def _shows(self, count: int) -> Callable[[], bool]:
        return lambda: sum(_cells(self.run.query()).values()) >= count

    def _waits_for(self, what: str, number: int) -> bool:
        rebuild = self._ask("GET", f"/v1/generations/{number}")["rebuild"]
        assert rebuild["progress"]["emitted"] == 0, "it scans without waiting"
        return bool(rebuild["progress"]["throttled_by"] == what)

    def _serve(self, number: int) -> None:
        self._wait_for(number)
        self._ask("POST", f"/v1/generations/{number}/swap")
        assert self._ask("GET", f"/v1/generations/{number}")["served"]

    def drop(self, number: int) -> None:
        """Free one that is not served."""
        assert self._ask("POST", f"/v1/generations/{number}/drop")["state"] == "dropped"

    def _kill_one(self) -> None:
        """At a named point that it comes to, or at any moment."""
        stack, name = self.run.stack, self.rng.choice(WORKERS)
        kind = name.removesuffix("-2")
        if self.rng.random() < 0.5:
            time.sleep(self.rng.uniform(0.1, 3.0))
        else:
            point = self.rng.choice(POINTS[kind])
            stack.kill(name)
            stack.start(name, command=kind, crash_point=f"{point}:{self.rng.randint(1, 3)}")
            self._wait_for_death(name)
        stack.kill(name)
        stack.start(name, command=kind)

    def _wait_for_death(self, name: str) -> None:
        """A point may not be reached any more: after a while the process is killed anyway."""
        until_s = time.monotonic() + self.rng.uniform(3.0, 16.0)
        while self.run.stack.is_running(name) and time.monotonic() < until_s:
            time.sleep(0.05)

    def _wait_for(self, number: int) -> None:
        found: Json = {}

        def is_over() -> bool:
            found.update(self._ask("GET", f"/v1/generations/{number}"))
            return found["rebuild"]["state"] in ("completed", "completed_with_errors", "failed")

        try:
            wait_until(f"generation {number} is built", is_over, limit_s=BUILT_LIMIT_S)
        except TimeoutError as exc:
            exc.add_note(json.dumps(found))
            for name in WORKERS:
                exc.add_note(f"{name}: {self.run.stack.log(name)[-2000:]}")
            raise
        assert found["rebuild"]["state"] == "completed", found
        assert found["state"] == "ready"

    def _ask(self, method: str, path: str, **content: Any) -> Json:
        answer = httpx.request(
            *(method, f"{self.run.stack.url}{path}"),
            headers=self.operator.headers,
            timeout=60,
            **content,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found


@contextmanager
def rebuilding(
    data_dir: Path, seed: int, settings: Mapping[str, str] | None = None, *, past: int
) -> Iterator[Site]:
    """A stack with `past` events of a project that goes on sending, and a quiet neighbour; two
    projectors, one sink, one replayer. At the end the oracle judges every generation that was not
    dropped."""
    pause_s = PAUSE_ON_SERVERS_S if settings else PAUSE_S
    with Stack(data_dir, settings or {}) as stack:
        credentials = stack.create_project("faults")
        operator = stack.create_project("staff", "operate")
        stack.create_project(NEIGHBOUR)
        run = Run(stack, credentials, Journal(data_dir / "journal.ndjson"))
        _import_past(run, seed, past)
        stack.start("web")
        for name in WORKERS:
            stack.start(name, command=name.removesuffix("-2"))
        site = Site(run, operator, random.Random(seed))
        generator = Generator(stack.url, credentials, run.journal, seed, pause_s=pause_s)
        with generator:
            run.wait_for_progress()
            with Watcher(run) as watcher:
                yield site
                run.wait_for_progress()
                wait_until("the last swap is seen", lambda: _is_last_seen(site, watcher))
        stack.drain()
        _judge(site)


def _is_last_seen(site: Site, watcher: Watcher) -> bool:
    if watcher.failures:
        raise watcher.failures[0]
    return watcher.generations[-1:] == [_served(site)]


def _served(site: Site) -> int:
    rows = site._ask("GET", "/v1/generations")["data"]
    return int(next(row["generation"] for row in rows if row["served"]))


def _import_past(run: Run, seed: int, count: int) -> None:
    """Through `import_events`, into warehouse and view; the journal knows of them."""
    rng = random.Random(f"{seed}-past")
    rows = [row for row in make_rows(rng, 99, 0, count) if "event" in row]
    project, stack = run.credentials.project, run.stack
    run.journal.note_sent(project, rows)
    _import(stack, project, rows)
    keys = [event_key(project, row["id"], row["timestamp"]).hex() for row in rows]
    run.journal.note_answer([{"result": "ok", "key": key} for key in keys])
    others = [
        {"event": "visit", "id": f"n{number}", "timestamp": FIRST_MS + number}
        for number in range(NEIGHBOUR_COUNT)
    ]
    _import(stack, NEIGHBOUR, others)
    stack.drain()


def _import(stack: Stack, project: str, rows: Sequence[Json]) -> None:
    lines = stack.data_dir / f"{project}.ndjson"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stack.manage("import_events", "--project", project, str(lines))


def _judge(site: Site) -> None:
    """All laws, of each generation that is written; what a client sees, of the one served."""
    run = site.run
    rows = site._ask("GET", "/v1/generations")["data"]
    written = [int(row["generation"]) for row in rows if row["state"] == "ready"]
    assert len(written) >= 2, "nothing was built: this run proves nothing"
    for generation in written:
        verdict = verdict_of(run.stack, run.credentials.project, generation=generation)
        verdict.check(run.journal)
        beside = verdict_of(run.stack, NEIGHBOUR, generation=generation)
        assert set(beside.view) == set(beside.warehouse)
        assert (len(beside.view), beside.view.total()) == (NEIGHBOUR_COUNT, NEIGHBOUR_COUNT)
    answer = ask_by_hour(run.stack.url, run.credentials)
    assert answer.json()["meta"]["generation"] == _served(site)
    assert _cells(answer) == journal_by_hour(verdict, run.journal)
