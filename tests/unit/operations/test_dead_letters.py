"""Dead letters are kept once each, whatever they look like."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, to_record
from feed.errors import Fenced
from feed.ports import FeedConsumer, OutgoingRecord, Record
from feed.topics import Group, Topic
from operations.dead_letter_keeper import drain, join, keep_next
from operations.dead_letter_rows import DeadLetterRow
from operations.dead_letters import UNREADABLE, keep, row_of
from tests.builders import NOON_MS
from tests.local_pipeline import LocalPipeline

pytestmark = pytest.mark.django_db


def make_letter(**changes: Any) -> DeadLetter:  # Any: members of a DeadLetter
    letter = DeadLetter(
        id="letter-1",
        stage="ingest",
        code="missing_event",
        detail="refused at admission: missing_event",
        at_ms=NOON_MS,
        payload=b'{"id": "e1"}',
        payload_bytes=12,
        project="demo",
        field="event",
        event_id="e1",
        request_id="r1",
        index=0,
    )
    return replace(letter, **changes)


def lying(outgoing: OutgoingRecord, *, offset: int = 0) -> Record:
    """The record as the keeper reads it."""
    return Record(Topic.DEAD_LETTERS, 2, offset, NOON_MS, outgoing.key, outgoing.value)


def test_a_letter_is_kept_with_all_it_says() -> None:
    letter = make_letter(topic="events", partition=3, offset=2**40, headers={"lane": "history"})
    keep([lying(to_record(letter))])
    row = DeadLetterRow.objects.get()
    assert row.refused_at == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert (row.id, row.stage, row.code, row.field) == (
        "letter-1", "ingest", "missing_event", "event",
    )  # fmt: skip
    assert (row.project, row.event_id, row.request_id, row.request_index) == ("demo", "e1", "r1", 0)
    assert (row.topic, row.partition, row.offset) == ("events", 3, 2**40)
    assert row.headers == {"lane": "history"}
    assert (bytes(row.payload), row.payload_bytes) == (b'{"id": "e1"}', 12)


def test_a_letter_that_says_little_is_kept() -> None:
    little = DeadLetter("x", "projector", "poison", "", 0, b"", 0)
    keep([lying(to_record(little))])
    row = DeadLetterRow.objects.get()
    assert (row.project, row.event_key, row.request_index, row.offset) == ("", "", None, None)


def test_the_same_letter_again_changes_nothing() -> None:
    first = lying(to_record(make_letter()))
    again = lying(to_record(make_letter(detail="written again")), offset=1)
    keep([first, again])
    keep([again])
    assert DeadLetterRow.objects.get().detail == "refused at admission: missing_event"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe",
        b'{"id": "x"}',
        msgspec.json.encode({"id": 1, "stage": "s"}),
        to_record(make_letter(id="")).value,
        to_record(make_letter(id="i" * 65)).value,
        to_record(make_letter(at_ms=10**18)).value,
        to_record(make_letter(offset=-1)).value,
        to_record(make_letter(payload_bytes=2**70)).value,
    ],
)
def test_what_is_no_letter_is_kept_as_one_and_holds_up_nothing(value: bytes) -> None:
    good = lying(to_record(make_letter()), offset=8)
    keep([Record(Topic.DEAD_LETTERS, 2, 7, NOON_MS, b"", value), good])
    row = DeadLetterRow.objects.get(code=UNREADABLE)
    assert (row.stage, row.topic, row.partition, row.offset) == (
        Group.DEAD_LETTER_KEEPER, "dead-letters", 2, 7,
    )  # fmt: skip
    assert bytes(row.payload) == value
    assert DeadLetterRow.objects.filter(id="letter-1").exists()


def test_an_unreadable_giant_is_cut_and_its_size_noted() -> None:
    record = Record(Topic.DEAD_LETTERS, 0, 1, NOON_MS, b"", b"x" * (MAX_PAYLOAD_BYTES + 1))
    row = row_of(record)
    assert (len(row.payload), row.payload_bytes) == (MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1)


@settings(max_examples=50)
@given(text=st.text(st.characters(codec="utf-8"), max_size=700))
def test_any_text_fits_its_column(text: str) -> None:
    letter = make_letter(
        stage=text, code=text, detail=text, project=text, field=text, event_key=text,
        event_id=text, request_id=text, topic=text, headers={text: text},
    )  # fmt: skip
    row = row_of(lying(to_record(letter)))
    row.clean_fields(exclude=["stage", "code", "payload", "partition", "offset", "request_index"])
    assert max(len(row.stage), len(row.code)) <= 64
    assert "\0" not in row.detail + row.event_id + "".join(row.headers)
    assert row.field == text.replace("\0", "\ufffd")[:512]


def test_draining_keeps_everything_that_is_there_and_commits_it(pipeline: LocalPipeline) -> None:
    letters = [make_letter(id=f"letter-{number}") for number in range(250)]
    pipeline.publish(Topic.DEAD_LETTERS, [to_record(letter) for letter in letters])
    assert drain(pipeline.feed) == 250
    assert DeadLetterRow.objects.count() == 250
    assert drain(pipeline.feed) == 0


def test_draining_an_empty_topic_ends_at_once(pipeline: LocalPipeline) -> None:
    assert drain(pipeline.feed) == 0


def test_draining_gives_up_when_another_holds_the_partitions(pipeline: LocalPipeline) -> None:
    other = join(pipeline.feed)
    other.poll(1, timeout_s=5.0)
    pipeline.publish(Topic.DEAD_LETTERS, [to_record(make_letter())])
    with pytest.raises(TimeoutError, match="not drained within 0 s"):
        drain(pipeline.feed, limit_s=0.0)
    other.close()
    assert drain(pipeline.feed) == 1


def test_a_keeper_that_lost_its_partitions_commits_nothing(pipeline: LocalPipeline) -> None:
    pipeline.publish(Topic.DEAD_LETTERS, [to_record(make_letter())])
    late = Overtaken(join(pipeline.feed))
    assert keep_next(late, timeout_s=5.0) == 0
    late.close()
    assert drain(pipeline.feed) == 1
    assert DeadLetterRow.objects.count() == 1


class Overtaken:
    """A member of the real group whose partitions are another's by the time it commits."""

    def __init__(self, member: FeedConsumer) -> None:
        self._member = member

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    def commit(self, positions: object) -> None:
        raise Fenced
