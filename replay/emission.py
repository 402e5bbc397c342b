"""One replay at work: the warehouse is scanned in order, its bytes are put into topic history, and
what the feed acknowledged is saved with the place that the scan has reached.

Memory is bounded: a page, and what is on its way to the feed.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db import DatabaseError, InterfaceError

from feed import metrics
from feed.clock import Clock
from feed.crash_points import reach
from feed.errors import Backpressure, FeedError
from feed.fences import Origin
from feed.ports import Feed, OutgoingRecord
from feed.ticket import Logged, Ticket
from feed.topics import Group, Topic
from replay import cancelling, leases, progress
from replay.domain import Source, State, Throttle
from replay.errors import LeaseLost
from replay.leases import Lease
from replay.models import Replay
from replay.pacing import MovingRate, Pace
from replay.rows import Cursor, cursor_as_json, cursor_of, rate_of, sources_of, windows
from replay.tending import NAP_S, Held, Interrupted, Tending, history_positions, live_lag_s
from warehouse.errors import StoreBackpressure
from warehouse.ports import Checkpoint, EventStore, Page, Row, ScanWindow

PAGE_ROWS = 2_000
MAX_SENT = 6
MAX_SENT_BYTES = 16 * 1024 * 1024
"""On its way to the feed at a time."""
LET_GO_S = 3.0
"""How long the end waits for what is on its way. What is not acknowledged by then is emitted again
by whoever goes on."""
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


class Emission:
    """Emits a claimed replay from its cursor on. Used from one thread, once."""

    def __init__(
        self,
        row: Replay,
        lease: Lease,
        *,
        feed: Feed,
        store: EventStore,
        stop: threading.Event,
        clock: Clock,
        waits_for_projector: bool = True,
    ) -> None:
        """`waits_for_projector`: also for one that does not run."""
        self._waits_for_projector = waits_for_projector
        self._lease, self._feed, self._store, self._clock = lease, feed, store, clock
        self._sources, self._cursor = sources_of(row), cursor_of(row)
        self._headers = Origin(lease.replay, lease.epoch, row.generation).headers()
        self._emitted, self._projected = row.emitted, row.projected
        self._read = row.emitted
        self._is_taken_over = bool(row.worker)  # what that one did last is not known
        self._marks = progress.from_json(row.marks)
        self._positions = dict(self._marks[-1].positions) if self._marks else {}
        self._sent: deque[_Sent] = deque()
        self._pace = Pace(rate_of(row), now_s=clock.monotonic_s())
        self._rate, self._held = MovingRate(), Held(clock.monotonic_s)
        self._tending = Tending(
            *(lease, State.RUNNING),
            stop=stop,
            clock=clock,
            columns=self._columns,
            heard=lambda saved: self._pace.change(rate_of(saved)),
            look=self._look,
            gives_way=True,
        )

    def run(self) -> State:
        """Emit until the end, or until told otherwise; the state in which the replay is left.

        Raises LeaseLost: nothing is saved, another replayer goes on.
        """
        try:
            self._look(0.0)
            self._emit()
            while self._sent:
                self._settle_oldest()
        except Interrupted:
            return self._let_go()
        except LeaseLost:
            raise
        except Exception as exc:
            self._save_at_failure(exc)
            raise
        reach("replay.before_drain")
        now_ms = self._clock.now_ms()
        columns = self._columns()
        if leases.move(self._lease, State.RUNNING, State.DRAINING, now_ms=now_ms, changes=columns):
            return State.DRAINING
        return self._let_go()

    # -- out of the warehouse --

    def _emit(self) -> None:
        """From the cursor on; a project that came behind it has all its events from live writes."""
        start = self._cursor
        for source in self._sources:
            if start is None or source.project > start.project:
                self._emit_source(source, None)
            elif source.project == start.project:
                self._emit_source(source, start)

    def _emit_source(self, source: Source, start: Cursor | None) -> None:
        first = start.span if start else 0
        after = start.checkpoint if start else None
        for span, window in enumerate(windows(source)[first:], first):
            self._tending.tick()  # thousands of spans may hold nothing
            for page in self._pages(window, after):
                self._emit_page(window.project, span, page)
            after = None

    def _pages(self, window: ScanWindow, after: Checkpoint | None) -> Iterator[Page]:
        """The pages of a window, also of a warehouse that goes away and comes back."""
        while True:
            try:
                for page in self._store.scan(window, after=after, page_rows=PAGE_ROWS):
                    self._read += len(page.rows)
                    yield page
                    after = page.checkpoint
            except StoreBackpressure as exc:
                self._wait(Throttle.WAREHOUSE, exc.retry_after_s)
            else:
                return

    def _emit_page(self, project: str, span: int, page: Page) -> None:
        start = 0
        while start < len(page.rows):
            end = start + self._permitted(len(page.rows) - start)
            last = page.rows[end - 1]
            checkpoint = Checkpoint(page.checkpoint.partition, last.key)
            self._send(page.rows[start:end], Cursor(project, span, checkpoint))
            start = end
        self._pass_over(Cursor(project, span, page.checkpoint))

    def _pass_over(self, cursor: Cursor) -> None:
        """Up to there nothing is left to send. The cursor gets there with what is on its way, never
        before it."""
        if self._sent:
            self._sent[-1] = replace(self._sent[-1], cursor=cursor)
        else:
            self._cursor = cursor
        self._collect()
        self._tending.tick()

    def _permitted(self, wanted: int) -> int:
        self._tending.tick()
        while not (count := self._pace.allowed(wanted, now_s=self._clock.monotonic_s())):
            self._wait(self._pace.throttle(), NAP_S)
        self._pace.took(count)
        return count

    def _wait(self, cause: Throttle, seconds: float) -> None:
        self._held.note(cause, seconds)
        self._tending.nap(seconds)

    # -- into the feed --

    def _send(self, rows: Sequence[Row], cursor: Cursor) -> None:
        records = [OutgoingRecord(row.key, row.record, self._headers) for row in rows]
        size_bytes = sum(len(row.record) for row in rows)
        self._sent.append(_Sent(self._publish(records), records, cursor, len(rows), size_bytes))
        reach("replay.after_publish")
        self._collect()
        while len(self._sent) >= MAX_SENT or self._sent_bytes() >= MAX_SENT_BYTES:
            self._settle_oldest()

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
            self._tending.tick()
        refused = self._note_logged(sent)
        if refused:
            self._wait(Throttle.FEED, RETRY_S)
            self._sent[0] = replace(sent, ticket=self._publish(refused), records=refused)
            return
        self._sent.popleft()
        reach("replay.after_ack")
        self._emitted += sent.count
        self._cursor = sent.cursor
        metrics.REPLAY_EMITTED.inc(sent.count)
        self._marks = progress.appended(
            self._marks, progress.Mark(self._emitted, dict(self._positions))
        )

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

    # -- in between --

    def _columns(self) -> dict[str, object]:
        """What is saved: all of it follows from what the feed acknowledged."""
        self._rate.note(self._emitted, now_s=self._clock.monotonic_s())
        return {
            "cursor": None if self._cursor is None else cursor_as_json(self._cursor),
            "read": self._read,
            "emitted": self._emitted,
            "projected": self._projected,
            "marks": progress.as_json(self._marks),
            "eps": round(self._rate.eps, 1),
            "throttled_by": self._held.tell(),
        }

    def _look(self, seconds: float) -> None:
        try:
            stands = progress.standing(
                self._marks, history_positions(self._feed), projected=self._projected
            )
            lag_s = live_lag_s(self._feed, now_ms=self._clock.now_ms())
            is_followed = self._waits_for_projector or self._feed.has_members(
                Group.PROJECTOR_HISTORY
            )
        except FeedError:
            return  # it is away: publishing waits for it
        self._projected, self._marks = stands.projected, stands.pending
        self._pace.note_live_lag(lag_s, seconds=seconds)
        if not is_followed:
            self._pace.note_unfollowed()
            return
        self._pace.note_projected(
            emitted=self._emitted, projected=self._projected, now_s=self._clock.monotonic_s()
        )

    def _let_go(self) -> State:
        """Count what is acknowledged in time, save, and leave the replay to whoever comes next."""
        self._settle_in_time()
        columns = self._columns() | {"throttled_by": "", "eps": 0.0}
        is_exact = not self._sent and not self._is_taken_over
        detail, last = cancelling.emitted(self._acknowledged(), is_exact=is_exact)
        now_ms = self._clock.now_ms()
        if leases.move(
            self._lease,
            State.CANCELLING,
            State.CANCELLED,
            now_ms=now_ms,
            detail=detail,
            changes=columns | last,
        ):
            return State.CANCELLED
        return State(leases.release(self._lease, now_ms=now_ms, **columns).state)

    def _save_at_failure(self, error: Exception) -> None:
        """What is acknowledged stays counted; the error itself is the caller's."""
        self._settle_in_time()
        if self._sent:
            error.add_note(f"at least {self._acknowledged()} events were emitted")
        with suppress(LeaseLost, DatabaseError, InterfaceError):  # the first error tells more
            leases.save(self._lease, now_ms=self._clock.now_ms(), **self._columns())

    def _settle_in_time(self) -> None:
        """Wait for what is on its way, so long; what stays in `_sent` is not acknowledged whole."""
        until_s = self._clock.monotonic_s() + LET_GO_S
        for sent in self._sent:
            sent.ticket.wait(timeout_s=max(0.0, until_s - self._clock.monotonic_s()))
        while self._sent and self._sent[0].logged_count() == self._sent[0].count:
            self._settle_oldest()

    def _acknowledged(self) -> int:
        """Also past the cursor: of what is not acknowledged whole, that which is."""
        return self._emitted + sum(sent.logged_count() for sent in self._sent)
