"""`import_events`: files in, counts out."""

import gzip
import io
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from access.services import create_project
from feed.adapters.embedded import EmbeddedFeed
from feed.backends import FEED
from feed.event import ProjectId
from feed.topics import Topic
from ingest.importing import BATCH_ROWS, Importer, ImportFailed
from ingest.management.commands.import_events import _terminated_like_interrupted
from tests.builders import NOON_MS
from tests.fakes import FakeClock
from tests.ingest_builders import logged_events, make_row_text
from tests.unit.feed.loops import dead_letters, topic_away

BAD = b'{"event":7}'


@pytest.fixture(autouse=True)
def _demo(db: None, feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    create_project("demo", [])
    monkeypatch.setattr(FEED, "get", lambda: feed)


def run(*files: str | Path, project: str = "demo") -> tuple[int, dict[str, Any]]:
    """Exit code and counts."""
    out, code = io.StringIO(), 0
    try:
        call_command("import_events", *map(str, files), project=project, json=True, stdout=out)
    except SystemExit as exit:
        code = int(str(exit.code))
    return code, json.loads(out.getvalue())


def write(path: Path, *rows: bytes) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(b"\n".join(rows) + b"\n")
    return path


def test_files_are_imported_whole_and_counted(feed: EmbeddedFeed, tmp_path: Path) -> None:
    rows = [make_row_text(id=f"e{n}") for n in range(BATCH_ROWS * 2 + 3)]
    plain = write(tmp_path / "a.ndjson", *rows[:10], b"", *rows[10:])
    packed = write(tmp_path / "b.ndjson.gz", make_row_text(id="z", colour=1))
    code, said = run(plain, packed)
    assert code == 0
    assert said == {
        "ok": len(rows) + 1,
        "rejected": 0,
        "codes": {"unknown_field": 1},
        "complete": True,
    }
    assert {event.id for event in logged_events(feed)} == {f"e{n}" for n in range(len(rows))} | {
        "z"
    }
    assert {event.transport for event in logged_events(feed)} == {"import"}


def test_standard_input_is_a_file_named_dash(
    feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(make_row_text())))
    assert run("-")[1]["ok"] == 1


def test_rejected_rows_are_counted_kept_as_dead_letters_and_end_with_1(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.ndjson", make_row_text(), BAD, b"nope")
    for _ in range(2):
        code, said = run(file)
        assert code == 1
        assert (said["ok"], said["rejected"]) == (1, 2)
        assert said["codes"] == {"invalid_event": 1, "invalid_json": 1}
    letters = dead_letters(feed)
    assert {letter.index for letter in letters} == {1, 2}
    assert len({letter.id for letter in letters}) == 2
    assert {letter.request_id for letter in letters} == {"import-a.ndjson"}


def test_what_an_export_adds_is_taken_back(feed: EmbeddedFeed, tmp_path: Path) -> None:
    row = make_row_text(received_at=NOON_MS + 7, sent_at=NOON_MS + 5, transport="websocket")
    assert run(write(tmp_path / "a.ndjson", row))[0] == 0
    (event,) = logged_events(feed)
    assert (event.received_at_ms, event.sent_at_ms) == (NOON_MS + 7, NOON_MS + 5)
    assert event.transport == "websocket"


def test_the_last_words_are_a_count(tmp_path: Path) -> None:
    file, out = write(tmp_path / "a.ndjson", make_row_text(), BAD), io.StringIO()
    with pytest.raises(SystemExit):
        call_command("import_events", str(file), project="demo", stdout=out)
    assert out.getvalue() == "1 ok, 1 rejected (invalid_event 1)\n"


@pytest.mark.parametrize("name", ["missing.ndjson", ""])
def test_a_file_that_is_not_there_is_one_sentence(name: str, feed: EmbeddedFeed) -> None:
    with pytest.raises(CommandError, match="cannot be read: nothing was imported"):
        run(name)
    assert logged_events(feed) == []


def test_a_project_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no project nobody"):
        run(write(tmp_path / "a.ndjson", make_row_text()), project="nobody")


def test_gzip_that_is_cut_short_says_so_after_what_was_whole(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join([make_row_text()] * 3))
    (tmp_path / "a.gz").write_bytes(whole[:-12])
    with pytest.raises(CommandError, match="is not whole gzip"):
        run(tmp_path / "a.gz")
    (tmp_path / "b.gz").write_bytes(make_row_text())
    with pytest.raises(CommandError, match="is not whole gzip"):
        run(tmp_path / "b.gz")


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="line 2 of .* is over 5242880 bytes"):
        run(write(tmp_path / "a.ndjson", make_row_text(), b"x" * (5 * 1024 * 1024 + 1)))


def test_a_feed_that_comes_back_gets_every_row_once(feed: EmbeddedFeed, tmp_path: Path) -> None:
    away = topic_away(tmp_path, Topic.EVENTS)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            away.__exit__(None, None, None)

    file = write(tmp_path / "a.ndjson", b'{"event":"weak"}', make_row_text(), BAD)
    importer = Importer(feed, ProjectId("demo"), lambda tally: None, sleep=sleep)
    away.__enter__()
    importer.run(str(file))
    assert len(slept) == 3
    assert importer.tally.total() == 3
    assert len(logged_events(feed)) == 2
    assert len(dead_letters(feed)) == 1


def test_a_feed_that_stays_away_ends_the_import(feed: EmbeddedFeed, tmp_path: Path) -> None:
    time = FakeClock()
    file = write(tmp_path / "a.ndjson", make_row_text())
    importer = Importer(
        feed, ProjectId("demo"), lambda tally: None, clock=time.clock, sleep=time.move
    )
    with topic_away(tmp_path, Topic.EVENTS), pytest.raises(ImportFailed, match="run the import"):
        importer.run(str(file))
    assert time.elapsed_s > 300


def test_an_interrupted_import_lets_what_is_under_way_arrive(
    feed: EmbeddedFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.ndjson", *[make_row_text(id=f"e{n}") for n in range(5000)])

    def interrupt(importer: Importer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Importer, "_finish_oldest", _once(interrupt, Importer._finish_oldest))
    code, said = run(file)
    assert code == 130
    assert said["complete"] is False
    assert 0 < said["ok"] == len(logged_events(feed)) < 5000


@pytest.mark.parametrize(
    ("is_terminal", "shown"),
    [(True, "[##############################] 100%  2 events, 1 rejected"), (False, "2 events so")],
)
def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool, shown: str
) -> None:
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    for interval in ("REDRAW_S", "TELL_S"):
        monkeypatch.setattr(f"ingest.management.commands.import_events.{interval}", 0.0)
    file = write(tmp_path / "a.ndjson", make_row_text(), BAD)
    with pytest.raises(SystemExit):
        call_command("import_events", str(file), project="demo", stdout=io.StringIO(), stderr=err)
    assert shown in err.getvalue()
    assert err.getvalue().endswith("\r\x1b[K") == is_terminal


def test_a_stream_has_no_end_to_show_a_share_of(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("ingest.management.commands.import_events.REDRAW_S", 0.0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(make_row_text())))
    call_command("import_events", "-", project="demo", stdout=io.StringIO(), stderr=err)
    assert "\r\x1b[K1 events, 0 rejected" in err.getvalue()


def test_a_termination_ends_like_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminate(importer: Importer, name: str) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Importer, "run", terminate)
    code, said = run(write(tmp_path / "a.ndjson", make_row_text()))
    assert (code, said["complete"]) == (130, False)


def test_outside_the_main_thread_no_signal_is_taken(tmp_path: Path, feed: EmbeddedFeed) -> None:
    with ThreadPoolExecutor(1) as pool:
        context = pool.submit(lambda: list(_while_terminated())).result(timeout=20)
    assert context == [signal.getsignal(signal.SIGTERM)]


def _while_terminated() -> Iterator[Any]:
    with _terminated_like_interrupted():
        yield signal.getsignal(signal.SIGTERM)


def _once(first: Any, then: Any) -> Any:
    """A method that does `first` at its first call, `then` at every other."""
    calls = iter([first])
    return lambda self: next(calls, then)(self)
