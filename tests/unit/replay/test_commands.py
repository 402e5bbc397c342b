"""`manage.py replay …` and `manage.py run_replayer`, as a person and as a script meet them."""

import json
import os
import pwd
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from access.services import create_project
from replay import services
from replay.domain import State, Throttle
from replay.models import Replay
from replay.progress_lines import bar, watch
from replay.reports import Report, report
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, fill, started

RANGE = ("--from", "2026-11-01T07:00:00Z", "--to", "2026-11-01T12:00:00Z")


class Terminal(StringIO):
    """A stream that moves its cursor."""

    def isatty(self) -> bool:
        return True


class Raising:
    """Called with anything, it fails."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def __call__(self, *_: object) -> None:
        raise self._failure


@pytest.fixture
def demo(pipeline: LocalPipeline) -> LocalPipeline:
    """A registered project with 300 events."""
    create_project("demo")
    fill(pipeline, 300)
    return pipeline


def said(*arguments: str) -> Any:  # Any: JSON
    """What the command writes to a pipe, line by line."""
    out = StringIO()
    call_command("replay", *arguments, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_replay_from_estimate_to_completion(demo: LocalPipeline) -> None:
    (estimated,) = said("estimate", "--project", "demo", *RANGE, "--event", "order")
    (made,) = said(
        *("create", "--project", "demo", *RANGE, "--event", "order"), "--reason", "a gap", "--start"
    )
    call_command("run_replayer", once=True)
    demo.project()
    call_command("run_replayer", once=True)
    (done,) = said("show", made["id"], "--watch")

    assert estimated["estimated"] == 100
    assert (made["state"], done["state"]) == ("running", "completed")
    assert done["progress"]["projected"] == 100
    assert [each["id"] for each in said("list")] == [made["id"]]
    (shown,) = said("show", made["id"])
    assert [entry["via"] for entry in shown["log"]][:2] == ["command", "command"]


def test_every_move_has_its_word(demo: LocalPipeline) -> None:
    (made,) = said("create", "--project", "demo", *RANGE, "--reason", "a gap")

    states = [said(move, made["id"])[0]["state"] for move in ("start", "pause", "resume")]
    (changed,) = said("rate", made["id"], "--max-eps", "9", "--no-auto")
    (paused,) = said("pause", "--all")
    (cancelled,) = said("cancel", made["id"])

    assert [made["state"], *states] == ["ready", "running", "paused", "running"]
    assert changed["rate"] == {"max_eps": 9, "auto": False}
    assert (paused["state"], cancelled["state"]) == ("paused", "cancelled")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("start", "nobody"), "no such replay"),
        (("pause",), "give the ID of a replay, or --all"),
        (("create", "--project", "nobody", *RANGE, "--reason", "r"), "there is no project nobody"),
        (("create", "--project", "\udcff", *RANGE, "--reason", "r"), "there is no project"),
        (("list", "--project", "\udcff"), "there is no project"),
        (("create", "--project", "demo", *RANGE, "--reason", " "), "a reason is required"),
        (("create", "--project", "demo", *RANGE, "--reason", "\udcff"), "no store can keep"),
        (("rebuild", "--reason", "\udcff"), "no store can keep"),
        (("estimate", "--project", "demo", *RANGE, "--event", "\udcff"), "no store can keep"),
        (
            ("estimate", "--project", "demo", "--from", "2026-11-01", "--to", "2099-01-01"),
            "lies in the future",
        ),
        (("estimate", "--project", "demo", "--from", "x", "--to", "y"), "is no time"),
        (("rate", "r", "--max-eps", "-1"), "is not a whole number"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    demo: LocalPipeline, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        said(*arguments)


@pytest.mark.parametrize("failure", [KeyError("getpwuid(): uid not found"), OSError()])
def test_somebody_without_a_name_is_known_by_number(
    demo: LocalPipeline, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1001)
    monkeypatch.setattr(pwd, "getpwuid", Raising(failure))

    (made,) = said("create", "--project", "demo", *RANGE, "--reason", "a gap")

    assert [entry.actor for entry in services.log_of(made["id"])] == ["uid 1001"]


def test_an_illegal_move_names_the_state(demo: LocalPipeline) -> None:
    row = started(demo)

    with pytest.raises(CommandError, match="a replay that is running takes no resume"):
        said("resume", row.id)


def test_on_a_terminal_it_speaks_to_people(demo: LocalPipeline) -> None:
    out = Terminal()
    call_command("replay", "estimate", "--project", "demo", *RANGE, stdout=out)
    call_command("replay", "create", "--project", "demo", *RANGE, "--reason", "r", stdout=out)
    call_command("replay", "list", stdout=out)

    text = out.getvalue()
    assert "300 events of demo are written again" in text
    assert "2026-11-01 07:00          20  order" in text
    assert "ready  [------------------------------]  emitted 0, projected 0 of 300" in text


def look(row: Replay, **columns: object) -> Report:
    """The row as it would be with these columns."""
    for name, value in columns.items():
        setattr(row, name, value)
    return report(row, now_ms=services.CLOCK.now_ms())


def test_the_bar_says_why_a_replay_is_slow(demo: LocalPipeline) -> None:
    row = started(demo)
    assert "waits for a replayer" in bar(look(row, started_at_ms=1))
    held = {"worker": "w", "lease_until_ms": 2**60, "eps": 50.0, "emitted": 150, "projected": 100}

    slow = bar(look(row, throttled_by=Throttle.LIVE_LAG.value, **held))
    lost = bar(look(row, lease_until_ms=1))

    assert "[##########--------------------]  emitted 150, projected 100 of 300  50/s" in slow
    assert slow.endswith("slower, since live events wait")
    assert "stalled, will resume" in lost


def test_a_terminal_sees_one_line_that_moves_and_a_pipe_a_line_a_change(
    demo: LocalPipeline,
) -> None:
    row = started(demo)
    steps = [{"emitted": 10}, {"emitted": 10}, {"emitted": 20}, {"state": State.PAUSED.value}]

    for out, lines in ((Terminal(), 1), (StringIO(), 3)):
        left = iter([{"state": State.RUNNING.value, "emitted": 0}, *steps][1:])
        row.state, row.emitted = State.RUNNING.value, 0

        watch(lambda left=left: look(row, **next(left)), out, sleep=lambda seconds: None)  # type: ignore[misc]

        assert out.getvalue().count("\n") == lines


def test_watching_one_that_failed_exits_1(demo: LocalPipeline) -> None:
    row = started(demo)
    Replay.objects.filter(pk=row.id).update(state="failed", error_detail="RuntimeError: a bug")

    with pytest.raises(SystemExit) as ended:
        said("show", row.id, "--watch")

    assert ended.value.code == 1


def test_run_replayer_says_what_it_does_and_ends_when_nothing_waits(
    demo: LocalPipeline, tmp_path: Path
) -> None:
    err = StringIO()
    row = started(demo)

    call_command("run_replayer", once=True, stderr=err)

    assert err.getvalue() == "run_replayer: working on replays\n"
    assert services.get(row.id).state == "draining"
    assert services.cancel(row.id, ANNA).state == "cancelled"
