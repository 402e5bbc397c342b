"""Events out of the warehouse as lines that `import_events` takes back: the same keys and, since
the same record follows from a line, the same versions."""

import re
from collections.abc import Iterator

import msgspec

from feed.codec import decode
from feed.event import Event
from ingest.timestamps import format_time
from warehouse.ports import EventStore, Page, ScanWindow

PAGE_ROWS = 1000
_LINE_BREAKS = re.compile(r"[\r\n]+")


def pages(store: EventStore, window: ScanWindow) -> Iterator[tuple[bytes, int]]:
    """A page at a time, in order of occurrence: lines, each with its line feed, and how many.

    Raises StoreUnavailable, and UnknownSchema or UndecodableRecord for a record that this Weir
    cannot read.
    """
    for page in store.scan(window, page_rows=PAGE_ROWS):
        yield _lines(page), len(page.rows)


def _lines(page: Page) -> bytes:
    return b"".join(line(decode(row.record)) for row in page.rows)


def line(event: Event) -> bytes:
    """One event as JSON and a line feed; members without a value are left out."""
    members = {
        "event": event.event,
        "id": event.id,
        "type": event.type,
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "session_id": event.session_id,
        "timestamp": format_time(event.occurred_at_ms),
        "received_at": format_time(event.received_at_ms),
        "sent_at": None if event.sent_at_ms is None else format_time(event.sent_at_ms),
        "transport": event.transport,
        "properties": _raw(event.properties),
        "context": _raw(event.context),
    }
    given = {name: value for name, value in members.items() if value is not None}
    return msgspec.json.encode(given) + b"\n"


def _raw(text: str) -> msgspec.Raw:
    """The JSON as it came in. Line breaks stand between its tokens alone, never inside a string,
    and would end the line; admission turns them into spaces too."""
    if "\n" in text or "\r" in text:
        text = _LINE_BREAKS.sub(lambda found: " " * len(found[0]), text)
    return msgspec.Raw(text.encode())
