"""`pipeline_status`: the table, the JSON, the exit codes."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from operations.lag_states import LagState
from operations.management.commands import pipeline_status
from operations.management.commands.pipeline_status import exit_code, table
from operations.pipeline import LagRow, View, look
from tests.builders import make_event
from tests.local_pipeline import LocalPipeline


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (LagState.OK, 0),
        (LagState.CATCHING_UP, 0),
        (LagState.FALLING_BEHIND, 1),
        (LagState.STALLED, 1),
        (LagState.STOPPED, 1),
        (LagState.NO_CONSUMER, 1),
        (LagState.DATA_LOSS, 1),
        (LagState.UNKNOWN, 2),
    ],
)
def test_every_state_has_its_exit_code(state: LagState, code: int) -> None:
    assert exit_code(state) == code


def test_a_pipeline_that_nobody_works_at_is_bad(
    pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.publish_events([make_event() for _ in range(3)])

    with pytest.raises(SystemExit) as ended:
        call_command("pipeline_status")

    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert lines[0].split() == list(pipeline_status.COLUMNS)
    assert len(lines) == 1 + 16 + 1
    assert lines[-1] == "pipeline: no_consumer"


def test_json_is_what_the_api_answers(
    pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call_command("pipeline_status", json=True)

    said = json.loads(capsys.readouterr().out)
    assert said["state"] == "no_consumer"
    assert len(said["data"]) == 16


def test_watching_looks_again_until_interrupted(
    pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[View] = []

    def look_thrice() -> View:
        if len(looks) == 3:
            raise KeyboardInterrupt
        looks.append(look())
        return looks[-1]

    monkeypatch.setattr(pipeline_status, "look", look_thrice)
    monkeypatch.setattr(pipeline_status, "WATCH_EVERY_S", 0.0)
    with pytest.raises(SystemExit):
        call_command("pipeline_status", watch=True, json=True)

    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_database_without_tables_is_unknown_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(pipeline_status, "look", fail)

    with pytest.raises(CommandError, match="has manage.py migrate been run") as ended:
        call_command("pipeline_status")
    assert ended.value.returncode == 2


def test_figures_that_are_not_known_are_a_dash() -> None:
    unknown = LagRow(
        group="projector",
        topic="events",
        partition=0,
        lane="live",
        committed=None,
        end=None,
        lag=None,
        lag_seconds=None,
        drains_in_s=None,
        state=LagState.UNKNOWN,
    )

    assert table([unknown])[1].split() == [
        *("projector", "events", "0", "live"),
        *("-", "-", "-", "-", "-", "unknown"),
    ]
