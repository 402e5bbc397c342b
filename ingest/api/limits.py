"""The limits in force, as one answer."""

from ingest.api.bodies import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from ingest.api.parameters import DEFAULT_WAIT_S, MAX_WAIT_S
from ingest.domain import FIRST_TIMESTAMP_MS, MAX_AHEAD_MS, MAX_EVENT_BYTES
from ingest.json_rules import MAX_DEPTH, MAX_INTEGER, MAX_NAME_CHARS, MIN_INTEGER
from ingest.payloads import MAX_EVENT_CHARS, MAX_ID_CHARS, MAX_PERSON_CHARS, LimitsAnswer
from ingest.timestamps import format_time


def limits_in_force() -> LimitsAnswer:
    """Every limit that an event or a request is held to."""
    return LimitsAnswer(
        event_bytes=MAX_EVENT_BYTES,
        batch_events=MAX_BATCH_EVENTS,
        batch_bytes=MAX_BATCH_BYTES,
        event_chars=MAX_EVENT_CHARS,
        id_chars=MAX_ID_CHARS,
        person_id_chars=MAX_PERSON_CHARS,
        property_name_chars=MAX_NAME_CHARS,
        property_depth=MAX_DEPTH,
        integer_min=MIN_INTEGER,
        integer_max=MAX_INTEGER,
        timestamp_from=format_time(FIRST_TIMESTAMP_MS),
        timestamp_ahead_ms=MAX_AHEAD_MS,
        wait_default_s=DEFAULT_WAIT_S,
        wait_max_s=MAX_WAIT_S,
    )
