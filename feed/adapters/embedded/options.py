"""The query parameters of `embedded:`: names, defaults, bounds. Knows no file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feed.errors import WrongOption
from feed.topics import Topic

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How one embedded feed is tuned; times in the unit that the name ends in."""

    partitions: int = 4
    max_record_bytes: int = MIB
    queue_bytes: int = 64 * MIB
    """Published and not yet written, in one process; beyond it `publish` raises FeedFull."""
    queue_records: int = 100_000
    lease_s: float = 6.0
    """A member that gives no sign of life for so long loses its partitions."""
    max_poll_s: float = 60.0
    """A member that does not poll for so long loses its partitions, alive or not."""
    retention_hours: Mapping[str, float] = field(default_factory=dict)
    """By topic: how long records stay at least, once every constant reader has passed them."""


_NUMBERS: dict[str, tuple[float, float]] = {
    "partitions": (1, 256),
    "max_record_bytes": (1024, 64 * MIB),
    "queue_bytes": (MIB, 4096 * MIB),
    "queue_records": (1, 10_000_000),
    "lease_s": (0.2, 3600),
    "max_poll_s": (0.2, 86_400),
}
_WHOLE = frozenset({"partitions", "max_record_bytes", "queue_bytes", "queue_records"})
_RETENTION: dict[str, float] = {
    Topic.EVENTS: 72,
    Topic.HISTORY: 24,
    Topic.CHANGES: 1,
    Topic.DEAD_LETTERS: 72,
}
_RETENTION_BOUNDS = (0.0, 24 * 3660.0)


def _retention_name(topic: str) -> str:
    return f"{topic.replace('-', '_')}_retention_hours"


def parse_options(given: Mapping[str, str]) -> Options:
    """Options from a URL's query parameters. Raises WrongOption, naming the parameter."""
    topics = {_retention_name(topic): topic for topic in _RETENTION}
    numbers: dict[str, float] = {}
    retention = dict(_RETENTION)
    for name, text in given.items():
        if name in _NUMBERS:
            numbers[name] = _number(name, text, _NUMBERS[name], whole=name in _WHOLE)
        elif name in topics:
            retention[topics[name]] = _number(name, text, _RETENTION_BOUNDS, whole=False)
        else:
            known = ", ".join([*_NUMBERS, *topics])
            raise WrongOption(
                f"WEIR_FEED_URL has {name!r}, which is no option of embedded: it takes {known}"
            )
    return Options(**numbers, retention_hours=retention)  # type: ignore[arg-type]  # by _WHOLE


def _number(name: str, text: str, bounds: tuple[float, float], *, whole: bool) -> float:
    low, high = bounds
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        kind = "a whole number" if whole else "a number"
        raise WrongOption(
            f"WEIR_FEED_URL has {name}={text!r}: it takes {kind} from {low:g} to {high:g}"
        )
    return number
