"""One connection of one process to Cassandra: made at first use, after a fork, and made anew when
it has been useless for long. Turns the driver's errors into the port's."""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import tuple_factory

from warehouse.adapters.cassandra.faults import FAULTS, is_missing_table, place_of, translated
from warehouse.adapters.cassandra.options import StoreOptions
from warehouse.adapters.cassandra.statements import Statements, prepare_all
from warehouse.errors import StoreUnavailable

PROTOCOL_VERSION = 4
"""Pinned: nothing that 5 adds is used here, and its checksums cost the client time."""
OLDEST = (4, 1)
CONNECT_LIMIT_S = 5.0
MIN_CONNECT_S = 0.5
LATE_FACTOR = 3
"""Reads and changes of the schema may take this many times the limit of a write."""
QUIET_S = 1.0
"""After a failed attempt to connect others fail at once for so long, instead of queueing up."""
USELESS_S = 30.0
"""A session that met nothing but failures for so long is thrown away: its nodes may have new
addresses."""
MAX_RECONNECT_S = 5.0
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Connected:
    """The driver's cluster and session, and the statements once the tables are there."""

    cluster: Any  # Any: the driver has no types
    session: Any


class PromptRetries(RetryPolicy):  # type: ignore[misc]  # Any: the driver has no types
    """The driver's own policy (another node at once), and a write or read that timed out on the
    server is sent again, which is harmless for all of ours. The request's limit ends it; everything
    beyond is for the consume loop."""

    def on_write_timeout(self, *_: Any, **__: Any) -> tuple[int, None]:
        """Again, whatever kind of write it was."""
        return self.RETRY, None

    def on_read_timeout(self, *_: Any, **__: Any) -> tuple[int, None]:
        """Again."""
        return self.RETRY, None


class CassandraSession:
    """Thread-safe; connects to nothing until it is used, and again after `close`."""

    def __init__(
        self, options: StoreOptions, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.options = options
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._connected: Connected | None = None
        self._statements: Statements | None = None
        self._failure: tuple[float, str] | None = None
        self._good_at_s = 0.0

    @contextmanager
    def used(self) -> Iterator[tuple[Any, Statements]]:
        """The driver's session and the statements. Raises StoreUnavailable, StoreBackpressure, for
        what the driver raises inside too."""
        with self.translating():
            connected = self.connected()
            yield connected.session, self._prepared(connected)
        self._good_at_s = self._monotonic_s()

    @contextmanager
    def translating(self) -> Iterator[None]:
        """The driver's errors as the port's. Forgets the statements when tables are missing, so
        that the next use finds those that were made meanwhile."""
        try:
            yield
        except FAULTS as exc:
            if is_missing_table(exc):
                self._statements = None
            self._give_up_when_useless()
            raise translated(exc, self.options) from exc

    def connected(self, *, limit_s: float = CONNECT_LIMIT_S) -> Connected:
        """Connected within the limit, to a Cassandra that is new enough; keyspace and tables may
        be missing. Raises StoreUnavailable, and the driver's errors."""
        connected = self._connected
        if connected is not None:
            return connected
        if not self._lock.acquire(timeout=limit_s):
            raise StoreUnavailable(f"{self._where()} was not connected to within {limit_s:g} s")
        try:
            if self._connected is None:
                self._refuse_haste()
                self._connected = self._connect(limit_s)
            return self._connected
        finally:
            self._lock.release()

    def ping(self, *, timeout_s: float) -> None:
        """One read at the URL's consistency. Raises StoreUnavailable when it takes longer."""
        with self.translating():
            connected = self.connected(limit_s=timeout_s)
            select = self._prepared(connected).select_months
            connected.session.execute(select, ("ping", 0, 0), timeout=timeout_s)
        self._good_at_s = self._monotonic_s()

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            connected, self._connected, self._statements = self._connected, None, None
        if connected is not None:
            connected.cluster.shutdown()

    def late_s(self) -> float:
        """The limit of one read, or of one change of the schema."""
        return float(self.options.timeout_s * LATE_FACTOR)

    def _prepared(self, connected: Connected) -> Statements:
        statements = self._statements
        if statements is None:
            # Twice, when two threads come at once, is harmless.
            connected.cluster.refresh_keyspace_metadata(self.options.keyspace)
            statements = prepare_all(connected.session, self.options.keyspace)
            self._statements = statements
        return statements

    def _refuse_haste(self) -> None:
        if self._failure is not None and self._monotonic_s() < self._failure[0] + QUIET_S:
            raise StoreUnavailable(self._failure[1])

    def _connect(self, limit_s: float) -> Connected:
        cluster = _cluster(self.options, limit_s)
        try:
            session = cluster.connect()
            session.use_client_timestamp = False  # events carry their own, the rest the server's
            session.default_fetch_size = 1000
            self._check_version(session)
        except BaseException as exc:
            cluster.shutdown()
            if isinstance(exc, FAULTS):
                failure = translated(exc, self.options)
                self._failure = self._monotonic_s(), str(failure)
                raise failure from exc
            raise
        self._failure, self._good_at_s = None, self._monotonic_s()
        return Connected(cluster, session)

    def _check_version(self, session: Any) -> None:
        version: str = session.execute("SELECT release_version FROM system.local").one()[0]
        found = _VERSION.match(version)
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            raise StoreUnavailable(
                f"{self._where()} is version {version} and Weir needs 4.1 or newer: upgrade it"
            )

    def _give_up_when_useless(self) -> None:
        if self._connected is not None and self._monotonic_s() - self._good_at_s > USELESS_S:
            self.close()

    def _where(self) -> str:
        return f"Cassandra at {place_of(self.options)}"


def _cluster(options: StoreOptions, limit_s: float) -> Any:
    """The driver's cluster, not connected yet. The whole schema is never loaded, nor followed:
    only our keyspace's, on purpose, which token awareness needs."""
    _quieten_driver()
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(
            DCAwareRoundRobinPolicy(local_dc=options.datacenter or "")
        ),
        retry_policy=PromptRetries(),
        consistency_level=ConsistencyLevel.name_to_value[options.consistency],
        request_timeout=options.timeout_s,
        row_factory=tuple_factory,
    )
    each_s = max(MIN_CONNECT_S, limit_s / len(options.hosts))  # they are tried one after the other
    auth = PlainTextAuthProvider(options.user, options.password) if options.user else None
    return Cluster(
        contact_points=list(options.hosts),
        protocol_version=PROTOCOL_VERSION,
        auth_provider=auth,
        ssl_context=_tls(options) if options.uses_tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ExponentialReconnectionPolicy(0.5, MAX_RECONNECT_S, max_attempts=None),
        connect_timeout=each_s,
        control_connection_timeout=each_s,
        schema_metadata_enabled=False,
        schema_event_refresh_window=-1,
        compression=False,
        monitor_reporting_enabled=False,
        application_name="weir",
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )


def _tls(options: StoreOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except ssl.SSLError as exc:
        raise StoreUnavailable(
            f"WEIR_WAREHOUSE_URL has ca={str(options.ca)!r}, which holds no certificate in PEM"
        ) from exc
    context.check_hostname = options.verifies_hostname
    return context


def _quieten_driver() -> None:
    """Its warnings repeat, each with a traceback, what the port's errors say in a sentence."""
    logger = logging.getLogger("cassandra")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
