"""The spans of time that a replay must cover to bring back what the view lacks. Pure."""

from collections.abc import Iterable, Sequence

from feed.event import key_time_ms
from replay.domain import MAX_SPANS, Span
from replay.verification.comparison import Difference, Kind


class Gap:
    """Collects spans of one millisecond each, bounded: see there."""

    def __init__(self, *, most_spans: int = MAX_SPANS) -> None:
        self._most = most_spans
        self._spans: list[Span] = []

    def add(self, found: Iterable[Difference]) -> None:
        """Differences of any order. An extra document is left out: no replay takes it away."""
        times = {key_time_ms(each.key) for each in found if each.kind is not Kind.EXTRA}
        spans = self._spans + [Span(time, time + 1) for time in times]
        self._spans = bounded(spans, most_spans=self._most)

    @property
    def spans(self) -> list[Span]:
        """Ascending; none touches another. Empty when there is nothing to replay."""
        return list(self._spans)


def bounded(spans: Iterable[Span], *, most_spans: int = MAX_SPANS) -> list[Span]:
    """The same ascending, those that touch as one. Beyond `most_spans` the nearest are joined, so
    that memory is bounded: what lies between is replayed too, which changes nothing."""
    apart = _joined(spans, at_most_ms=0)
    if len(apart) <= most_spans:
        return apart
    return _joined(apart, at_most_ms=_limit_ms(apart, most_spans))


def _limit_ms(apart: Sequence[Span], most_spans: int) -> int:
    """The least distance up to which spans must be joined for few enough to stay."""
    pairs = zip(apart, apart[1:], strict=False)
    distances = sorted(later.from_ms - earlier.to_ms for earlier, later in pairs)
    return distances[len(apart) - most_spans - 1]


def _joined(spans: Iterable[Span], *, at_most_ms: int) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.from_ms - joined[-1].to_ms <= at_most_ms:
            joined[-1] = Span(joined[-1].from_ms, max(joined[-1].to_ms, span.to_ms))
        else:
            joined.append(span)
    return joined
