"""What a replay has on its way to topic history, and what of it the feed acknowledged: from that
alone follows what is saved."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from feed import metrics
from feed.clock import Clock
from feed.crash_points import reach
from feed.errors import Backpressure, FeedError
from feed.fences import Origin
from feed.ports import Feed, OutgoingRecord
from feed.ticket import Logged, Ticket
from feed.topics import Topic
from replay import progress
from replay.domain import Throttle
from replay.models import Replay
from replay.rows import Cursor, cursor_of
from replay.tending import NAP_S
from warehouse.ports import Row

MAX_SENT = 6
MAX_SENT_BYTES = 16 * 1024 * 1024
"""On its way to the feed at a time."""
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """Records on their way; `cursor` stands past all of them, `count` is theirs from the start."""

    ticket: Ticket
    records: Sequence[OutgoingRecord]
    cursor: Cursor
    count: int
    size_bytes: int

    def logged_count(self) -> int:
        """How many are acknowledged by now: `records` are those that were not at the last try."""
        now = sum(isinstance(outcome, Logged) for outcome in self.ticket.outcomes())
        return self.count - len(self.records) + now


class Sending:
    """From a replay's saved place on, in order. Used from one thread.

    `emitted`, `cursor` and `marks` say what the feed has acknowledged, whole batches alone.
    """

    def __init__(
        self,
        row: Replay,
        origin: Origin,
        feed: Feed,
        *,
        wait: Callable[[Throttle, float], object],
        tick: Callable[[], object],
        clock: Clock,
    ) -> None:
        """`wait` is called with a cause and seconds where the feed takes nothing, `tick` while it
        is waited for; what they raise passes through."""
        self.emitted, self.cursor = row.emitted, cursor_of(row)
        self.marks = progress.from_json(row.marks)
        self._positions = dict(self.marks[-1].positions) if self.marks else {}
        self._headers, self._feed = origin.headers(), feed
        self._wait, self._tick, self._clock = wait, tick, clock
        self._sent: deque[_Sent] = deque()

    @property
    def has_open(self) -> bool:
        """Whether something is not acknowledged whole."""
        return bool(self._sent)

    def send(self, rows: Sequence[Row], cursor: Cursor) -> None:
        """`cursor` stands past the rows. Waits while much is on its way."""
        records = [OutgoingRecord(row.key, row.record, self._headers) for row in rows]
        size_bytes = sum(len(row.record) for row in rows)
        self._sent.append(_Sent(self._publish(records), records, cursor, len(rows), size_bytes))
        reach("replay.after_publish")
        self._collect()
        while len(self._sent) >= MAX_SENT or self._sent_bytes() >= MAX_SENT_BYTES:
            self._settle_oldest()

    def pass_over(self, cursor: Cursor) -> None:
        """Up to there nothing is left to send. The cursor gets there with what is on its way, never
        before it."""
        if self._sent:
            self._sent[-1] = replace(self._sent[-1], cursor=cursor)
        else:
            self.cursor = cursor
        self._collect()

    def settle(self) -> None:
        """Wait until all is acknowledged. Raises FeedError for what the feed never takes."""
        while self._sent:
            self._settle_oldest()

    def settle_within(self, limit_s: float) -> None:
        """Wait so long for what is on its way; what is acknowledged in part stays open."""
        until_s = self._clock.monotonic_s() + limit_s
        for sent in self._sent:
            sent.ticket.wait(timeout_s=max(0.0, until_s - self._clock.monotonic_s()))
        while self._sent and self._sent[0].logged_count() == self._sent[0].count:
            self._settle_oldest()

    def acknowledged(self) -> int:
        """Also past the cursor: of what is not acknowledged whole, that which is."""
        return self.emitted + sum(sent.logged_count() for sent in self._sent)

    def _publish(self, records: Sequence[OutgoingRecord]) -> Ticket:
        while True:
            try:
                return self._feed.publish(Topic.HISTORY, records)
            except Backpressure as exc:
                self._wait(Throttle.FEED, exc.retry_after_s)

    def _sent_bytes(self) -> int:
        return sum(sent.size_bytes for sent in self._sent)

    def _collect(self) -> None:
        """Note what is acknowledged already."""
        while self._sent and self._sent[0].ticket.is_settled():
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        sent = self._sent[0]
        while not sent.ticket.wait(timeout_s=NAP_S):
            self._tick()
        refused = self._note_logged(sent)
        if refused:
            self._wait(Throttle.FEED, RETRY_S)
            self._sent[0] = replace(sent, ticket=self._publish(refused), records=refused)
            return
        self._sent.popleft()
        reach("replay.after_ack")
        self.emitted += sent.count
        self.cursor = sent.cursor
        metrics.REPLAY_EMITTED.inc(sent.count)
        mark = progress.Mark(self.emitted, dict(self._positions))
        self.marks = progress.appended(self.marks, mark)

    def _note_logged(self, sent: _Sent) -> list[OutgoingRecord]:
        """The records that the feed did not take and may take later. Raises FeedError for what it
        never takes."""
        refused = []
        for record, outcome in zip(sent.records, sent.ticket.outcomes(), strict=True):
            if isinstance(outcome, Logged):
                if outcome.offset >= self._positions.get(outcome.partition, 0):
                    self._positions[outcome.partition] = outcome.offset + 1
            elif isinstance(outcome, Backpressure):
                refused.append(record)
            else:
                raise outcome or FeedError("a settled record has no outcome")
        return refused
