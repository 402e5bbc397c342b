"""Problem documents (RFC 9457) and the closed set of error codes, the same on every door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec


class Code(StrEnum):
    """Stable error codes of the contract, section 6. Clients match on them; the title may change,
    a code never."""

    INVALID_JSON = "invalid_json"
    INVALID_BATCH = "invalid_batch"
    EMPTY_BATCH = "empty_batch"
    MISSING_EVENT = "missing_event"
    INVALID_EVENT = "invalid_event"
    INVALID_ID = "invalid_id"
    INVALID_TIMESTAMP = "invalid_timestamp"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    INVALID_PROPERTIES = "invalid_properties"
    EVENT_TOO_LARGE = "event_too_large"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TOO_MANY_EVENTS = "too_many_events"
    ALL_REJECTED = "all_rejected"
    WEAK_ID = "weak_id"
    UNKNOWN_FIELD = "unknown_field"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    UNAUTHORIZED = "unauthorized"
    INVALID_TOKEN = "invalid_token"
    TOKEN_EXPIRED = "token_expired"
    MISSING_SCOPE = "missing_scope"
    SCOPE_NOT_GRANTED = "scope_not_granted"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    RATE_LIMITED = "rate_limited"
    REQUEST_TIMEOUT = "request_timeout"
    LOG_UNAVAILABLE = "log_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    INDEX_UNAVAILABLE = "index_unavailable"
    INVALID_QUERY = "invalid_query"
    UNKNOWN_PROPERTY = "unknown_property"
    QUERY_TIMEOUT = "query_timeout"
    QUERY_TOO_COSTLY = "query_too_costly"
    TOO_MANY_BUCKETS = "too_many_buckets"
    TOO_MANY_GROUPS = "too_many_groups"
    INVALID_TIMEZONE = "invalid_timezone"
    CURSOR_EXPIRED = "cursor_expired"
    ILLEGAL_STATE = "illegal_state"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in the input: where, and which code."""

    code: str
    field: str | None = None
    index: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The members that are known."""
        members = {"index": self.index, "field": self.field, "code": self.code}
        return {name: value for name, value in members.items() if value is not None}


class Problem(Exception):
    """A request ends with a problem document. `detail` says what is wrong and what to do next."""

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})

    def as_json(self, request_id: str) -> dict[str, Any]:
        """The document's members, RFC 9457 section 3."""
        document: dict[str, Any] = {
            "type": f"/docs/errors/{self.code.value}",
            "title": self.code.value.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code.value,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [error.as_json() for error in self.errors]
        return document | self.extensions


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Reply(msgspec.Struct, frozen=True):
    """What a door answers: bytes and headers, ready to send."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = _NO_HEADERS
