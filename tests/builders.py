"""Builders of what tests need, each a sentence short at the call. Small ones only; append yours."""

from uuid import uuid4

from feed.codec import encode
from feed.event import Event, ProjectId, event_key, record_version
from warehouse.ports import Row

NOON_MS = 1_793_534_400_000
"""2026-11-01T12:00:00Z: when events happen unless a test says otherwise."""


def make_project_name() -> ProjectId:
    """A project that no other test knows."""
    return ProjectId(f"p-{uuid4().hex[:12]}")


def make_event(
    *,
    project: str = "demo",
    id: str | None = None,
    event: str = "signup",
    type: str = "track",
    occurred_at_ms: int = NOON_MS,
    received_at_ms: int | None = None,
    sent_at_ms: int | None = None,
    user_id: str | None = "u1",
    anonymous_id: str | None = None,
    session_id: str | None = None,
    properties: str = "{}",
    context: str = "{}",
    transport: str = "rest",
) -> Event:
    """An event whose key fits its project, id and time; received 250 ms after it happened."""
    event_id = uuid4().hex if id is None else id
    return Event(
        key=event_key(project, event_id, occurred_at_ms),
        project=ProjectId(project),
        id=event_id,
        event=event,
        type=type,
        occurred_at_ms=occurred_at_ms,
        received_at_ms=occurred_at_ms + 250 if received_at_ms is None else received_at_ms,
        sent_at_ms=sent_at_ms,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=session_id,
        properties=properties,
        context=context,
        transport=transport,
    )


def make_row(event: Event) -> Row:
    """The event as the warehouse keeps it."""
    record = encode(event)
    version = record_version(event.received_at_ms, record)
    return Row(event.project, event.key, event.event, version, record)
