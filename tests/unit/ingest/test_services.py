"""accept(): what is published, what is answered, and what happens when the feed takes nothing."""

from pathlib import Path
from typing import Any

import pytest

from feed.adapters.embedded import EmbeddedFeed
from feed.event import ProjectId, key_text
from feed.topics import Topic
from ingest.domain import MAX_EVENT_BYTES
from ingest.payloads import Counts, Result
from ingest.services import Accepted, Outcome, Submission, accept
from tests.builders import NOON_MS
from tests.ingest_builders import logged_events, make_row_text, open_ingest_feed, writer_held
from tests.unit.feed.loops import SETTLED_S, dead_letters, topic_away

BAD = b'{"event":7,"id":"bad"}'


def offer(feed: EmbeddedFeed, *rows: bytes, **options: Any) -> Accepted:
    submission = Submission(rows, ProjectId("demo"), "r1", "rest", **options)
    return accept(submission, feed, now_ms=NOON_MS)


def send(feed: EmbeddedFeed, *rows: bytes, **options: Any) -> Outcome:
    accepted = offer(feed, *rows, **options)
    accepted.wait(timeout_s=SETTLED_S)
    return accepted.outcome()


def test_admitted_rows_are_in_the_feed_once_the_outcome_says_so(feed: EmbeddedFeed) -> None:
    outcome = send(feed, make_row_text(id="a"), make_row_text(id="b"), sent_at_ms=NOON_MS - 9)
    events = {event.id: event for event in logged_events(feed)}
    assert [row.id for row in outcome.results] == ["a", "b"]
    assert [row.key for row in outcome.results] == [key_text(events[id].key) for id in "ab"]
    assert outcome.counts == Counts(ok=2)
    assert events["a"].received_at_ms == NOON_MS
    assert events["a"].sent_at_ms == NOON_MS - 9
    assert outcome.retry_after_s is None


def test_positions_are_the_highest_offsets_by_partition(feed: EmbeddedFeed) -> None:
    outcome = send(feed, *[make_row_text(id=f"e{n}") for n in range(40)])
    ends = {partition: bounds.end for partition, bounds in feed.bounds(Topic.EVENTS).items()}
    reached = {place.partition: offset for place, offset in outcome.positions().items()}
    assert reached == {partition: end - 1 for partition, end in ends.items()}
    assert sum(ends.values()) == 40


def test_a_rejected_row_becomes_a_dead_letter_and_spoils_nothing(feed: EmbeddedFeed) -> None:
    outcome = send(feed, make_row_text(id="a"), BAD, make_row_text(id="c"))
    (letter,) = dead_letters(feed)
    assert [row.result for row in outcome.results] == ["ok", "rejected", "ok"]
    assert {event.id for event in logged_events(feed)} == {"a", "c"}
    assert (letter.stage, letter.code, letter.field) == ("ingest", "invalid_event", "event")
    assert (letter.project, letter.request_id, letter.index) == ("demo", "r1", 1)
    assert (letter.payload, letter.payload_bytes) == (BAD, len(BAD))
    assert (letter.event_id, letter.at_ms) == ("bad", NOON_MS)


def test_a_letter_keeps_64_kilobytes_and_the_full_size(feed: EmbeddedFeed) -> None:
    send(feed, b'{"event":"%s"}' % (b"x" * 100_000))
    (letter,) = dead_letters(feed)
    assert len(letter.payload) == 64 * 1024
    assert letter.payload_bytes == 100_012


def test_the_same_refusal_has_the_same_letter_id_and_others_have_others(
    feed: EmbeddedFeed,
) -> None:
    send(feed, BAD, BAD)
    send(feed, BAD)
    send(feed, b"[]")
    ids: dict[tuple[bytes, int | None], set[str]] = {}
    for letter in dead_letters(feed):
        ids.setdefault((letter.payload, letter.index), set()).add(letter.id)
    assert {place: len(each) for place, each in ids.items()} == dict.fromkeys(
        [(BAD, 0), (BAD, 1), (b"[]", 0)], 1
    )
    assert len(set().union(*ids.values())) == 3


def test_a_key_twice_in_one_request_is_fine(feed: EmbeddedFeed) -> None:
    outcome = send(feed, make_row_text(), make_row_text())
    assert outcome.counts == Counts(ok=2)
    assert outcome.results[0].key == outcome.results[1].key


def test_a_dry_run_answers_the_same_and_publishes_nothing(feed: EmbeddedFeed) -> None:
    outcome = send(feed, make_row_text(), BAD, dry_run=True)
    assert outcome.counts == Counts(ok=1, rejected=1)
    assert outcome.positions() == {}
    assert (logged_events(feed), dead_letters(feed)) == ([], [])


def test_a_closed_feed_makes_every_row_retry_with_its_weak_id(feed: EmbeddedFeed) -> None:
    feed.close()
    outcome = send(feed, make_row_text(), b'{"event":"a"}', make_row_text(colour=1), BAD)
    strong, weak, coloured, bad = outcome.results
    assert outcome.counts == Counts(retry=4)
    assert {row.code for row in (strong, coloured, bad)} == {"log_unavailable"}
    assert (weak.code, weak.timestamp) == ("weak_id", "2026-11-01T12:00:00.000Z")
    assert weak.id
    assert outcome.retry_after_s is not None
    assert outcome.retry_after_s >= 1


def test_a_full_feed_makes_rows_retry(tmp_path: Path) -> None:
    feed = open_ingest_feed(tmp_path, queue_records=1)
    try:
        with writer_held(tmp_path):
            held = [offer(feed, make_row_text(id=f"e{n}")) for n in range(3)]
            assert held[-1].outcome().counts == Counts(retry=1)
        first = held[0]
        first.wait(timeout_s=SETTLED_S)
        assert first.outcome().counts == Counts(ok=1)
    finally:
        feed.close()


def test_events_that_the_log_did_not_take_are_retry(feed: EmbeddedFeed, tmp_path: Path) -> None:
    with topic_away(tmp_path, Topic.EVENTS):
        outcome = send(feed, make_row_text(), BAD)
    assert [row.result for row in outcome.results] == [Result.RETRY, Result.REJECTED]
    assert outcome.positions() == {}


def test_a_refusal_that_cannot_be_kept_is_retry(feed: EmbeddedFeed, tmp_path: Path) -> None:
    with topic_away(tmp_path, Topic.DEAD_LETTERS):
        outcome = send(feed, make_row_text(), BAD)
    assert [row.result for row in outcome.results] == [Result.OK, Result.RETRY]
    assert outcome.results[1].code == "log_unavailable"


def test_a_record_over_the_feeds_limit_is_rejected_alone(tmp_path: Path) -> None:
    feed = open_ingest_feed(tmp_path, max_record_bytes=2048)
    large = make_row_text(id="large", properties={"a": "x" * 4000})
    try:
        outcome = send(feed, make_row_text(), large, b'{"event":7,"a":"%s"}' % (b"x" * 4000))
        assert [row.result for row in outcome.results] == ["ok", "rejected", "rejected"]
        assert [row.code for row in outcome.results[1:]] == ["event_too_large", "invalid_event"]
        assert [event.id for event in logged_events(feed)] == ["e1"]
    finally:
        feed.close()


def test_offering_again_publishes_the_same_records_until_they_are_logged(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    with topic_away(tmp_path, Topic.EVENTS):
        accepted = offer(feed, b'{"event":"weak"}', BAD)
        accepted.wait(timeout_s=SETTLED_S)
        delay_s = accepted.retry_delay_s()
    assert delay_s is not None
    accepted.offer_again(feed)
    accepted.wait(timeout_s=SETTLED_S)
    assert accepted.retry_delay_s() is None
    outcome = accepted.outcome()
    (event,) = logged_events(feed)
    assert outcome.counts == Counts(warning=1, rejected=1)
    assert event.id == outcome.results[0].id
    assert len(dead_letters(feed)) == 1


@pytest.mark.parametrize("rows", [(), (make_row_text(),), (make_row_text(), BAD), (BAD,)])
def test_the_callback_runs_once_however_many_topics_took_part(
    feed: EmbeddedFeed, rows: tuple[bytes, ...]
) -> None:
    accepted = offer(feed, *rows)
    calls: list[int] = []
    accepted.add_done_callback(lambda: calls.append(1))
    accepted.wait(timeout_s=SETTLED_S)
    assert feed.flush(timeout_s=SETTLED_S)
    accepted.add_done_callback(lambda: calls.append(2))
    assert calls == [1, 2]


def test_the_largest_event_fits_the_feed(feed: EmbeddedFeed) -> None:
    empty = len(make_row_text(properties={"a": ""}))
    row = make_row_text(properties={"a": "x" * (MAX_EVENT_BYTES - empty)})
    assert send(feed, row).counts == Counts(ok=1)
