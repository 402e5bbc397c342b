"""Poison: to the dead letters, acknowledged, and never a whole topic of it."""

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.adapters.embedded import EmbeddedFeed
from feed.codec import encode
from feed.dead_letters import MAX_PAYLOAD_BYTES
from feed.errors import TooManyDeadLetters
from feed.event import key_text
from feed.ports import Record, TopicPartition
from feed.refusals import MAX_A_MINUTE, MIN_RECORDS, Refusal, RefusalGuard, dead_letter
from feed.topics import Group, Topic
from tests.builders import NOON_MS, make_event
from tests.fakes import FakeClock
from tests.unit.feed.loops import (
    Keeper,
    backpressure,
    consuming,
    dead_letters,
    live,
    position,
    publish_events,
    publish_values,
    topic_away,
    turn_until_committed,
    turn_until_raised,
)


def make_record(*, topic: str = "events", partition: int = 0, offset: int = 7) -> Record:
    return Record(topic, partition, offset, NOON_MS, b"key", b"not an event")


def make_refusal(record: Record) -> Refusal:
    return Refusal(record, None, "undecodable_record", "no event")


def test_an_undecodable_record_becomes_a_dead_letter_and_its_neighbours_are_handled(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 1, prefix="before")
    publish_values(feed, [b"garbage"], headers=(("lane", b"live"), ("odd", b"\xff")))
    publish_events(feed, 1, prefix="after")
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        while position(feed, consumer.lane) < 3:
            turn_until_committed(consumer)
    assert keeper.handled == ["before-0", "after-0"]
    (letter,) = dead_letters(feed)
    assert (letter.stage, letter.code) == ("warehouse-sink", "undecodable_record")
    assert (letter.topic, letter.partition, letter.offset) == ("events", 0, 1)
    assert (letter.payload, letter.payload_bytes) == (b"garbage", 7)
    assert letter.headers == {"lane": "live", "odd": "\\xff"}
    assert "C3 01" in letter.detail


def test_a_batch_of_nothing_but_poison_is_committed(feed: EmbeddedFeed) -> None:
    publish_values(feed, [b"", b"\xc3\x01"])
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        turn_until_committed(consumer)
    assert keeper.handled == []
    assert len(dead_letters(feed)) == 2
    assert position(feed, live(keeper)) == 2


def test_what_a_handler_refuses_is_a_dead_letter_that_names_the_event(feed: EmbeddedFeed) -> None:
    _, event, _ = publish_events(feed, 3)
    keeper = Keeper(poisonous=frozenset({"e-1"}))
    with consuming(feed, live(keeper)) as consumer:
        turn_until_committed(consumer)
    (letter,) = dead_letters(feed)
    assert (letter.code, letter.detail) == ("refused_by_test", "e-1 is refused")
    assert (letter.project, letter.event_id) == ("demo", "e-1")
    assert letter.event_key == key_text(event.key)
    assert letter.payload == encode(event)


def test_a_redelivered_poison_record_writes_the_same_letter_again(feed: EmbeddedFeed) -> None:
    publish_values(feed, [b"garbage"])
    for _ in range(2):
        with consuming(feed, live(Keeper())) as consumer:
            turn_until_committed(consumer)
        feed.set_committed(Group.SINK, {TopicPartition(Topic.EVENTS, 0): 0})
    first, second = dead_letters(feed)
    assert first.id == second.id


def test_letters_of_different_origins_or_stages_have_different_ids() -> None:
    origins = [
        (make_record(), Group.SINK),
        (make_record(), Group.PROJECTOR),
        (make_record(offset=8), Group.SINK),
        (make_record(partition=1), Group.SINK),
        (make_record(topic="history"), Group.SINK),
    ]
    ids = {dead_letter(make_refusal(record), group, at_ms=0).id for record, group in origins}
    assert len(ids) == len(origins)


def test_a_long_payload_and_a_long_detail_are_cut_and_the_full_size_is_kept() -> None:
    record = Record("events", 0, 0, NOON_MS, b"", b"x" * (MAX_PAYLOAD_BYTES + 5))
    letter = dead_letter(Refusal(record, None, "code", "d" * 9_000), Group.SINK, at_ms=NOON_MS)
    assert len(letter.payload) == MAX_PAYLOAD_BYTES
    assert letter.payload_bytes == MAX_PAYLOAD_BYTES + 5
    assert len(letter.detail) == 2_000


def test_a_dead_letter_topic_that_takes_nothing_blocks_the_commit(
    feed: EmbeddedFeed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="feed.waiting")
    publish_values(feed, [b"garbage"])
    fake = FakeClock()
    with consuming(feed, live(Keeper()), clock=fake.clock) as consumer:
        with topic_away(tmp_path, Topic.DEAD_LETTERS):
            consumer.turn(timeout_s=1.0)
            assert consumer.is_waiting()
            assert position(feed, consumer.lane) == 0
        fake.move(60)
        turn_until_committed(consumer)
    assert "dead-letters" in caplog.text
    assert {letter.payload for letter in dead_letters(feed)} == {b"garbage"}


def test_a_topic_of_poison_stops_the_line_before_any_of_it_is_written(feed: EmbeddedFeed) -> None:
    publish_values(feed, [b"garbage"] * MIN_RECORDS)
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer, pytest.raises(TooManyDeadLetters, match="200"):
        turn_until_raised(consumer)
    assert dead_letters(feed) == []
    assert position(feed, live(keeper)) == 0


def test_each_start_gets_as_far_as_the_limits_allow_however_large_its_batches(
    feed: EmbeddedFeed,
) -> None:
    good = encode(make_event())
    publish_values(feed, [b"garbage", good, good] * (MAX_A_MINUTE + MIN_RECORDS))
    lane = live(Keeper(), batch_records=20_000)
    with consuming(feed, lane) as consumer, pytest.raises(TooManyDeadLetters, match="a minute"):
        turn_until_raised(consumer)
    assert MAX_A_MINUTE - MIN_RECORDS < len(dead_letters(feed)) <= MAX_A_MINUTE

    with consuming(feed, lane) as consumer:
        while position(feed, lane) < 3 * (MAX_A_MINUTE + MIN_RECORDS):
            turn_until_committed(consumer)
    assert len({letter.id for letter in dead_letters(feed)}) == MAX_A_MINUTE + MIN_RECORDS


def test_the_same_refusals_put_back_again_and_again_are_counted_once(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2 * MIN_RECORDS)
    publish_values(feed, [b"garbage"] * (MIN_RECORDS // 2))
    fake = FakeClock()
    keeper = Keeper(troubles=[backpressure() for _ in range(8)])
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        while position(feed, consumer.lane) < 500:
            consumer.turn(timeout_s=0.1)
            fake.move(5)
    assert len({letter.id for letter in dead_letters(feed)}) == MIN_RECORDS // 2


def test_fewer_records_than_the_share_needs_may_all_be_poison() -> None:
    guard = RefusalGuard()
    guard.check(records=MIN_RECORDS - 1, refused=MIN_RECORDS - 1, now_s=0.0)


def test_exactly_half_is_still_read_on() -> None:
    guard = RefusalGuard()
    guard.check(records=MIN_RECORDS, refused=MIN_RECORDS // 2, now_s=0.0)
    with pytest.raises(TooManyDeadLetters):
        guard.check(records=MIN_RECORDS, refused=MIN_RECORDS // 2 + 1, now_s=0.0)


def test_the_share_is_of_consecutive_records_not_of_one_batch() -> None:
    guard = RefusalGuard()
    for _ in range(19):
        guard.check(records=10, refused=9, now_s=0.0)
        guard.note(records=10, refused=9, now_s=0.0)
    with pytest.raises(TooManyDeadLetters, match="180 of the last 200"):
        guard.check(records=10, refused=9, now_s=0.0)


def test_an_old_burst_of_poison_is_forgotten_by_good_records() -> None:
    guard = RefusalGuard()
    guard.note(records=150, refused=150, now_s=0.0)
    guard.note(records=5_000, refused=0, now_s=1.0)
    guard.check(records=100, refused=40, now_s=2.0)


def test_more_than_a_thousand_a_minute_stop_the_line_however_small_their_share() -> None:
    guard = RefusalGuard()
    for second in range(10):
        guard.note(records=2_000, refused=MAX_A_MINUTE // 10, now_s=float(second))
    with pytest.raises(TooManyDeadLetters, match="1001 records refused within a minute"):
        guard.check(records=2_000, refused=1, now_s=10.0)


def test_refusals_of_more_than_a_minute_ago_do_not_count() -> None:
    guard = RefusalGuard()
    guard.note(records=100_000, refused=MAX_A_MINUTE, now_s=0.0)
    guard.note(records=100_000, refused=1, now_s=60.0)
    guard.check(records=2_000, refused=MAX_A_MINUTE - 1, now_s=60.5)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 3_000), st.floats(0, 1), st.floats(0, 90)), min_size=1, max_size=30
    )
)
def test_the_guard_lets_pass_exactly_what_a_plain_count_lets_pass(
    batches: list[tuple[int, float, float]],
) -> None:
    guard = RefusalGuard()
    passed: list[tuple[float, int, int]] = []
    now_s = 0.0
    for records, share, gap_s in batches:
        refused = int(records * share)
        now_s += gap_s
        minute = refused + sum(dead for at_s, _, dead in passed if at_s > now_s - 60)
        is_flood = minute > MAX_A_MINUTE or _is_mostly_poison(passed, records, refused)
        if is_flood and refused:
            with pytest.raises(TooManyDeadLetters):
                guard.check(records=records, refused=refused, now_s=now_s)
            return
        if refused:
            guard.check(records=records, refused=refused, now_s=now_s)
        guard.note(records=records, refused=refused, now_s=now_s)
        passed.append((now_s, records, refused))


def _is_mostly_poison(passed: list[tuple[float, int, int]], records: int, refused: int) -> bool:
    """Over this batch and the fewest whole batches before it that make up MIN_RECORDS."""
    seen, dead, before = records, refused, 0
    for _, count, dead_before in reversed(passed):
        if before >= MIN_RECORDS:
            break
        before, seen, dead = before + count, seen + count, dead + dead_before
    return seen >= MIN_RECORDS and dead > seen / 2
