"""One process at work on a feed, for tests that kill, stop and fork real ones.

`python -m tests.contract.feed_process ROLE URL DATA_DIR JOURNAL [CRASH_POINT]`; roles are the
functions below. A journal's line is written after what it says has happened.
"""

import json
import os
import resource
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from feed import crash_points
from feed.adapters import embedded, kafka
from feed.errors import FeedUnavailable, Fenced
from feed.ports import Feed, OutgoingRecord, TopicPartition
from feed.ticket import Logged, Ticket
from tests.contract.feed_driver import (
    PATIENCE_S,
    GroupMember,
    logged,
    make_records,
    positions_after,
    publish,
)

TOPIC = "events"
GROUP = "projector"
IN_FLIGHT = 20


def open_feed(url: str, data_dir: Path) -> Feed:
    """The feed of a whole URL, options included."""
    options = dict(parse_qsl(urlsplit(url).query))
    opener = kafka.open_feed if url.startswith("kafka:") else embedded.open_feed
    return opener(url, options, data_dir)


class Journal:
    """Lines of JSON, each in one write, so that a kill tears none of them apart from the last."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, *parts: object) -> None:
        os.write(self._handle, json.dumps(parts).encode() + b"\n")


def read_journal(path: Path) -> list[list[object]]:
    """The whole lines of a journal; [] while there is none."""
    text = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


def _batches() -> Iterator[Sequence[OutgoingRecord]]:
    for number in count():
        yield [
            OutgoingRecord(os.urandom(16), f"{os.getpid()}-{number}-{index}".encode())
            for index in range(10)
        ]


def produce(feed: Feed, journal: Journal) -> None:
    """Publish for ever; journal what is logged the moment that the tickets say so."""
    tickets: deque[Ticket] = deque()
    for records in _batches():
        ticket = feed.publish(TOPIC, records)
        ticket.add_done_callback(partial(_journal_logged, journal, records, ticket))
        tickets.append(ticket)
        if len(tickets) >= IN_FLIGHT:
            tickets.popleft().wait(timeout_s=PATIENCE_S)


def _journal_logged(journal: Journal, records: Sequence[OutgoingRecord], ticket: Ticket) -> None:
    journal.write(
        [
            (outcome.partition, outcome.offset, record.value.decode())
            for record, outcome in zip(records, logged(ticket), strict=True)
        ]
    )


def consume(feed: Feed, journal: Journal) -> None:
    """Read for ever; journal what came, then commit it."""
    member = GroupMember(feed, GROUP, TOPIC)
    while True:
        records = member.poll()
        member.records.clear()
        journal.write([(r.partition, r.offset, r.value.decode()) for r in records])
        try:
            member.consumer.commit(positions_after(records))
        except Fenced:
            journal.write("fenced")


def hold(feed: Feed, journal: Journal) -> None:
    """Read what is there, say so, and commit only when a line comes on standard input."""
    member = GroupMember(feed, GROUP, TOPIC)
    while len(member.consumer.assignment()) < 4 or not member.records:
        member.poll()
    journal.write("holding")
    sys.stdin.readline()
    try:
        member.consumer.commit(positions_after(member.records))
    except Fenced:
        journal.write("fenced")
    else:
        journal.write("committed")
    while not member.listener.told("lost"):
        member.poll()
    journal.write("lost", sorted(member.listener.told("lost")))


def fork(feed: Feed, journal: Journal) -> None:
    """Fork with a handle that has opened nothing yet, and use it on both sides."""
    child = os.fork()
    side = "parent" if child else "child"
    for number in range(200):
        (outcome,) = publish(feed, TOPIC, [OutgoingRecord(f"{side}-{number}".encode(), b"")])
        journal.write(side, outcome.partition, outcome.offset)
    feed.close()
    _end_fork(child, journal)


def fork_late(feed: Feed, journal: Journal) -> None:
    """Fork with a handle that has files open, and use it on both sides."""
    publish(feed, TOPIC, make_records(1))
    feed.bounds(TOPIC)
    child = os.fork()
    if child:
        publish(feed, TOPIC, make_records(1))
        journal.write("parent", "logged")
    else:
        ticket = feed.publish(TOPIC, make_records(1))
        ticket.wait(timeout_s=PATIENCE_S)
        journal.write("child", str(ticket.outcomes()[0]))
    feed.close()
    _end_fork(child, journal)


def _end_fork(child: int, journal: Journal) -> None:
    if not child:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    journal.write("status", status)


def full(feed: Feed, journal: Journal) -> None:
    """Publish into a disk that fills up, then into one that has room again."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, resource.RLIM_INFINITY))
    outcome: object = None
    sent = 0
    while not isinstance(outcome, FeedUnavailable):
        ticket = feed.publish(TOPIC, make_records(10, size=5000))
        ticket.wait(timeout_s=60.0)
        outcome = ticket.outcomes()[0]
        sent += isinstance(outcome, Logged)
    journal.write("refused", 10 * sent, str(outcome))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    publish(feed, TOPIC, make_records(10))
    journal.write("logged", sum(bounds.end for bounds in feed.bounds(TOPIC).values()))


def idle(feed: Feed, journal: Journal) -> None:
    """Wait for records for ever, as a member and as a reader of another topic."""
    member = GroupMember(feed, GROUP, TOPIC)
    while TopicPartition(TOPIC, 3) not in member.consumer.assignment():
        member.poll()
    journal.write("idle")
    while True:
        for record in member.consumer.poll(1000, timeout_s=5.0):
            journal.write(record.offset)


def main() -> None:
    """Run one of the above."""
    name, url, data_dir, path, *crash_point = sys.argv[1:]
    crash_points.arm("".join(crash_point))
    feed = open_feed(url, Path(data_dir))
    roles = {role.__name__: role for role in (produce, consume, hold, fork, fork_late, full, idle)}
    roles[name](feed, Journal(path))


if __name__ == "__main__":
    main()
