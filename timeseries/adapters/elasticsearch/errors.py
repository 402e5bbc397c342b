"""What the client raises and the server answers, as errors of the port; one sentence each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elastic_transport import (
    ApiError,
    ConnectionTimeout,
    SerializationError,
    TlsError,
    TransportError,
)
from elasticsearch import UnsupportedProductError

from timeseries.errors import (
    QueryRefused,
    QueryTimeout,
    SeriesBackpressure,
    SeriesError,
    SeriesUnavailable,
)

RETRY_S = 1.0
_BUSY = frozenset({429, 502, 503, 504})
URL = "WEIR_TIMESERIES_URL"
_COSTLY = frozenset(
    {
        "too_many_buckets_exception",
        "too_many_clauses",
        "too_many_nested_clauses",
        "too_complex_to_determinize_exception",
    }
)
"""Limits of the server's own, on queries that are right."""
_SLOW = frozenset({"timeout_exception", "search_timeout_exception"})


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors inside become SeriesUnavailable, SeriesBackpressure, QueryTimeout or SeriesError;
    `what` says what was tried."""
    try:
        yield
    except ConnectionTimeout as exc:
        raise SeriesUnavailable(f"Elasticsearch did not answer in time: {what}") from exc
    except UnsupportedProductError as exc:
        raise SeriesUnavailable(
            f"what answers at WEIR_TIMESERIES_URL is not Elasticsearch: {what}"
        ) from exc
    except TlsError as exc:
        raise SeriesUnavailable(_tls_sentence(str(exc.message), what)) from exc
    except (TransportError, SerializationError) as exc:
        raise SeriesUnavailable(
            f"Elasticsearch cannot be reached ({_reason(exc)}): {what}{_hint(exc)}"
        ) from exc
    except ApiError as exc:
        raise of_answer(exc.meta.status, exc.body, what) from exc


def of_answer(status: int, body: object, what: str) -> SeriesError:
    """The error that an answer other than 2xx stands for."""
    kind, reason = error_in(body)
    if status == 401:
        return SeriesUnavailable(
            f"Elasticsearch refuses this user or the password ({status}): {what}; put the right"
            f" user:password@ into {URL}, percent-encoded"
        )
    if status == 403 and kind == "security_exception":
        return SeriesUnavailable(
            f"Elasticsearch does not let this user do it ({reason}): {what}; grant it, or name"
            f" another user in {URL}"
        )
    if status == 403:
        return SeriesUnavailable(f"Elasticsearch is closed to it ({kind}: {reason}): {what}")
    if kind in _SLOW or (kind == "search_phase_execution_exception" and "time" in reason):
        return QueryTimeout()
    if kind in _COSTLY or _cause_in(body) in _COSTLY:
        return QueryRefused(
            "query_too_costly",
            f"Elasticsearch will not run this query ({kind}): ask for a shorter range, a wider"
            " interval, fewer groups or a shorter filter",
        )
    if status in _BUSY:
        return SeriesBackpressure(
            f"Elasticsearch is busy ({kind}: {reason}): {what}", retry_after_s=RETRY_S
        )
    return SeriesError(f"Elasticsearch answers {status} ({kind}: {reason}): {what}")


def error_in(body: object) -> tuple[str, str]:
    """Type and reason of the root cause, as far as the answer tells them."""
    error: Any = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "error", str(error or body)[:200]
    causes = error.get("root_cause") or [error]
    return str(causes[0].get("type")), str(causes[0].get("reason"))[:300]


def _cause_in(body: object) -> str:
    """Type of what an answer names as the cause: of errors that only show once shards are
    joined."""
    error: Any = body.get("error") if isinstance(body, Mapping) else None
    while isinstance(error, Mapping) and isinstance(error.get("caused_by"), Mapping):
        error = error["caused_by"]
    return str(error.get("type")) if isinstance(error, Mapping) else ""


def _tls_sentence(words: str, what: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return (
            f"Elasticsearch shows a certificate that cannot be verified: {what}; name the file"
            " of the authority that signed it with ca=, and the host as the certificate does, in"
            f" {URL}"
        )
    return (
        f"Elasticsearch and this process do not agree on TLS ({words[:200]}): {what}; a server"
        f" without TLS takes elasticsearch+http in {URL}"
    )


def _hint(exc: TransportError | SerializationError) -> str:
    """A port that demands TLS hangs up on whom speaks without, as a node that stops does."""
    if "Connection aborted" not in str(exc.message):
        return ""
    return f"; if the server demands TLS, it takes elasticsearch+https in {URL}"


def _reason(exc: TransportError | SerializationError) -> str:
    """Class and innermost cause, never an address with a password."""
    return f"{type(exc).__name__}: {str(exc.message)[:200]}"
