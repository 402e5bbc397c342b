"""Names and places: which index a document of some time lies in, and with which routing. Pure.

A place is a function of the document and of the generation's record alone, never of today's date:
a document that came again another year would otherwise lie in two places and count twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zlib import crc32

MONTHLY_YEARS = 5
"""Years before the one a generation begins in that have an index a month; older ones have one a
year."""
MOST_NAMES = 24
"""Indices that a search names one by one: an address holds 4 KB."""


@dataclass(frozen=True, slots=True)
class Place:
    """A generation's record: fixed when it is made, the same for every process for good."""

    generation: int
    monthly_from_year: int
    shards: int
    spread: int
    """Over how many routings each project's documents lie."""
    dropped: bool = False
    """Nothing of it is there, and nothing is made any more."""


class Names:
    """Every name below one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.generations = f"{prefix}-generations"

    def events(self, generation: int) -> str:
        """What the event indices of a generation begin with; also its template's name."""
        return f"{self.prefix}-events-g{generation}"

    def index_at(self, place: Place, time_ms: int) -> str:
        """The index of a document of this time."""
        return f"{self.events(place.generation)}-{period_of(place.monthly_from_year, time_ms)}"

    def indices(self, place: Place, from_ms: int | None, to_ms: int | None) -> str:
        """The indices of [from_ms, to_ms), as a search takes them."""
        pattern = f"{self.events(place.generation)}-*"
        if from_ms is None or to_ms is None or from_ms >= to_ms:
            return pattern
        periods = _periods(place.monthly_from_year, from_ms, to_ms)
        if len(periods) > MOST_NAMES:
            return pattern
        return ",".join(f"{self.events(place.generation)}-{period}" for period in periods)


def month_of(time_ms: int) -> tuple[int, int]:
    """Year and month, UTC."""
    date = datetime.fromtimestamp(time_ms / 1000, UTC)
    return date.year, date.month


def month_start_ms(year: int, month: int) -> int:
    """The first millisecond of a month; months past 12 are of the next year."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


def period_of(monthly_from_year: int, time_ms: int) -> str:
    """`2026-11`, or `2019` in the years that share an index."""
    year, month = month_of(time_ms)
    return f"{year}" if year < monthly_from_year else f"{year}-{month:02d}"


def period_bounds_ms(monthly_from_year: int, time_ms: int) -> tuple[int, int]:
    """[start, end) of the period of this time."""
    year, month = month_of(time_ms)
    if year < monthly_from_year:
        return month_start_ms(year, 1), month_start_ms(year + 1, 1)
    return month_start_ms(year, month), month_start_ms(year, month + 1)


@lru_cache(maxsize=256)
def _periods(monthly_from_year: int, from_ms: int, to_ms: int) -> Sequence[str]:
    periods: list[str] = []
    time_ms = max(from_ms, 0)
    last_ms = min(to_ms, _LAST_MS)
    while time_ms < last_ms and len(periods) <= MOST_NAMES:
        periods.append(period_of(monthly_from_year, time_ms))
        _, time_ms = period_bounds_ms(monthly_from_year, time_ms)
    return periods


_LAST_MS = month_start_ms(9999, 12)


def routing_of(place: Place, project: str, key: bytes) -> str:
    """The routing of a document. Empty where an index has one shard: to route there would choose
    nothing, and the server would keep it with every document."""
    if place.shards == 1:
        return ""
    if place.spread == 1:
        return project
    return f"{project}.{crc32(key) % place.spread}"


def routings_of(place: Place, project: str) -> list[str]:
    """Every routing of a project's documents, as `routing_of` gives them."""
    if place.shards == 1:
        return [""]
    if place.spread == 1:
        return [project]
    return [f"{project}.{part}" for part in range(place.spread)]


def routed(*routings: str) -> dict[str, str]:
    """The member or parameter that sends a request to these routings alone: nothing where they are
    empty."""
    joined = ",".join(routings)
    return {"routing": joined} if joined else {}
