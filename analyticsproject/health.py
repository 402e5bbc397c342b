"""Health doors: `/healthz` says that the process lives and touches no engine; `/readyz` asks the
engines; `/metrics` is what Prometheus reads, with scope operate.

A ping that does not come back in time is left behind in a thread of its own, and the next probe
waits for it instead of starting another: a hanging engine costs one thread, however often it is
asked, and never keeps the process from ending.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection
from django.urls import URLPattern, path
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from access.authentication import get_authenticator
from access.claims import Scope
from access.http import Request, json_reply, serve
from access.problems import Reply
from feed.backends import get_feed
from feed.lag_metrics import LagCollector
from operations.samples import READERS
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store

PROBE_LIMIT_S = 1.0
PING_LIMIT_S = 0.8
"""Less than the probe has, so that an engine that gives up at its limit can say itself why."""
CACHED_S = (
    1.0  # probes of several kinds and a page may ask at once: engines are asked once a second
)

NEEDED_BY: Mapping[str, str] = {
    "feed": "ingest",
    "timeseries": "query",
    "database": "admin",
}
"""Which part of WEIR_SERVE cannot work without the engine; the warehouse stops none of them."""


def _ping_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


PINGS: Mapping[str, Callable[[], None]] = {
    "feed": lambda: get_feed().ping(timeout_s=PING_LIMIT_S),
    "warehouse": lambda: get_event_store().ping(timeout_s=PING_LIMIT_S),
    "timeseries": lambda: get_series_store().ping(timeout_s=PING_LIMIT_S),
    "database": _ping_database,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one engine said: nothing (well), or the reason in a sentence; and how long it took."""

    failure: str | None
    took_ms: int


@dataclass
class Prober:
    """Asks the engines, each in a thread of its own, with a limit."""

    pings: Mapping[str, Callable[[], None]] = field(default_factory=lambda: PINGS)
    limit_s: float = PROBE_LIMIT_S
    _running: dict[str, "Future[Finding]"] = field(default_factory=dict, init=False)
    _found: tuple[float, dict[str, Finding]] | None = field(default=None, init=False)

    async def probe(self) -> dict[str, Finding]:
        """A finding an engine, at most CACHED_S old, within about `limit_s`."""
        if self._found is not None and time.monotonic() - self._found[0] < CACHED_S:
            return self._found[1]
        found = await asyncio.gather(*(self._ask(name) for name in self.pings))
        findings = dict(zip(self.pings, found, strict=True))
        self._found = (time.monotonic(), findings)
        return findings

    async def _ask(self, name: str) -> Finding:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = _start(name, self.pings[name])
        try:
            waiting = asyncio.shield(asyncio.wrap_future(running))
            return await asyncio.wait_for(waiting, self.limit_s)
        except TimeoutError:
            return Finding(f"no answer within {self.limit_s:g} s", round(self.limit_s * 1000))


def _start(name: str, ping: Callable[[], None]) -> "Future[Finding]":
    found: Future[Finding] = Future()
    thread = threading.Thread(
        target=lambda: found.set_result(_measure(ping)), name=f"probe-{name}", daemon=True
    )
    thread.start()
    return found


def _measure(ping: Callable[[], None]) -> Finding:
    started = time.monotonic()
    failure: str | None = None
    try:
        ping()
    except Exception as exc:
        # Whatever an engine or its driver raises, the answer is the same: it is not well.
        failure = " ".join(str(exc).split()) or type(exc).__name__
    return Finding(failure, round((time.monotonic() - started) * 1000))


def readiness(findings: Mapping[str, Finding], served: Sequence[str]) -> tuple[int, str]:
    """HTTP status and word: 503 `unavailable` when an engine fails that `served` needs, else 200
    `ready` or `degraded`."""
    failed = [name for name, finding in findings.items() if finding.failure is not None]
    if any(NEEDED_BY.get(name) in served for name in failed):
        return 503, "unavailable"
    return 200, "degraded" if failed else "ready"


async def healthz(request: Request) -> Reply:
    """The process lives."""
    return json_reply({"status": "ok"})


async def readyz(request: Request) -> Reply:
    """Each engine's state and time; the status is for load balancers."""
    served: Sequence[str] = settings.SERVE
    findings = await _prober.probe()
    status, word = readiness(findings, served)
    engines = {name: _engine(name, finding, served) for name, finding in findings.items()}
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = "2"
    body = {"status": word, "serve": list(served), "engines": engines}
    return json_reply(body, status=status, headers=headers)


def _engine(name: str, finding: Finding, served: Sequence[str]) -> dict[str, str | int | bool]:
    needed = NEEDED_BY.get(name) in served
    said: dict[str, str | int | bool] = {
        "status": "ok",
        "needed": needed,
        "took_ms": finding.took_ms,
    }
    if finding.failure is not None:
        said |= {"status": "unavailable" if needed else "degraded", "detail": finding.failure}
    return said


async def metrics(request: Request) -> Reply:
    """This process's metrics, in Prometheus' text format."""
    get_authenticator().authenticate(request, scope=Scope.OPERATE)
    body = await asyncio.to_thread(_read_metrics)
    return Reply(200, body, CONTENT_TYPE_LATEST)


def _read_metrics() -> bytes:
    """This process's own, and where it serves the admin the lag of every group: once a site."""
    if "admin" not in settings.SERVE:
        return generate_latest()
    lag = LagCollector()
    lag.watch(get_feed(), READERS)
    registry = CollectorRegistry()
    registry.register(lag)
    return generate_latest() + generate_latest(registry)


_prober = Prober()


def http_routes() -> list[URLPattern]:
    """The doors of this module."""
    doors = {"healthz": healthz, "readyz": readyz, "metrics": metrics}
    return [
        # Any: django-stubs know no ASGI applications as views.
        path(name, serve(door, methods=("GET", "HEAD")))  # type: ignore[arg-type]
        for name, door in doors.items()
    ]
