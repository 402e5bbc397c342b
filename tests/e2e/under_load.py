"""A stack under load: a generator sends to it, and at the end the oracle judges."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from ingest.acknowledgement import MANY
from tests.look import verdict_of
from tests.oracle import (
    FIRST_MS,
    Generator,
    Journal,
    ask_by_hour,
    figures_by_hour,
    journal_by_hour,
)
from tests.stack import Credentials, Stack, wait_until

GOES_ON_LIMIT_S = 180.0
PAUSE_S, PAUSE_ON_SERVERS_S = 0.02, 0.3
CROWD = MANY + 8, 5
"""Senders, and events a request."""


@dataclass
class Run:
    """A running stack under load, with its journal."""

    stack: Stack
    credentials: Credentials
    journal: Journal

    def crash_at(self, process: str, point: str, *, nth: int) -> None:
        """Restart `process` with the point armed, wait until it has killed itself there, start it
        clean."""
        self.stack.kill(process)
        self.stack.start(process, crash_point=f"{point}:{nth}")
        wait_until(f"{process} dies at {point}", lambda: not self.stack.is_running(process))
        self.stack.kill(process)
        self.stack.start(process)

    def wait_for_progress(self) -> None:
        """Load goes on: another 200 events are acknowledged."""
        goal = len(self.journal.acknowledged) + 200
        try:
            wait_until(
                "200 more events are acknowledged", lambda: len(self.journal.acknowledged) >= goal
            )
        except TimeoutError as exc:
            exc.add_note(f"the last request: {self.journal.latest}")
            exc.add_note(f"the web process's last words: {self.stack.log('web')[-2000:]}")
            raise

    def wait_for_an_event(self, ack: str) -> None:
        """A new event gets as far as `ack` says: logged, stored or projected."""
        wait_until(
            f"an event is {ack}", lambda: self._is_acknowledged(ack), limit_s=GOES_ON_LIMIT_S
        )

    def _is_acknowledged(self, ack: str) -> bool:
        answer = self.send(ack=ack, wait=20)
        return answer.status_code == 200 and answer.json()["ack"] == ack

    def send(self, **parameters: object) -> httpx.Response:
        """One new event, once; the journal knows what came of it."""
        row = {"event": "visit", "id": uuid4().hex, "timestamp": FIRST_MS}
        self.journal.note_sent(self.credentials.project, [row])
        answer = httpx.post(
            f"{self.stack.url}/v1/events",
            params={name: str(value) for name, value in parameters.items()},
            json=[row],
            headers=self.credentials.headers,
            timeout=60,
        )
        self.journal.note_answer(answer.json().get("results", []))
        return answer

    def query(self) -> httpx.Response:
        """Counts by event and hour, as a client asks for them."""
        return ask_by_hour(self.stack.url, self.credentials)


@contextmanager
def under_load(
    data_dir: Path,
    seed: int,
    settings: Mapping[str, str] | None = None,
    *,
    pause_s: float | None = None,
    is_crowded: bool = False,
) -> Iterator[Run]:
    """A whole stack with a generator sending to it; at the end the oracle judges. `settings`: of
    its engines, embedded where there are none. On servers, which share the machine and take long to
    come back, less is sent a second; `pause_s`: between two batches of one sender. A crowd sends as
    much in more and smaller requests: all of them wait while Kafka is slow or away, and the web's
    event loop takes the reports itself."""
    with Stack(data_dir, settings or {}) as stack:
        credentials = stack.create_project("faults")
        journal = Journal(data_dir / "journal.ndjson")
        stack.start_all()
        run = Run(stack, credentials, journal)
        if pause_s is None:
            pause_s = PAUSE_ON_SERVERS_S if settings else PAUSE_S
        generator = Generator(stack.url, credentials, journal, seed, pause_s=pause_s)
        if is_crowded:
            generator.workers, generator.batch_size = CROWD
        with generator:
            run.wait_for_progress()
            yield run
            run.wait_for_progress()
        stack.drain()
        assert_nothing_lost_or_doubled(run)


def assert_nothing_lost_or_doubled(run: Run) -> None:
    """All laws of the oracle, and what a client of the query service sees."""
    verdict = verdict_of(run.stack, run.credentials.project)
    verdict.check(run.journal)
    shown = figures_by_hour(run.stack.url, run.credentials)
    assert shown == journal_by_hour(verdict, run.journal), "I4: figures differ from the journal"
