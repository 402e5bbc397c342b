"""Records refused for good, on their way to topic dead-letters: written with origin and reason,
acknowledged before anything is committed, and never so many that a topic drains into it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from feed import metrics
from feed.clock import Clock
from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, to_record
from feed.errors import FeedError, FeedUnavailable, TooManyDeadLetters
from feed.event import Event, key_text
from feed.ports import Feed, Record
from feed.ticket import Logged
from feed.topics import Group, Topic

MAX_A_MINUTE = 1_000
"""Dead letters of one group in 60 s: more is a fault of ours or of a producer, which someone must
see while the records still lie in their own topic."""
WINDOW_S = 60.0
MAX_SHARE = 0.5
"""Of the last MIN_RECORDS records or more. A topic that is half poison is not read on."""
MIN_RECORDS = 200
"""A share of fewer records says nothing: one bad record in an idle hour is 100%."""
ACKNOWLEDGED_WITHIN_S = 5.0
"""How long the loop waits for the letters to be in the log before it puts the batch back. Below
the time that a member may stay silent."""
_MAX_DETAIL_CHARS = 2_000
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record and why it can never be handled; `event` where it could be decoded."""

    record: Record
    event: Event | None
    code: str
    detail: str


class RefusalGuard:
    """Stops the line when too many records are refused: pure counting, batch by batch."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, int]] = deque()
        self._minute: deque[tuple[float, int]] = deque()

    def check(self, *, records: int, refused: int, now_s: float) -> None:
        """Raises TooManyDeadLetters if a batch's refusals, on top of those noted, are too many;
        call it for batches that have any.

        Changes nothing, so that a batch that comes again is not counted twice.
        """
        in_minute = refused + sum(count for at_s, count in self._minute if at_s > now_s - WINDOW_S)
        if in_minute > MAX_A_MINUTE:
            raise TooManyDeadLetters(
                f"{in_minute} records refused within a minute, more than {MAX_A_MINUTE}: "
                "the line stops here, nothing of this batch is committed"
            )
        seen = records + sum(count for count, _ in self._recent)
        dead = refused + sum(count for _, count in self._recent)
        if seen >= MIN_RECORDS and dead > MAX_SHARE * seen:
            raise TooManyDeadLetters(
                f"{dead} of the last {seen} records refused, more than {MAX_SHARE:.0%}: "
                "the line stops here, nothing of this batch is committed"
            )

    def note(self, *, records: int, refused: int, now_s: float) -> None:
        """This batch is done with: its refusals count from now on."""
        self._recent.append((records, refused))
        while sum(count for count, _ in self._recent) - self._recent[0][0] >= MIN_RECORDS:
            self._recent.popleft()
        if refused:
            self._minute.append((now_s, refused))
        while self._minute and self._minute[0][0] <= now_s - WINDOW_S:
            self._minute.popleft()


class RefusalWriter:
    """Writes the refusals of one group. Used from the loop's thread."""

    def __init__(self, feed: Feed, group: Group, clock: Clock) -> None:
        self._feed, self._group, self._clock = feed, group, clock
        self._guard = RefusalGuard()

    def write(self, refusals: Sequence[Refusal], *, records: int) -> None:
        """Put the refusals of a batch of `records` into topic dead-letters and wait until the log
        has them.

        Raises TooManyDeadLetters before writing any of them: stop.
        Raises FeedUnavailable when the topic can't be written: commit nothing, put the batch back.
        """
        if refusals:
            now_s = self._clock.monotonic_s()
            self._guard.check(records=records, refused=len(refusals), now_s=now_s)
            self._publish(refusals)

    def note_committed(self, *, records: int, refused: int) -> None:
        """The batch is committed: its refusals count from now on."""
        now_s = self._clock.monotonic_s()
        self._guard.note(records=records, refused=refused, now_s=now_s)

    def _publish(self, refusals: Sequence[Refusal]) -> None:
        at_ms = self._clock.now_ms()
        letters = [dead_letter(refusal, self._group, at_ms=at_ms) for refusal in refusals]
        ticket = self._feed.publish(Topic.DEAD_LETTERS, [to_record(each) for each in letters])
        ticket.wait(timeout_s=ACKNOWLEDGED_WITHIN_S)
        for outcome in ticket.outcomes():
            _require_logged(outcome)
        for letter in letters:
            metrics.DEAD_LETTERS.labels(self._group.value, letter.code).inc()


def _require_logged(outcome: Logged | FeedError | None) -> None:
    if not isinstance(outcome, Logged):
        raise FeedUnavailable("topic dead-letters does not take dead letters") from outcome


def dead_letter(refusal: Refusal, group: Group, *, at_ms: int) -> DeadLetter:
    """The letter of one refusal. Its id follows from where the record lies and who refused it:
    a redelivery writes the same letter again, which its keeper keeps once."""
    record, event = refusal.record, refusal.event
    origin = f"{record.topic}\0{record.partition}\0{record.offset}\0{group.value}"
    return DeadLetter(
        id=blake2b(origin.encode(), digest_size=_ID_BYTES).hexdigest(),
        stage=group.value,
        code=refusal.code,
        detail=refusal.detail[:_MAX_DETAIL_CHARS],
        at_ms=at_ms,
        payload=record.value[:MAX_PAYLOAD_BYTES],
        payload_bytes=len(record.value),
        project=event.project if event else None,
        event_key=key_text(event.key) if event else None,
        event_id=event.id if event else None,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        headers={name: value.decode(errors="backslashreplace") for name, value in record.headers},
    )
