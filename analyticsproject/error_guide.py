"""What every error code means and what to do about it: the pages below /docs/errors/."""

from collections.abc import Mapping
from dataclasses import dataclass

from access.problems import Code


@dataclass(frozen=True, slots=True)
class Entry:
    """Two or three sentences for whoever meets the code."""

    meaning: str
    to_do: str


GUIDE: Mapping[Code, Entry] = {
    Code.INVALID_JSON: Entry(
        "The body, or one line of it, is not JSON in UTF-8.",
        "Check what your client sends: a cut-off body, single quotes and trailing commas are the "
        "usual causes. Nothing of the request was stored.",
    ),
    Code.INVALID_BATCH: Entry(
        "The body is JSON, but not an event, an array of events, or an object with `batch`.",
        "Send one of those three forms, or NDJSON with Content-Type application/x-ndjson.",
    ),
    Code.EMPTY_BATCH: Entry(
        "The batch has no event in it.",
        "Send at least one event, or nothing at all.",
    ),
    Code.MISSING_EVENT: Entry(
        "The event has no `event` member.",
        "Give every event a name of 1 to 200 characters. The other events of the batch stand.",
    ),
    Code.INVALID_EVENT: Entry(
        "The event is not an object, or a member of it has the wrong type or length.",
        "Look at `field` in the result: it names the member.",
    ),
    Code.INVALID_ID: Entry(
        "`id` is not 1 to 128 characters without NUL.",
        "Send an id of your own that stays the same when you send the event again, such as a UUID.",
    ),
    Code.INVALID_TIMESTAMP: Entry(
        "`timestamp` is no RFC 3339 time and no number of milliseconds, or lies before 2000.",
        "Send, for example, 2026-11-01T12:00:00Z. Times are refused rather than moved.",
    ),
    Code.TIMESTAMP_IN_FUTURE: Entry(
        "`timestamp` is more than 24 hours ahead of the server's clock.",
        "Set the sender's clock; seconds where milliseconds are meant never cause this, "
        "microseconds do.",
    ),
    Code.INVALID_PROPERTIES: Entry(
        "`properties` or `context` is not an object, or holds what cannot be kept: NUL, a lone "
        "surrogate, a number that is not finite, an integer over 64 bit, an empty or overlong "
        "name, a name twice in one object, nesting over 20.",
        "Correct the value that `field` names. The other events of the batch stand.",
    ),
    Code.EVENT_TOO_LARGE: Entry(
        "One event is larger than the limit.",
        "GET /v1/limits says the limit in force. Leave large values out, or split the event.",
    ),
    Code.PAYLOAD_TOO_LARGE: Entry(
        "The body is larger than the limit, counted after it was inflated.",
        "Send smaller batches. Nothing of the request was stored.",
    ),
    Code.TOO_MANY_EVENTS: Entry(
        "The batch has more events than one request may carry.",
        "Send smaller batches; GET /v1/limits says how large. Nothing of the request was stored.",
    ),
    Code.ALL_REJECTED: Entry(
        "Every event of the request was rejected.",
        "Look at `results`: each row has a code of its own. Sending the same again changes "
        "nothing.",
    ),
    Code.WEAK_ID: Entry(
        "A warning: the event was taken, but its key does not follow from what you sent alone.",
        "Keep the `id` and `timestamp` of the answer and send both when you send it again, or send "
        "your own from the start: then no retry can count twice.",
    ),
    Code.UNKNOWN_FIELD: Entry(
        "A warning: the event was taken without a top-level member that Weir does not know.",
        "Put members of your own into `properties`.",
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Entry(
        "The Content-Type is none that this path reads.",
        "Send application/json or application/x-ndjson.",
    ),
    Code.UNSUPPORTED_ENCODING: Entry(
        "The Content-Encoding is none that this path reads, or the body is not of that encoding.",
        "Send gzip, or no Content-Encoding.",
    ),
    Code.UNAUTHORIZED: Entry(
        "The request carries no credential.",
        "Send `Authorization: Bearer <token>`, or a write key where one is enough.",
    ),
    Code.INVALID_TOKEN: Entry(
        "The token or write key is not valid: unknown or revoked key, wrong signature, audience or "
        "form.",
        "The detail says which. A new key takes up to 5 seconds to be known everywhere.",
    ),
    Code.TOKEN_EXPIRED: Entry(
        "The token's time has run out.",
        "Mint a new one: manage.py mint_token, or your own signer.",
    ),
    Code.MISSING_SCOPE: Entry(
        "The token does not ask for the scope that this path needs.",
        "Mint a token with that scope.",
    ),
    Code.SCOPE_NOT_GRANTED: Entry(
        "The token asks for a scope that its key does not grant.",
        "A key grants ingest and query; staff add more to it in the admin.",
    ),
    Code.ORIGIN_NOT_ALLOWED: Entry(
        "The page's origin is not on the project's list.",
        "Add the origin to the project in the admin.",
    ),
    Code.RATE_LIMITED: Entry(
        "Too many requests at once.",
        "Wait as long as Retry-After says, then send the same again.",
    ),
    Code.REQUEST_TIMEOUT: Entry(
        "The body did not arrive in time.",
        "Send it again, in smaller batches over a slow line.",
    ),
    Code.LOG_UNAVAILABLE: Entry(
        "The feed cannot take events now: it is full or cannot be reached.",
        "Send again what is marked `retry`, after Retry-After. Nothing is lost that was answered "
        "`ok`.",
    ),
    Code.STORE_UNAVAILABLE: Entry(
        "The warehouse or the database cannot be reached.",
        "Try again after Retry-After; /readyz names the engine.",
    ),
    Code.INDEX_UNAVAILABLE: Entry(
        "The time-series view cannot be reached.",
        "Try again after Retry-After; /readyz names the engine.",
    ),
    Code.INVALID_QUERY: Entry(
        "The query, or another part of the request, cannot be read.",
        "`errors` names the field, the detail says what it takes. /docs/ has the whole form.",
    ),
    Code.UNKNOWN_PROPERTY: Entry(
        "The property is stored but not queryable: the project has used up its slots.",
        "GET /v1/meta/properties says which are queryable and why.",
    ),
    Code.QUERY_TIMEOUT: Entry(
        "The query took longer than its limit.",
        "Ask for a shorter range, a wider interval or fewer groups.",
    ),
    Code.QUERY_TOO_COSTLY: Entry(
        "The query would take more than one request may.",
        "Ask for a shorter range, a wider interval or fewer groups.",
    ),
    Code.TOO_MANY_BUCKETS: Entry(
        "The range has more buckets of this interval than an answer may hold.",
        "The detail names the smallest interval allowed; `auto` always fits.",
    ),
    Code.TOO_MANY_GROUPS: Entry(
        "The limit asks for more groups than an answer may hold.",
        "Ask for at most 100 groups; `other` adds the rest as one.",
    ),
    Code.INVALID_TIMEZONE: Entry(
        "The time zone is no IANA name.",
        "Send, for example, Europe/Berlin.",
    ),
    Code.CURSOR_EXPIRED: Entry(
        "The cursor is of another query, or too old.",
        "Start again without a cursor.",
    ),
    Code.ILLEGAL_STATE: Entry(
        "The move is not legal in the state that the object is in.",
        "Read the object: `state` says what it is in now.",
    ),
    Code.NOT_FOUND: Entry(
        "There is nothing at this address, or it belongs to another project.",
        "Check the path; a part that this process does not serve answers the same.",
    ),
    Code.CONFLICT: Entry(
        "The request contradicts what is there already.",
        "Read the object, then decide.",
    ),
    Code.METHOD_NOT_ALLOWED: Entry(
        "The path exists, but not for this method.",
        "`Allow` names the methods.",
    ),
    Code.INTERNAL_ERROR: Entry(
        "A fault of ours. It is in the log under the request's id.",
        "Nothing is promised about the request: send it again.",
    ),
}
