"""A comparison on this process's engines."""

from collections.abc import Callable, Sequence

from feed.backends import get_feed
from feed.topics import Group
from replay.domain import Span
from replay.verification.comparison import Difference
from replay.verification.passing import Passing
from replay.verification.reconciliation import Reconciliation
from replay.verification.sides import Sides
from timeseries.backends import get_series_store
from timeseries.generations import served_generation
from warehouse.backends import get_event_store


def open_reconciliation(
    project: str,
    span: Span,
    *,
    wait_s: float,
    most_kept: int,
    tell: Callable[[Group, int], None] = lambda *_: None,
    found: Callable[[Sequence[Difference]], None] = lambda _: None,
    tick: Callable[[], object] = lambda: None,
) -> Reconciliation:
    """Of the generation that is served now. Before each second look at most `wait_s` are waited
    for sink and projector, and `tell` hears who is behind by how many records. `tick` is called
    again and again, and what it raises passes through."""
    sides = Sides(project, served_generation(), get_event_store(), get_series_store(), tick)
    passing = Passing(get_feed(), wait_s=wait_s, tell=tell)
    return Reconciliation(sides, span, passing, most_kept=most_kept, found=found)
