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
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction

from feed.clock import Clock
from feed.crash_points import reach
from feed.errors import Backpressure
from feed.fences import Origin, fence
from feed.ports import Feed
from feed.topics import Topic
from replay import completion, journal, leases
from replay.domain import GENERATION_DIFFERS, WORKED_ON, State
from replay.emission import Emission
from replay.errors import LeaseLost
from replay.estimating import EstimateStopped, Total, estimate_all
from replay.gate import Gate
from replay.journal import Actor, Via
from replay.leases import Lease
from replay.models import Replay
from replay.orders import estimate_columns
from replay.rows import sources_of
from replay.tending import Interrupted, Tending, Unattended
from replay.verifying import Findings, Verifying
from timeseries.lifecycle import mark_ready
from timeseries.ports import SeriesStore
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore

IDLE_S = 0.5
MAX_NAME_CHARS = 100
INTERNAL_ERROR = "internal_error"

logger = logging.getLogger(__name__)


class _Left(NamedTuple):
    """How a replay was left, and what is to be said of it."""

    state: State
    detail: str = ""


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
    ) -> None:
        self._feed, self._store, self._series, self._stop = feed, store, series, stop
        self._note_progress, self._once = note_progress, False
        self._clock = clock or Clock()
        self._actor = Actor(_name(), Via.REPLAYER)
        self._unattended: set[str] = set()

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
        before = State(row.state)
        try:
            left = self._work_in_state(row, lease)
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
            self._note(row.id, before, left)

    def _work_in_state(self, row: Replay, lease: Lease) -> _Left:
        match State(row.state):
            case State.CANCELLING:  # whoever worked on it died before it could say so
                now_ms = self._clock.now_ms()
                leases.move(lease, State.CANCELLING, State.CANCELLED, finished_at_ms=now_ms)
                return _Left(State.CANCELLED)
            case State.ESTIMATING:
                return _Left(self._count(row, lease))
            case State.VERIFYING:
                return self._verify(row, lease)
            case _:
                return _Left(self._emit(row, lease))

    def _emit(self, row: Replay, lease: Lease) -> State:
        if row.generation is not None:
            gate = Gate(
                *(lease, row.generation),
                feed=self._feed,
                stop=self._stop,
                clock=self._clock,
                waits_for_workers=not self._once,
            )
            try:
                gate.wait()
            except Interrupted:
                return self._let_go(lease)
            reach("replay.after_gate")
        ends = {part: bound.end for part, bound in self._feed.bounds(Topic.HISTORY).items()}
        fence(Origin(lease.replay, lease.epoch, row.generation), ends)
        reach("replay.after_fence")
        emission = Emission(
            *(row, lease),
            feed=self._feed,
            store=self._store,
            stop=self._stop,
            clock=self._clock,
            waits_for_projector=not self._once,
        )
        return emission.run()

    def _count(self, row: Replay, lease: Lease) -> State:
        tending = Tending(lease, State.ESTIMATING, stop=self._stop, clock=self._clock)

        def go_on() -> bool:
            tending.tick()
            return True

        try:
            found = estimate_all(self._store, sources_of(row), go_on=go_on)
        except (Interrupted, EstimateStopped):
            return self._let_go(lease)
        except StoreBackpressure as exc:
            return self._wait_for_store(lease, tending, exc)
        return self._counted(row, lease, found)

    def _counted(self, row: Replay, lease: Lease, found: Total) -> State:
        after = State.READY if row.started_at_ms is None else State.RUNNING
        changes: dict[str, object] = dict(estimate_columns(found))
        if not found.count and row.generation is None:
            after = State.COMPLETED
            changes["finished_at_ms"] = self._clock.now_ms()
        if leases.move(lease, State.ESTIMATING, after, **changes):
            return after
        return State(leases.release(lease, now_ms=self._clock.now_ms()).state)

    def _wait_for_store(self, lease: Lease, tending: Tending, reason: StoreBackpressure) -> State:
        """Keep the replay for as long as the warehouse asks; then it is counted from its start."""
        with suppress(Interrupted):
            tending.nap(reason.retry_after_s)
        return State(leases.release(lease, now_ms=self._clock.now_ms()).state)

    def _let_go(self, lease: Lease) -> State:
        now_ms = self._clock.now_ms()
        if leases.move(lease, State.CANCELLING, State.CANCELLED, finished_at_ms=now_ms):
            return State.CANCELLED
        return State(leases.release(lease, now_ms=now_ms, throttled_by="").state)

    def _verify(self, row: Replay, lease: Lease) -> _Left:
        generation = row.generation or 0
        verifying = Verifying(
            *(lease, generation),
            feed=self._feed,
            store=self._store,
            series=self._series,
            stop=self._stop,
            clock=self._clock,
            waits_for_workers=not self._once,
        )
        try:
            found = verifying.run()
        except Interrupted:
            return _Left(self._let_go(lease))
        reach("replay.before_verdict")
        return self._judged(row, lease, found)

    def _judged(self, row: Replay, lease: Lease, found: Findings) -> _Left:
        after = State.COMPLETED_WITH_ERRORS if found.refused_count else State.COMPLETED
        detail = found.sentence()
        changes: dict[str, object] = {"finished_at_ms": self._clock.now_ms()}
        if found.different:
            after = State.FAILED
            changes |= {"error_code": GENERATION_DIFFERS, "error_detail": detail}
        with transaction.atomic():
            if not leases.move(lease, State.VERIFYING, after, **changes):
                return _Left(self._let_go(lease))
            if after is not State.FAILED:
                mark_ready(row.generation or 0)
        return _Left(after, detail)

    def _fail(self, lease: Lease, error: Exception) -> None:
        """In whatever state it is; a lease that is lost is another's affair."""
        detail = f"{type(error).__name__}: {error}"
        changes = {"error_code": INTERNAL_ERROR, "error_detail": detail}
        finished_at_ms = self._clock.now_ms()
        for before in WORKED_ON:
            if leases.move(lease, before, State.FAILED, finished_at_ms=finished_at_ms, **changes):
                self._note(lease.replay, before, _Left(State.FAILED, detail))

    def _note(self, replay: str, before: State, left: _Left) -> None:
        """What the replayer itself changed; what people changed they have noted."""
        after, detail = left
        by_itself = {State.READY, State.RUNNING, State.DRAINING, State.CANCELLED, State.FAILED}
        by_itself |= {State.COMPLETED, State.COMPLETED_WITH_ERRORS}
        if before is after or after not in by_itself:
            return
        at_ms = self._clock.now_ms()
        journal.note(
            *(replay, self._actor, "work"), at_ms=at_ms, before=before, after=after, detail=detail
        )


def _name() -> str:
    """Of this process, and of no other that ever was."""
    name = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"
    return name[:MAX_NAME_CHARS]
