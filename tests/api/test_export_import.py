"""What is exported and imported elsewhere is the same: the same keys, records and versions."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from access.services import create_project
from feed.event import ProjectId
from ingest.domain import MAX_EVENT_BYTES, Admitted, Frame, admit
from ingest.services import Submission, accept
from operations.exporting import line
from tests.builders import NOON_MS
from tests.local_pipeline import LocalPipeline, local_pipeline
from warehouse.ports import Row, ScanWindow

pytestmark = pytest.mark.django_db
PROJECT = ProjectId("demo")
EVERYTHING = ScanWindow(PROJECT, 0, 2**48 - 1)
UUID7 = "019a3f2b-5c00-7abc-8def-0123456789ab"
ROWS: Sequence[bytes] = (
    b'{"event": "signup"}',
    b'{"event": "signup", "id": "e-1", "timestamp": "2026-11-01T12:00:00.9999Z"}',
    b'{"event":"p","type":"page","id":"e-2","timestamp":1793534400123,"properties":{"b":1.50}}',
    b'{"event": "v7", "id": "' + UUID7.encode() + b'", "user_id": "u", "session_id": "s"}',
    b'{"event": "pretty",\n "id": "e-3",\n "properties": {\r\n\t"text": "a\\nb"\r\n}\n}',
    '{"event": "naïve ☃", "id": "\\u00e9é\\"\\\\", "context": {"e": "\\ud83d\\ude00"}}'.encode(),
    b'{"event": "odd", "anonymous_id": "a\\tb", "properties": {"big": 18446744073709551615}}',
    b'{"event": "null", "id": "e-4", "properties": null, "user_id": null, "context": {}}',
    b'{"event": "full", "id": "e-5", "properties": {"p": "' + b"x" * (32 * 1024 - 55) + b'"}}',
)


def send(pipeline: LocalPipeline, rows: Sequence[bytes], *, sent_at_ms: int | None = None) -> None:
    """Through the admission of the API, into the feed, into the warehouse."""
    submission = Submission(rows, PROJECT, "r", "websocket", sent_at_ms=sent_at_ms)
    accepted = accept(submission, pipeline.feed, now_ms=NOON_MS)
    assert pipeline.feed.flush(timeout_s=20)
    assert accepted.outcome().counts.rejected == 0
    pipeline.store()


def stored(pipeline: LocalPipeline) -> list[Row]:
    return [row for page in pipeline.events.scan(EVERYTHING) for row in page.rows]


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_an_import_of_an_export_gives_the_same_records_and_versions(
    tmp_path: Path, name: str
) -> None:
    create_project(PROJECT, [])
    file = tmp_path / name
    assert len(ROWS[-1]) == MAX_EVENT_BYTES, "as large as an event may be"
    with local_pipeline(tmp_path / "here") as here:
        send(here, ROWS[:4], sent_at_ms=NOON_MS - 7)
        send(here, ROWS[4:])
        sent = stored(here)
        call_command("export_events", project=PROJECT, output=file, stderr=StringIO())
    assert len(sent) == len(ROWS)
    with local_pipeline(tmp_path / "there") as there:
        said = StringIO()
        call_command("import_events", str(file), project=PROJECT, json=True, stdout=said)
        assert json.loads(said.getvalue())["ok"] == len(ROWS)
        there.store()
        assert stored(there) == sent
        # And again into the same warehouse: nothing changes.
        call_command("import_events", str(file), project=PROJECT, stdout=StringIO())
        there.store()
        assert stored(there) == sent


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
)
objects = st.dictionaries(names, values, max_size=5)
texts = st.none() | names
events = st.fixed_dictionaries(
    {"event": names, "properties": objects, "context": objects},
    optional={
        "id": names,
        "timestamp": st.integers(946_684_800_000, NOON_MS + 86_000_000),
        "type": st.sampled_from(["track", "page", "alias"]),
        "user_id": texts,
        "anonymous_id": texts,
        "session_id": texts,
    },
)


@settings(max_examples=150)
@given(
    event=events,
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
    sent_at_ms=st.none() | st.integers(0, NOON_MS),
)
def test_whatever_is_admitted_comes_back_as_the_same_event(
    event: dict[str, Any], indent: int | None, is_ascii: bool, sent_at_ms: int | None
) -> None:
    row = json.dumps(event, indent=indent, ensure_ascii=is_ascii).encode()
    first = admit(row, Frame(PROJECT, NOON_MS, "rest", sent_at_ms=sent_at_ms))
    assert isinstance(first, Admitted)
    exported = line(first.event)
    assert exported.count(b"\n") == 1
    assert msgspec.json.decode(exported)["id"] == first.event.id
    later = Frame(PROJECT, NOON_MS + 10**9, "import", takes_back=True)
    again = admit(exported.strip(), later)
    assert isinstance(again, Admitted)
    assert again.event == first.event
    assert again.warnings == ()
