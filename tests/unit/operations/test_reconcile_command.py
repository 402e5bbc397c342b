"""`reconcile`: what it prints, and how it ends."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from access.services import create_project
from feed.clock import Clock
from feed.event import HOUR_MS, key_text
from operations.management.commands import reconcile as command
from replay.models import Replay
from tests.builders import NOON_MS, make_event, make_row
from tests.damage import TAMPERED, EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import run_to_the_end


@pytest.fixture(autouse=True)
def _project(pipeline: LocalPipeline) -> None:
    create_project("demo")


def run(*arguments: str) -> tuple[int, list[str], str]:
    """The exit code, the lines of standard output, and standard error."""
    out, said = StringIO(), StringIO()
    try:
        call_command("reconcile", "--project=demo", *arguments, stdout=out, stderr=said)
    except SystemExit as exc:
        return int(exc.code or 0), out.getvalue().splitlines(), said.getvalue()
    return 0, out.getvalue().splitlines(), said.getvalue()


def run_json(*arguments: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """The exit code, the hours, and the last line."""
    code, lines, _ = run("--json", *arguments)
    *hours, summary = map(json.loads, lines)
    return code, hours, summary


def test_hours_that_hold_the_same_are_a_table_and_exit_0(pipeline: LocalPipeline) -> None:
    events = [make_event(occurred_at_ms=NOON_MS + index * HOUR_MS // 2) for index in range(3)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()

    code, lines, said = run()

    assert (code, said) == (0, "")
    assert lines[0].split() == [
        *("hour", "warehouse", "view", "missing", "changed", "extra", "refused"),
        *("on", "the", "way", "state"),
    ]
    assert [line.split() for line in lines[1:3]] == [
        ["2026-11-01T12:00:00.000Z", "2", "2", "0", "0", "0", "0", "0", "same"],
        ["2026-11-01T13:00:00.000Z", "1", "1", "0", "0", "0", "0", "0", "same"],
    ]
    assert lines[3:] == [
        "demo, generation 1: same. 2 hours, 3 events in the warehouse, 3 in the view; "
        "0 missing, 0 changed, 0 extra"
    ]


def test_differences_are_named_and_exit_1(pipeline: LocalPipeline, tmp_path: Path) -> None:
    events = [make_event(occurred_at_ms=NOON_MS + index) for index in range(4)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()
    EmbeddedDamage(tmp_path, "demo").delete(events[0].key)
    EmbeddedDamage(tmp_path, "demo").put(events[2].key)

    code, lines, _ = run()

    assert code == 1
    assert lines[1].endswith("different")
    assert lines[2:4] == [
        f"  missing {key_text(events[0].key)}  signup",
        f"  changed {key_text(events[2].key)}  signup",
    ]
    assert lines[-1] == (
        "a replay in place from 2026-11-01T12:00:00.000Z to 2026-11-01T12:00:00.003Z brings back "
        "what is missing or changed: run this again with --repair"
    )
    assert "  and 1 more" in run("--keys=1")[1]

    code, (hour,), summary = run_json()
    counts = {"warehouse": 4, "view": 3, "missing": 1, "changed": 1, "extra": 0}
    counts |= {"refused": 0, "on_the_way": 0}
    row = make_row(events[2])
    assert code == 1
    assert summary == {
        "project": "demo",
        "generation": 1,
        "state": "different",
        "hours": 1,
        "counts": counts,
        "lag": None,
    }
    assert (hour["hour"], hour["state"], hour["counts"]) == (
        "2026-11-01T12:00:00.000Z",
        "different",
        counts,
    )
    assert [each["kind"] for each in hour["differences"]] == ["missing", "changed"]
    assert hour["differences"][0]["view"] is None
    changed = hour["differences"][1]
    assert changed["key"] == key_text(row.key)
    assert (changed["warehouse"]["event"], changed["warehouse"]["version"]) == (
        "signup",
        row.version,
    )
    assert changed["view"] == {"event": TAMPERED, "version": 1, "hash24": 1}


def test_a_repair_replays_exactly_the_gap(pipeline: LocalPipeline, tmp_path: Path) -> None:
    events = [make_event(id=f"e-{n}", occurred_at_ms=NOON_MS + n * HOUR_MS) for n in range(6)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()
    for lost in events[1], events[4]:
        EmbeddedDamage(tmp_path, "demo").delete(lost.key)

    code, lines, _ = run("--repair")

    (replay,) = Replay.objects.all()
    assert code == 1
    assert lines[-1] == (
        f"replay {replay.id} brings back what is missing or changed: "
        f"manage.py replay show {replay.id} --watch"
    )
    assert replay.estimated == 2
    run_to_the_end(pipeline)
    replay.refresh_from_db()
    assert (replay.state, replay.emitted) == ("completed", 2)
    assert run()[0] == 0
    code, _, summary = run_json("--repair")
    assert (code, summary["replay"]) == (0, None)


def test_what_the_view_refuses_is_said_and_not_repaired(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event(), make_event(properties="[]")])
    pipeline.store()
    pipeline.project()

    code, lines, _ = run("--repair")

    assert code == 0
    assert lines[1].split()[1:] == ["2", "1", "0", "0", "0", "1", "0", "same"]
    assert lines[-2:] == [
        "refused by the view: 1, see Dead letters; no replay brings them in",
        "nothing to replay",
    ]
    assert Replay.objects.count() == 0


def test_what_is_dated_ahead_is_repaired_later(pipeline: LocalPipeline, tmp_path: Path) -> None:
    ahead = make_event(occurred_at_ms=Clock().now_ms() + HOUR_MS)
    pipeline.publish_events([ahead])
    pipeline.store()
    pipeline.project()
    EmbeddedDamage(tmp_path, "demo").delete(ahead.key)

    code, lines, _ = run("--repair")

    assert code == 1
    assert lines[-1] == (
        "1 spans of time lie ahead and cannot be replayed yet: run this again later"
    )
    assert not Replay.objects.exists()


@pytest.mark.parametrize("options", [(), ("--repair",)])
def test_an_extra_document_is_named_and_a_rebuild_is_advised(
    pipeline: LocalPipeline, tmp_path: Path, options: tuple[str, ...]
) -> None:
    pipeline.publish_events([make_event()])
    pipeline.store()
    pipeline.project()
    added = make_event(occurred_at_ms=NOON_MS + 1)
    EmbeddedDamage(tmp_path, "demo").put(added.key)

    code, lines, _ = run(*options)

    assert code == 1
    assert f"  extra   {key_text(added.key)}  {TAMPERED}" in lines
    assert lines[-1] == (
        "1 extra: of events that the warehouse does not have, which no replay takes away. Build "
        "the view anew with manage.py replay rebuild --reason WHY --watch, then serve it with "
        "manage.py replay swap N"
    )
    assert ("nothing to replay" in lines) == bool(options)
    assert "--repair" not in "".join(lines)


def test_lag_is_no_difference_and_exits_2(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])
    pipeline.store()

    code, lines, said = run("--wait=0")

    assert code == 2
    assert lines[1].endswith("lagging")
    assert "0 missing" in lines[2]
    assert lines[3].startswith("lagging: no projector runs, and 1 records of the feed are not in")
    assert said == ""
    assert run_json("--wait=0")[2]["lag"] == lines[3].removeprefix("lagging: ")


def test_who_is_waited_for_is_told(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])
    pipeline.store()

    code, _, said = run("--wait=1")

    assert (code, said) == (2, "waiting for projector: 1 records to go\n")


def test_a_range_is_of_times_of_occurrence(pipeline: LocalPipeline) -> None:
    events = [make_event(occurred_at_ms=NOON_MS + index * HOUR_MS) for index in range(4)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()

    _, hours, summary = run_json("--from=2026-11-01T13:00:00Z", "--to=2026-11-01T15:00:00Z")

    assert [hour["hour"][11:13] for hour in hours] == ["13", "14"]
    assert (summary["hours"], summary["counts"]["view"]) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--project=nobody"], "there is no project nobody"),
        (["--from=2026-11-02", "--to=2026-11-02"], "--from must be before --to"),
        (["--from=yesterday"], "'yesterday' is no time"),
        (["--wait=soon"], "'soon' is not a whole number of seconds"),
        (["--keys=-1"], "'-1' is not a whole number"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)


@pytest.mark.parametrize("folder", ["warehouse", "timeseries"])
def test_an_engine_that_cannot_be_read_is_not_known(
    pipeline: LocalPipeline, folder: str, tmp_path: Path
) -> None:
    from timeseries.backends import SERIES_STORE
    from warehouse.backends import EVENT_STORE

    backend = EVENT_STORE if folder == "warehouse" else SERIES_STORE
    backend.get().close()
    backend.forget()
    for file in (tmp_path / folder).iterdir():
        file.write_bytes(b"these are no tables of ours\n" * 400)
    with pytest.raises(CommandError, match="not compared to the end") as raised:
        run()
    assert raised.value.returncode == 2


def test_an_interrupted_comparison_says_so(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.events.append([make_row(make_event())])

    def interrupt(hour: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_lines", interrupt)
    code, _, said = run("--wait=0")
    assert (code, said) == (130, "interrupted: later hours were not compared\n")
