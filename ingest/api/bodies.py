"""From a request's body to rows: media type, encoding, limits, and the four forms of body.

What cannot be read is a Problem for the request as a whole; what can be split into rows is left to
admission, row by row.
"""

import re
import zlib
from functools import lru_cache

import msgspec

from access.http import Request, read_body
from access.problems import Code, FieldError, Problem
from ingest.json_text import InvalidJson, NotAnArray, TooManyElements, elements, members
from ingest.payloads import Notice, Time
from ingest.timestamps import parse_time

MAX_BATCH_EVENTS = 1000
MAX_BATCH_BYTES = 5 * 1024 * 1024
_INFLATE_STEP_BYTES = 64 * 1024
_GZIP_WINDOW = 31  # zlib's number for: a gzip header is expected

_JSON_TYPES = frozenset(
    {"application/json", "text/json", "text/plain", "application/x-www-form-urlencoded"}
)
_NDJSON_TYPES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\n\r"


class Body(msgspec.Struct, frozen=True):
    """The rows of a request; `notices` are about the request, not about a row."""

    rows: list[bytes]
    sent_at_ms: int | None = None
    notices: tuple[Notice, ...] = ()


async def read_rows(request: Request) -> Body:
    """Reads and splits the body. Raises Problem 400 (unreadable, no event), 408, 413, 415."""
    is_ndjson = _is_ndjson(request.header("content-type") or "application/json")
    is_gzip = _is_gzip(request)
    raw = await read_body(request, max_bytes=MAX_BATCH_BYTES)
    text = inflate(raw) if is_gzip else raw
    text = text.removeprefix(_BYTE_ORDER_MARK).strip(_WHITESPACE)
    body = Body(_lines(text)) if is_ndjson else _json_rows(text)
    if not body.rows:
        raise Problem(400, Code.EMPTY_BATCH, "the body holds no event: send at least one")
    if len(body.rows) > MAX_BATCH_EVENTS:
        raise _too_many(len(body.rows))
    return body


def _too_many(count: int) -> Problem:
    detail = f"{count} events in one request: send at most {MAX_BATCH_EVENTS}"
    return Problem(413, Code.TOO_MANY_EVENTS, detail)


@lru_cache(maxsize=256)
def _is_ndjson(header: str) -> bool:
    """Raises Problem 415 for a media type that is neither JSON nor NDJSON."""
    media_type = header.partition(";")[0].strip().lower()
    charset = _CHARSET.search(header)
    if charset is None or charset[1].lower() in _CHARSETS:
        if media_type in _NDJSON_TYPES:
            return True
        if media_type in _JSON_TYPES or media_type.endswith("+json"):
            return False
    raise Problem(
        415,
        Code.UNSUPPORTED_MEDIA_TYPE,
        f"Content-Type {header[:100]!a} is not read here: send application/json or "
        "application/x-ndjson, in UTF-8",
    )


def _is_gzip(request: Request) -> bool:
    """Raises Problem 415 for any other encoding."""
    encoding = (request.header("content-encoding") or "identity").strip().lower()
    if encoding in ("identity", ""):
        return False
    if encoding in ("gzip", "x-gzip"):
        return True
    raise Problem(
        415,
        Code.UNSUPPORTED_ENCODING,
        f"Content-Encoding {encoding[:100]!a} is not read here: send gzip, or none",
        headers={"Accept-Encoding": "gzip, identity"},
    )


def inflate(packed: bytes, *, max_bytes: int = MAX_BATCH_BYTES) -> bytes:
    """All members of a gzip body. Never holds more than a step beyond `max_bytes`, whatever the
    body claims. Raises Problem 413 when it is longer, 400 when it is cut short or not gzip."""
    inflated = bytearray()
    while packed:
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            try:
                piece = member.decompress(packed, _INFLATE_STEP_BYTES)
            except zlib.error as exc:
                raise _bad_gzip(f"the body is not gzip: {exc}") from exc
            inflated += piece
            if len(inflated) > max_bytes:
                detail = f"the body is over {max_bytes} bytes when inflated: send smaller batches"
                raise Problem(413, Code.PAYLOAD_TOO_LARGE, detail)
            packed = member.unconsumed_tail
            if not piece and not packed and not member.eof:
                raise _bad_gzip("the gzip body is cut short: send it whole")
        packed = member.unused_data.lstrip(b"\0")  # padding is not garbage
    return bytes(inflated)


def _bad_gzip(detail: str) -> Problem:
    return Problem(400, Code.INVALID_JSON, detail)


def _lines(text: bytes) -> list[bytes]:
    return [line for line in (part.strip(_WHITESPACE) for part in text.split(b"\n")) if line]


def _json_rows(text: bytes) -> Body:
    if not text:
        return Body([])
    try:
        if text[:1] != b"{":
            return Body(elements(text, at_most=MAX_BATCH_EVENTS))
        envelope = members(text)
        return _batch(envelope) if "batch" in envelope else Body([text])
    except InvalidJson as exc:
        raise Problem(400, Code.INVALID_JSON, f"the body is not JSON: {exc}") from exc
    except TooManyElements as exc:
        raise _too_many(exc.count) from exc
    except NotAnArray as exc:
        detail = 'the body is neither an event, an array of events nor {"batch": […]}'
        raise Problem(400, Code.INVALID_BATCH, detail) from exc


def _batch(envelope: dict[str, bytes]) -> Body:
    try:
        rows = elements(envelope["batch"], at_most=MAX_BATCH_EVENTS)
    except NotAnArray as exc:
        error = FieldError(Code.INVALID_BATCH, "batch")
        detail = "batch is not an array of events"
        raise Problem(400, Code.INVALID_BATCH, detail, errors=[error]) from exc
    unknown = [name for name in envelope if name not in ("batch", "sent_at")]
    notices = tuple(Notice(Code.UNKNOWN_FIELD, name) for name in unknown)
    return Body(rows, _sent_at_ms(envelope.get("sent_at", b"null")), notices)


def _sent_at_ms(raw: bytes) -> int | None:
    try:
        value = msgspec.json.decode(raw, type=Time | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = ""
    sent_at_ms = None if value is None else parse_time(value)
    if value is not None and sent_at_ms is None:
        error = FieldError(Code.INVALID_TIMESTAMP, "sent_at")
        detail = "sent_at is neither RFC 3339 with an offset nor epoch milliseconds"
        raise Problem(400, Code.INVALID_TIMESTAMP, detail, errors=[error])
    return sent_at_ms
