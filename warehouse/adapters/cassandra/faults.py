"""The driver's errors in the port's words."""

from collections.abc import Iterator

from cassandra import (
    AlreadyExists,
    AuthenticationFailed,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    RequestValidationException,
    Timeout,
    Unauthorized,
    Unavailable,
    UnresolvableContactPoints,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import (
    ConnectionBusy,
    ConnectionException,
    ConnectionShutdown,
    ProtocolError,
    ProtocolVersionUnsupported,
)
from cassandra.pool import NoConnectionsAvailable
from cassandra.protocol import ErrorMessage, OverloadedErrorMessage

from warehouse.adapters.cassandra.options import StoreOptions
from warehouse.errors import StoreBackpressure, StoreUnavailable

FAULTS = (
    DriverException,
    NoHostAvailable,
    ConnectionException,
    ConnectionBusy,
    NoConnectionsAvailable,
    ProtocolError,
    ErrorMessage,
    OSError,
)
"""Everything that a driver call raises when Cassandra, not our code, is the reason."""
_CROWDED = (OverloadedErrorMessage, ConnectionBusy, NoConnectionsAvailable)
_HUNG_UP = (ConnectionResetError, BrokenPipeError, ConnectionShutdown)
_MISSING = ("unconfigured table", "does not exist", "unknown keyspace", "non existing keyspace")
URL = "WEIR_WAREHOUSE_URL"


def place_of(options: StoreOptions) -> str:
    """The hosts as the user wrote them, without user and password."""
    return ",".join(f"{host}:{port}" for host, port in options.hosts)


def translated(exc: Exception, options: StoreOptions) -> StoreBackpressure:
    """StoreBackpressure when Cassandra is crowded, else StoreUnavailable; one sentence each."""
    causes = list(_causes(exc))
    where = place_of(options)
    for cause in causes:
        sentence = _setting_sentence(cause, options)
        if sentence is not None:
            return StoreUnavailable(sentence)
    if any(isinstance(cause, _CROWDED) for cause in causes):
        return StoreBackpressure(f"Cassandra at {where} is overloaded: {_short(causes[-1])}")
    for cause in causes:
        if isinstance(cause, Unavailable):
            return StoreUnavailable(
                f"Cassandra at {where} has too few nodes up for consistency "
                f"{options.consistency}: {cause.alive_replicas} of {cause.required_replicas} "
                "replicas are alive; start the nodes that are down"
            )
    if isinstance(exc, UnresolvableContactPoints):
        return StoreUnavailable(f"Cassandra at {where} cannot be reached: no such host")
    if any(isinstance(cause, OperationTimedOut | Timeout) for cause in causes):
        return StoreUnavailable(
            f"Cassandra at {where} did not answer in time: it is overloaded or hangs; see its log"
        )
    if isinstance(causes[-1], OSError | ConnectionException | NoHostAvailable):
        return StoreUnavailable(
            f"Cassandra at {where} cannot be reached: {_short(causes[-1])}"
            f"{_hint(causes[-1], options)}"
        )
    return StoreUnavailable(f"Cassandra at {where} did not do it: {_short(causes[-1])}")


def is_missing_table(exc: Exception) -> bool:
    """Whether the keyspace or a table is not there."""
    return any(
        isinstance(cause, RequestValidationException)
        and not isinstance(cause, AlreadyExists)
        and any(words in str(cause).lower() for words in _MISSING)
        for cause in _causes(exc)
    )


def _setting_sentence(cause: BaseException, options: StoreOptions) -> str | None:
    """What somebody must mend, if it is that."""
    where = place_of(options)
    if isinstance(cause, AuthenticationFailed):
        return (
            f"Cassandra at {where} refuses the user {options.user or '(none)'} or the password: "
            f"correct them in {URL}"
        )
    if isinstance(cause, Unauthorized):
        return (
            f"Cassandra at {where} does not let the user {options.user or '(none)'} do this "
            f"({_short(cause)}): grant it on keyspace {options.keyspace}"
        )
    if isinstance(cause, ProtocolVersionUnsupported):
        return f"Cassandra at {where} is too old and Weir needs 4.1 or newer: upgrade it"
    if isinstance(cause, InvalidRequest | RequestValidationException) and is_missing_table(cause):
        return (
            f"Cassandra at {where} has no keyspace {options.keyspace} with the tables of Weir: "
            "make them with: manage.py ensure_engines"
        )
    if isinstance(cause, OSError):
        return _tls_sentence(str(cause), where)
    return None


def _tls_sentence(words: str, where: str) -> str | None:
    """The driver wraps what the handshake said into an error of its own: only the words are
    left."""
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return (
            f"Cassandra at {where} shows a certificate that cannot be verified: name the file of "
            f"the authority that signed it with ca=, and the host as the certificate does, in {URL}"
        )
    if "[SSL" in words:
        return (
            f"Cassandra at {where} and this process do not agree on TLS "
            f"({words.rpartition('Last error: ')[2]}): correct the port, or ssl and ca, in {URL}"
        )
    return None


def _hint(cause: BaseException, options: StoreOptions) -> str:
    """A port that demands TLS hangs up on whom speaks without, as a node that stops does."""
    if options.uses_tls or not isinstance(cause, _HUNG_UP):
        return ""
    return f"; if this port of it demands TLS, add ssl=true or ca= to {URL}"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The error and, for one that stands for several hosts, those of the hosts."""
    yield exc
    if isinstance(exc, NoHostAvailable) and isinstance(exc.errors, dict):
        for each in exc.errors.values():
            if isinstance(each, BaseException):
                yield from _causes(each)


def _short(exc: BaseException) -> str:
    """The driver's own words, on one line."""
    summary = getattr(exc, "summary", None)
    message = getattr(exc, "message", None)
    text = f"{summary}: {message}" if summary and message else str(exc) or type(exc).__name__
    return " ".join(text.split())[:300]
