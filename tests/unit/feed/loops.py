"""What tests of the consume loop share: handlers that misbehave on command, and short ways to
publish, to turn and to look at what was committed. The feed is the real embedded one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from feed.adapters.embedded import EmbeddedFeed, open_feed
from feed.announcements import Announcement, ChangedRange, parse_announcement
from feed.clock import Clock
from feed.codec import encode
from feed.consumer import Lane, LaneConsumer, Turn
from feed.dead_letters import DeadLetter, from_record
from feed.deliveries import Delivery, Poison
from feed.errors import Backpressure
from feed.event import Event
from feed.ports import Headers, OutgoingRecord
from feed.topics import Group, Topic
from tests.builders import make_event

SETTLED_S = 20.0
TURNS = 400


def open_test_feed(folder: Path, **options: object) -> EmbeddedFeed:
    """A feed with its topics made; one partition unless told otherwise."""
    texts = {name: str(value) for name, value in ({"partitions": 1} | options).items()}
    feed = open_feed("embedded:", texts, folder)
    feed.ensure_topics()
    return feed


def publish_values(
    feed: EmbeddedFeed,
    values: Sequence[bytes],
    *,
    topic: Topic = Topic.EVENTS,
    headers: Headers = (),
) -> None:
    """Put these bytes into a topic and wait until they are there, in order in one partition."""
    records = [OutgoingRecord(b"key-%d" % n, value, headers) for n, value in enumerate(values)]
    assert feed.publish(topic, records).wait(timeout_s=SETTLED_S)


def publish_events(
    feed: EmbeddedFeed, count: int, *, topic: Topic = Topic.EVENTS, prefix: str = "e"
) -> list[Event]:
    """`count` events with ids prefix-0, prefix-1, … in `topic`."""
    events = [make_event(id=f"{prefix}-{n}") for n in range(count)]
    records = [OutgoingRecord(event.key, encode(event)) for event in events]
    assert feed.publish(topic, records).wait(timeout_s=SETTLED_S)
    return events


@dataclass
class Keeper:
    """A handler that keeps what it is given, as often as it is given, and whose troubles a test
    sets: `troubles` are raised one a call, `poisonous` ids are refused."""

    handled: list[str] = field(default_factory=list)
    batches: int = 0
    troubles: list[Exception] = field(default_factory=list)
    poisonous: frozenset[str] = frozenset()

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        self.batches += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.handled += [each.event.id for each in batch]
        return [
            Poison(each, "refused_by_test", f"{each.event.id} is refused")
            for each in batch
            if each.event.id in self.poisonous
        ]


@dataclass
class AnnouncingKeeper(Keeper):
    """A keeper that also tells what changed."""

    changes: list[ChangedRange] = field(default_factory=list)

    def take_changes(self) -> Sequence[ChangedRange]:
        taken, self.changes = self.changes, []
        return taken


def live(handler: Keeper, *, batch_records: int = 2000) -> Lane:
    """The sink's lane with a test's handler."""
    return Lane("live", Group.SINK, Topic.EVENTS, handler, batch_records)


def history(handler: Keeper, *, batch_records: int = 2000) -> Lane:
    """The projector's history lane with a test's handler."""
    return Lane("history", Group.PROJECTOR_HISTORY, Topic.HISTORY, handler, batch_records)


@contextmanager
def consuming(
    feed: EmbeddedFeed, lane: Lane, *, clock: Clock | None = None
) -> Iterator[LaneConsumer]:
    """One lane at work, without a loop: the test makes the turns."""
    consumer = LaneConsumer(feed, lane, clock=clock or Clock(), sleep=lambda _seconds: None)
    try:
        yield consumer
    finally:
        consumer.close()


def turn_until_committed(consumer: LaneConsumer) -> Turn:
    """Turns until one commits."""
    for _ in range(TURNS):
        turn = consumer.turn(timeout_s=0.05)
        if turn.committed:
            return turn
    raise AssertionError(f"nothing was committed in {TURNS} turns")


def turn_until_raised(consumer: LaneConsumer) -> None:
    """Turns until one raises."""
    for _ in range(TURNS):
        consumer.turn(timeout_s=0.05)


def position(feed: EmbeddedFeed, lane: Lane, *, partition: int = 0) -> int:
    """The lane's committed position, 0 if it has none."""
    held = feed.committed(lane.group, lane.topic).get(partition)
    return held.position if held else 0


def backpressure(*, retry_after_s: float = 0.0) -> Backpressure:
    """What a handler raises when its store is away."""
    return Backpressure("the test's store is away", retry_after_s=retry_after_s)


def read_topic(feed: EmbeddedFeed, topic: Topic) -> list[bytes]:
    """The values of every record in a topic, as of now."""
    reader = feed.reader(topic, from_end=False)
    try:
        values: list[bytes] = []
        while records := reader.poll(10_000, timeout_s=0.0):
            values += [record.value for record in records]
        return values
    finally:
        reader.close()


def dead_letters(feed: EmbeddedFeed) -> list[DeadLetter]:
    """Every dead letter there is."""
    return [from_record(value) for value in read_topic(feed, Topic.DEAD_LETTERS)]


def announcements(feed: EmbeddedFeed) -> list[Announcement]:
    """Every announcement there is."""
    assert feed.flush(timeout_s=SETTLED_S)
    return [parse_announcement(value) for value in read_topic(feed, Topic.CHANGES)]


@contextmanager
def topic_away(folder: Path, topic: Topic) -> Iterator[None]:
    """The topic's files are gone while inside: it can be neither read nor written anew."""
    files = list((folder / "feed").glob(f"{topic.value}.sqlite*"))
    assert files
    away = folder / f"away-{topic.value}"
    away.mkdir()
    for file in files:
        file.rename(away / file.name)
    try:
        yield
    finally:
        for file in away.iterdir():
            file.rename(folder / "feed" / file.name)
        away.rmdir()
