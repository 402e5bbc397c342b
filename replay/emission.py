"""One replay at work: the warehouse is scanned in order, its bytes are put into topic history, and
what the feed acknowledged is saved with the place that the scan has reached.

Memory is bounded: a page, and what is on its way to the feed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from django.db import DatabaseError, InterfaceError

from feed.clock import Clock
from feed.crash_points import reach
from feed.errors import FeedError
from feed.fences import Origin
from feed.ports import Feed
from feed.topics import Group
from replay import cancelling, leases, progress
from replay.domain import Source, State, Throttle
from replay.errors import LeaseLost
from replay.leases import Lease
from replay.models import Replay
from replay.pacing import MovingRate, Pace
from replay.rows import Cursor, cursor_as_json, rate_of, sources_of, windows
from replay.sending import Sending
from replay.tending import NAP_S, Held, Interrupted, Tending, history_positions, live_lag_s
from warehouse.errors import StoreBackpressure
from warehouse.ports import Checkpoint, EventStore, Page, ScanWindow

PAGE_ROWS = 2_000
LET_GO_S = 3.0
"""How long the end waits for what is on its way. What is not acknowledged by then is emitted again
by whoever goes on."""


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
        pace: Pace | None = None,
        others: Callable[[], object] = lambda: None,
    ) -> None:
        """`waits_for_projector`: also for one that does not run. `pace`: how fast it went when it
        was last let go. `others`: see Tending."""
        self._waits_for_projector, self._has_projector = waits_for_projector, True
        self._lease, self._feed, self._store, self._clock = lease, feed, store, clock
        self._sources = sources_of(row)
        self._read, self._projected = row.emitted, row.projected
        self._is_taken_over = bool(row.worker)  # what that one did last is not known
        self._pace = pace or Pace(rate_of(row), now_s=clock.monotonic_s())
        self._rate, self._held = MovingRate(), Held(clock.monotonic_s)
        self._tending = Tending(
            *(lease, State.RUNNING),
            stop=stop,
            clock=clock,
            columns=self._columns,
            heard=lambda saved: self._pace.change(rate_of(saved)),
            look=self._look,
            others=others,
            gives_way=True,
        )
        origin = Origin(lease.replay, lease.epoch, row.generation)
        self._sending = Sending(
            *(row, origin, feed), wait=self._wait, tick=self._tending.tick, clock=clock
        )

    def run(self) -> State:
        """Emit until the end, or until told otherwise; the state in which the replay is left.

        Raises LeaseLost: nothing is saved, another replayer goes on.
        """
        try:
            self._look(0.0)
            self._emit()
            self._sending.settle()
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
        start = self._sending.cursor
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
            self._sending.send(page.rows[start:end], Cursor(project, span, checkpoint))
            start = end
        self._sending.pass_over(Cursor(project, span, page.checkpoint))
        self._tending.tick()

    def _permitted(self, wanted: int) -> int:
        self._tending.tick()
        while not (count := self._pace.allowed(wanted, now_s=self._clock.monotonic_s())):
            self._wait(self._throttle(), NAP_S)
        self._pace.took(count)
        return count

    def _throttle(self) -> Throttle:
        cause = self._pace.throttle()
        is_alone = cause is Throttle.PROJECTION and not self._has_projector
        return Throttle.PROJECTOR if is_alone else cause

    def _wait(self, cause: Throttle, seconds: float) -> None:
        self._held.note(cause, seconds)
        self._tending.nap(seconds)

    # -- in between --

    def _columns(self) -> dict[str, object]:
        """What is saved: all of it follows from what the feed acknowledged."""
        sending = self._sending
        self._rate.note(sending.emitted, now_s=self._clock.monotonic_s())
        return {
            "cursor": None if sending.cursor is None else cursor_as_json(sending.cursor),
            "read": self._read,
            "emitted": sending.emitted,
            "projected": self._projected,
            "marks": progress.as_json(sending.marks),
            "eps": round(self._rate.eps, 1),
            "throttled_by": self._held.tell(),
        }

    def _look(self, seconds: float) -> None:
        try:
            stands = progress.standing(
                self._sending.marks, history_positions(self._feed), projected=self._projected
            )
            lag_s = live_lag_s(self._feed, now_ms=self._clock.now_ms())
            self._has_projector = self._feed.has_members(Group.PROJECTOR_HISTORY)
        except FeedError:
            return  # it is away: publishing waits for it
        self._projected, self._sending.marks = stands.projected, stands.marks
        self._pace.note_live_lag(lag_s, seconds=seconds)
        if not (self._has_projector or self._waits_for_projector):
            self._pace.note_unfollowed()
            return
        self._pace.note_projected(
            emitted=self._sending.emitted,
            projected=self._projected,
            now_s=self._clock.monotonic_s(),
        )

    def _let_go(self) -> State:
        """Count what is acknowledged in time, save, and leave the replay to whoever comes next."""
        self._sending.settle_within(LET_GO_S)
        columns = self._columns() | {"throttled_by": "", "eps": 0.0}
        is_exact = not self._sending.has_open and not self._is_taken_over
        detail, last = cancelling.emitted(self._sending.acknowledged(), is_exact=is_exact)
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
        self._sending.settle_within(LET_GO_S)
        if self._sending.has_open:
            error.add_note(f"at least {self._sending.acknowledged()} events were emitted")
        with suppress(LeaseLost, DatabaseError, InterfaceError):  # the first error tells more
            leases.save(self._lease, now_ms=self._clock.now_ms(), **self._columns())
