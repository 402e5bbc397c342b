"""The replayer: takes replays that wait, one at a time, and works on them until they are emitted.

A replay that it cannot work on for a reason that will not pass is marked failed, with the reason;
the error goes on to the supervisor, since it is a bug.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from django.db import InterfaceError, OperationalError, transaction

from feed.clock import Clock
from feed.crash_points import reach
from feed.errors import Backpressure
from feed.fences import Origin, fence
from feed.ports import Feed
from feed.topics import Topic
from replay import completion, leases
from replay.cancelling import emitted_of_left
from replay.domain import GENERATION_DIFFERS, WORKED_ON, State, Throttle
from replay.emission import Emission
from replay.errors import LeaseLost
from replay.estimating import EstimateStopped, Total, estimate_all
from replay.gate import Gate
from replay.journal import Actor, Via
from replay.leases import Lease
from replay.models import Replay
from replay.orders import estimate_columns
from replay.pacing import Pace
from replay.rows import rate_of, sources_of
from replay.tending import Held, Interrupted, Tending, Unattended
from replay.verifying import Findings, Verifying
from timeseries.lifecycle import mark_ready
from timeseries.ports import SeriesStore
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore

IDLE_S = 0.5
MAX_NAME_CHARS = 100
INTERNAL_ERROR = "internal_error"

logger = logging.getLogger(__name__)


class Replayer:
    """Used from one thread."""

    def __init__(
        self,
        feed: Feed,
        store: EventStore,
        series: SeriesStore,
        *,
        stop: threading.Event,
        note_progress: Callable[[], object] = lambda: None,
        clock: Clock | None = None,
        name: str | None = None,
    ) -> None:
        """`name`: whose leases are its own, also those of one that failed before it; by default one
        that nobody had before."""
        self._feed, self._store, self._series, self._stop = feed, store, series, stop
        self._note_progress, self._once = note_progress, False
        self._clock = clock or Clock()
        self._actor = Actor(name or new_name(), Via.REPLAYER)
        self._unattended: set[str] = set()
        self._paces: dict[str, Pace] = {}

    def run(self, *, once: bool = False) -> None:
        """Until `stop` is set; with `once`, until no replay waits for a replayer: then a projector
        or a sink that does not run is not waited for either.

        Raises Backpressure and Django's OperationalError while an engine or the database is away,
        and whatever a bug raises.
        """
        self._once = once
        while not self._stop.is_set():
            completion.settle(self._feed, self._actor, clock=self._clock)
            now_ms = self._clock.now_ms()
            row = leases.claim(self._actor.name, now_ms=now_ms, but=self._unattended)
            if row is not None:
                self._work(row)
            elif once:
                return
            else:
                self._stop.wait(IDLE_S)

    def _work(self, row: Replay) -> None:
        reach("replay.after_claim")
        lease = Lease(row.id, self._actor.name, row.epoch)
        try:
            self._work_in_state(row, lease)
        except LeaseLost as exc:
            logger.warning("%s", exc, extra={"action": "lease_lost", "replay": row.id})
        except Unattended as exc:
            leases.release(lease, now_ms=self._clock.now_ms(), throttled_by=exc.cause.value)
            self._unattended.add(row.id)
        except (Backpressure, OperationalError, InterfaceError):
            raise  # it passes: the lease ends by itself, or is taken up again by this process
        except Exception as exc:
            self._fail(lease, exc)
            raise
        else:
            self._note_progress()

    def _work_in_state(self, row: Replay, lease: Lease) -> None:
        match State(row.state):
            case State.CANCELLING:  # whoever worked on it did not come to say so
                self._let_go(row, lease)
            case State.ESTIMATING:
                self._count(row, lease)
            case State.VERIFYING:
                self._verify(row, lease)
            case _:
                self._emit(row, lease)

    def _emit(self, row: Replay, lease: Lease) -> None:
        if row.generation is not None:
            gate = Gate(
                *(lease, row.generation),
                feed=self._feed,
                stop=self._stop,
                clock=self._clock,
                waits_for_workers=not self._once,
                others=self._see_to_others,
            )
            try:
                gate.wait()
            except Interrupted:
                self._let_go(row, lease)
                return
            reach("replay.after_gate")
        ends = {part: bound.end for part, bound in self._feed.bounds(Topic.HISTORY).items()}
        fence(Origin(lease.replay, lease.epoch, row.generation), ends)
        reach("replay.after_fence")
        now_s = self._clock.monotonic_s()
        pace = self._paces.pop(row.id, None) or Pace(rate_of(row), now_s=now_s)
        pace.take_up(rate_of(row), now_s=now_s)
        emission = Emission(
            *(row, lease),
            feed=self._feed,
            store=self._store,
            stop=self._stop,
            clock=self._clock,
            waits_for_projector=not self._once,
            pace=pace,
            others=self._see_to_others,
        )
        if emission.run() is State.RUNNING:
            self._paces[row.id] = pace

    def _see_to_others(self) -> None:
        completion.note_projected(self._feed, self._actor, clock=self._clock)

    def _count(self, row: Replay, lease: Lease) -> None:
        held = Held(self._clock.monotonic_s)
        tending = Tending(
            *(lease, State.ESTIMATING),
            stop=self._stop,
            clock=self._clock,
            columns=lambda: {"throttled_by": held.tell()},
            others=self._see_to_others,
        )

        def go_on() -> bool:
            tending.tick()
            return True

        try:
            found = estimate_all(self._store, sources_of(row), go_on=go_on)
        except (Interrupted, EstimateStopped):
            self._let_go(row, lease)
        except StoreBackpressure as exc:
            held.note(Throttle.WAREHOUSE, exc.retry_after_s)
            self._wait_for_store(lease, tending, exc)
        else:
            self._counted(row, lease, found)

    def _counted(self, row: Replay, lease: Lease, found: Total) -> None:
        after = State.READY if row.started_at_ms is None else State.RUNNING
        changes: dict[str, object] = dict(estimate_columns(found))
        if not found.count and row.generation is None:
            after = State.COMPLETED
        now_ms = self._clock.now_ms()
        if not leases.move(lease, State.ESTIMATING, after, now_ms=now_ms, changes=changes):
            leases.release(lease, now_ms=now_ms)

    def _wait_for_store(self, lease: Lease, tending: Tending, reason: StoreBackpressure) -> None:
        """Keep the replay for as long as the warehouse asks; then it is counted from its start."""
        with suppress(Interrupted):
            tending.nap(reason.retry_after_s)
        now_ms = self._clock.now_ms()
        leases.release(lease, now_ms=now_ms, throttled_by=Throttle.WAREHOUSE.value)

    def _let_go(self, row: Replay, lease: Lease) -> None:
        """Of one that emits nothing now."""
        detail, columns = emitted_of_left(row)
        now_ms = self._clock.now_ms()
        if not leases.move(
            lease,
            State.CANCELLING,
            State.CANCELLED,
            now_ms=now_ms,
            detail=detail,
            changes=columns,
        ):
            leases.release(lease, now_ms=now_ms, throttled_by="")

    def _verify(self, row: Replay, lease: Lease) -> None:
        generation = row.generation or 0
        verifying = Verifying(
            *(lease, generation),
            feed=self._feed,
            store=self._store,
            series=self._series,
            stop=self._stop,
            clock=self._clock,
            waits_for_workers=not self._once,
            others=self._see_to_others,
        )
        try:
            found = verifying.run()
        except Interrupted:
            self._let_go(row, lease)
        else:
            reach("replay.before_verdict")
            self._judged(row, lease, found)

    def _judged(self, row: Replay, lease: Lease, found: Findings) -> None:
        after = State.COMPLETED_WITH_ERRORS if found.refused_count else State.COMPLETED
        detail = found.sentence()
        changes: dict[str, object] = {}
        if found.different:
            after = State.FAILED
            changes = {"error_code": GENERATION_DIFFERS, "error_detail": detail}
        now_ms = self._clock.now_ms()
        with transaction.atomic():
            if not leases.move(
                lease,
                State.VERIFYING,
                after,
                now_ms=now_ms,
                detail=detail,
                changes=changes,
            ):
                self._let_go(row, lease)
            elif after is not State.FAILED:
                mark_ready(row.generation or 0)

    def _fail(self, lease: Lease, error: Exception) -> None:
        """In whatever state it is; a lease that is lost is another's affair. What was cancelled
        stays so: its records count for nothing, so that no retry could bring them."""
        notes: list[str] = getattr(error, "__notes__", [])
        detail = "; ".join([f"{type(error).__name__}: {error}", *notes])
        now_ms = self._clock.now_ms()
        for before in WORKED_ON:
            after = State.CANCELLED if before is State.CANCELLING else State.FAILED
            leases.move(
                lease,
                before,
                after,
                now_ms=now_ms,
                detail=detail,
                changes={"error_code": INTERNAL_ERROR, "error_detail": detail},
            )


def new_name() -> str:
    """Of a replayer of this process, and of no other that ever was."""
    name = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"
    return name[:MAX_NAME_CHARS]
