"""`export_events`: what it waits for, what it writes, and how it ends."""

import gzip
import json
import os
import signal
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from access.services import create_project
from feed.event import HOUR_MS, Event
from ingest.timestamps import format_time
from operations.management.commands import export_events
from tests.builders import NOON_MS, make_event, make_row
from tests.local_pipeline import LocalPipeline

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _project(pipeline: LocalPipeline) -> None:
    create_project("demo", [])


def export(*arguments: str, **options: Any) -> tuple[list[str], str]:
    """Lines written and what was said."""
    raw, said = BytesIO(), StringIO()
    out = TextIOWrapper(raw)
    call_command("export_events", "--project=demo", *arguments, stdout=out, stderr=said, **options)
    return raw.getvalue().decode().splitlines(), said.getvalue()


def keep_all(pipeline: LocalPipeline, *events: Event) -> None:
    pipeline.events.append([make_row(event) for event in events])


def test_an_event_is_written_with_all_that_its_record_holds(pipeline: LocalPipeline) -> None:
    keep_all(
        pipeline,
        make_event(
            id="e-1", type="page", sent_at_ms=NOON_MS + 9, anonymous_id="a", session_id="s",
            properties='{"b": 1.50, "a":"\\u00e9é"}', context='{"x":[1, 2]}', transport="import",
        ),
    )  # fmt: skip
    (line,), said = export()
    assert json.loads(line) == {
        "event": "signup", "id": "e-1", "type": "page", "user_id": "u1", "anonymous_id": "a",
        "session_id": "s", "timestamp": "2026-11-01T12:00:00.000Z",
        "received_at": "2026-11-01T12:00:00.250Z", "sent_at": "2026-11-01T12:00:00.009Z",
        "transport": "import", "properties": {"b": 1.5, "a": "éé"}, "context": {"x": [1, 2]},
    }  # fmt: skip
    assert '{"b": 1.50, "a":"\\u00e9é"}' in line, "verbatim"
    assert said.endswith("1 events exported\n")


def test_members_without_a_value_are_left_out(pipeline: LocalPipeline) -> None:
    keep_all(pipeline, make_event(user_id=None))
    (line,), _ = export()
    assert not {"user_id", "anonymous_id", "session_id", "sent_at"} & set(json.loads(line))


def test_properties_with_line_breaks_stay_on_their_line(pipeline: LocalPipeline) -> None:
    keep_all(pipeline, make_event(properties='{\r\n  "text": "a\\nb"\n}'))
    (line,), _ = export()
    assert json.loads(line)["properties"] == {"text": "a\nb"}


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (None, None, [-13, -12, 0, 1]),
        ("2026-11-01", "2026-11-02", [-12, 0, 1]),
        ("2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z", [0]),
        ("2026-11-01T13:00:00+01:00", None, [0, 1]),
        (None, "2026-11-01", [-13]),
        ("2027-01-01", None, []),
    ],
)
def test_the_window_takes_its_start_and_leaves_its_end(
    pipeline: LocalPipeline, start: str | None, end: str | None, hours: list[int]
) -> None:
    times = [NOON_MS + hour * HOUR_MS for hour in (-13, -12, 0, 1)]
    keep_all(pipeline, *(make_event(occurred_at_ms=time_ms) for time_ms in times))
    keep_all(pipeline, make_event(project="other"))
    arguments = [f"--from={start}"] if start else []
    arguments += [f"--to={end}"] if end else []
    found = [json.loads(line)["timestamp"] for line in export(*arguments)[0]]
    assert found == [format_time(NOON_MS + hour * HOUR_MS) for hour in hours]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--project=nobody"], "there is no project nobody"),
        (["--project=demo", "--from=2026-11-02", "--to=2026-11-01"], "--from must be before"),
        (["--project=demo", "--from=2026-11-01", "--to=2026-11-01"], "--from must be before"),
        (["--project=demo", "--from=noon"], "'noon' is no time"),
        (["--project=demo", "--to=2026-13-01"], "'2026-13-01' is no time"),
        (["--project=demo", "--to=1969-12-31"], "from 1970 on"),
        (["--project=demo", "--wait=soon"], "'soon' is not a whole number"),
        (["--project=demo", "--output=/nonexistent/x"], "No such file"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("export_events", *arguments, stderr=StringIO())


def test_a_file_gets_its_name_when_it_is_complete(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(pipeline, *(make_event(occurred_at_ms=NOON_MS + n) for n in range(3)))
    for name, opened in (("plain.ndjson", open), ("packed.ndjson.gz", gzip.open)):
        lines, _ = export(output=tmp_path / name)
        assert lines == []
        with opened(tmp_path / name) as file:
            assert len(file.readlines()) == 3
    monkeypatch.setattr(export_events, "pages", interrupted)
    with pytest.raises(SystemExit) as raised:
        export(output=tmp_path / "cut.ndjson")
    assert raised.value.code == 130
    assert not (tmp_path / "cut.ndjson").exists()
    assert sorted(path.name for path in tmp_path.glob("*.ndjson*")) == [
        "cut.ndjson.part", "packed.ndjson.gz", "plain.ndjson",
    ]  # fmt: skip


def interrupted(store: object, window: object) -> Any:
    yield b"{}\n", 1
    raise KeyboardInterrupt


def test_progress_is_told_now_and_then(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_events, "TELL_EVENTS", 2)
    keep_all(pipeline, *(make_event(occurred_at_ms=NOON_MS + n * HOUR_MS) for n in range(5)))
    _, said = export()
    assert said.splitlines() == ["2 events …", "4 events …", "5 events exported"]


def test_without_a_sink_the_export_says_so_rather_than_leave_events_out(
    pipeline: LocalPipeline,
) -> None:
    pipeline.publish_events([make_event()])
    said = StringIO()
    with pytest.raises(CommandError, match=r"no warehouse sink runs, and 1 records .*--once"):
        call_command("export_events", "--project=demo", "--wait=1", stderr=said)
    assert said.getvalue() == "waiting for the warehouse: 1 records to go\n"
    pipeline.store()
    assert len(export(wait_s=0.0)[0]) == 1


def test_a_reader_that_has_enough_ends_the_export_quietly(pipeline: LocalPipeline) -> None:
    for start in range(0, 6000, 1000):
        keep_all(pipeline, *(make_event(occurred_at_ms=NOON_MS + start + n) for n in range(1000)))
    database = Path(settings.DATA_DIR) / "own.sqlite3"
    environment = os.environ | {
        "WEIR_DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": f"sqlite:///{database}",
    }

    def manage(*arguments: str) -> list[str]:
        return [sys.executable, "manage.py", *arguments]

    for command in (["migrate", "-v0"], ["create_project", "demo"]):
        subprocess.run(
            manage(*command), cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60
        )
    process = subprocess.Popen(
        manage("export_events", "--project", "demo"),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
