"""The Feed port's promises to producers."""

import threading
from collections import defaultdict

import pytest

from feed.errors import FeedUnavailable, RecordTooLarge
from feed.ports import OutgoingRecord
from feed.ticket import Logged, Ticket
from tests.contract.feed_driver import (
    PATIENCE_S,
    OpenFeed,
    logged,
    make_records,
    places,
    publish,
    read,
    ticketed,
)

MIB = 1024 * 1024


class PublishContract:
    def test_a_logged_record_is_read_where_its_ticket_says_by_another_handle(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        records = make_records(50)

        outcomes = publish(feed, topic, records)
        feed.close()

        found = read(open_feed().reader(topic, from_end=False), 50)
        assert places(found) == ticketed(records, outcomes)

    def test_key_value_and_headers_come_back_as_they_were_given(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        headers = (("lane", b"history"), ("replay", bytes(range(256))))
        given = [
            OutgoingRecord(b"k1", b"\x00\xff value"),
            OutgoingRecord(b"k2", b"", headers),
            OutgoingRecord(b"k3", b"v" * 5000, (("lane", b""),)),
        ]

        publish(feed, topic, given)

        found = read(feed.reader(topic, from_end=False), 3)
        held = {(record.key, record.value, record.headers) for record in found}
        assert held == {(record.key, record.value, record.headers) for record in given}

    def test_the_partition_follows_from_the_key_alone(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        records = make_records(40)

        first = publish(open_feed(), topic, records)
        second = publish(open_feed(), topic, records[::-1])[::-1]

        assert [outcome.partition for outcome in first] == [outcome.partition for outcome in second]
        assert len({outcome.partition for outcome in first}) == 4

    def test_offsets_ascend_in_the_order_published(self, open_feed: OpenFeed, topic: str) -> None:
        feed = open_feed()
        offsets: dict[int, list[int]] = defaultdict(list)

        for outcome in [
            *publish(feed, topic, make_records(30)),
            *publish(feed, topic, make_records(30)),
        ]:
            offsets[outcome.partition].append(outcome.offset)

        for ascending in offsets.values():
            assert ascending == sorted(set(ascending))

    def test_append_times_never_go_back_within_a_partition(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        for _ in range(5):
            publish(feed, topic, make_records(20))

        times: dict[int, list[int]] = defaultdict(list)
        for record in sorted(read(feed.reader(topic, from_end=False), 100), key=lambda r: r.offset):
            times[record.partition].append(record.appended_at_ms)

        assert all(ascending == sorted(ascending) for ascending in times.values())

    def test_many_threads_publish_at_once_and_every_record_lies_where_its_ticket_says(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        lots = [[make_records(20) for _ in range(10)] for _ in range(8)]
        tickets: list[list[Ticket]] = [[] for _ in lots]

        def send(number: int) -> None:
            tickets[number] += [feed.publish(topic, records) for records in lots[number]]

        threads = [threading.Thread(target=send, args=(number,)) for number in range(len(lots))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        expected = []
        for sent, settled in zip(lots, tickets, strict=True):
            for records, ticket in zip(sent, settled, strict=True):
                expected += ticketed(records, logged(ticket))
        assert places(read(feed.reader(topic, from_end=False), 1600)) == sorted(expected)

    def test_a_ticket_of_no_records_is_settled_at_once(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        assert open_feed().publish(topic, []).is_settled()

    def test_a_callback_runs_once_when_every_record_is_settled(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        called = threading.Semaphore(0)

        ticket = open_feed().publish(topic, make_records(10))
        ticket.add_done_callback(called.release)

        assert called.acquire(timeout=PATIENCE_S)
        assert ticket.is_settled()
        assert not called.acquire(blocking=False)

    def test_flush_waits_for_every_ticket_given_out_so_far(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        tickets = [feed.publish(topic, make_records(20)) for _ in range(20)]

        assert feed.flush(timeout_s=PATIENCE_S)

        assert all(ticket.is_settled() for ticket in tickets)

    def test_flush_with_nothing_published_is_done(self, open_feed: OpenFeed) -> None:
        assert open_feed().flush(timeout_s=PATIENCE_S)

    def test_a_record_over_the_limit_is_refused_with_all_of_its_call(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()

        with pytest.raises(RecordTooLarge, match=r"\d"):
            feed.publish(topic, [*make_records(2), OutgoingRecord(b"big", bytes(2 * MIB))])

        publish(feed, topic, [OutgoingRecord(b"next", b"next")])
        assert [record.value for record in read(feed.reader(topic, from_end=False), 1)] == [b"next"]

    def test_a_record_of_almost_the_limit_is_taken(self, open_feed: OpenFeed, topic: str) -> None:
        feed = open_feed()
        big = OutgoingRecord(b"big", bytes(range(256)) * 3900)

        publish(feed, topic, [big])

        (found,) = read(feed.reader(topic, from_end=False), 1)
        assert found.value == big.value

    def test_close_settles_what_is_open_and_what_is_logged_stays(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        sent = [make_records(20) for _ in range(20)]
        tickets = [feed.publish(topic, records) for records in sent]

        feed.close()

        expected = []
        for records, ticket in zip(sent, tickets, strict=True):
            assert ticket.is_settled()
            for record, outcome in zip(records, ticket.outcomes(), strict=True):
                if isinstance(outcome, Logged):
                    expected.append((outcome.partition, outcome.offset, record.value))
        found = places(read(open_feed().reader(topic, from_end=False), len(expected)))
        assert set(expected) <= set(found)

    def test_a_closed_handle_takes_nothing_and_says_so(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(1))

        feed.close()
        feed.close()

        with pytest.raises(FeedUnavailable):
            feed.publish(topic, make_records(1))
