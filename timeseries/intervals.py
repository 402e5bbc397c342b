"""The ladder of bucket widths: from what a client writes to one of its steps. Pure."""

import re

from timeseries.domain import Interval, Unit
from timeseries.errors import invalid_query

_SECONDS = {
    Unit.SECOND: 1,
    Unit.MINUTE: 60,
    Unit.HOUR: 3_600,
    Unit.DAY: 86_400,
    Unit.WEEK: 7 * 86_400,
}
_DAYS = {Unit.MONTH: (28, 31), Unit.QUARTER: (90, 92), Unit.YEAR: (365, 366)}
_LEAST_S = _SECONDS | {unit: least * 86_400 for unit, (least, _) in _DAYS.items()}
_MOST_S = _SECONDS | {unit: most * 86_400 for unit, (_, most) in _DAYS.items()}
_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d|w|mo|q|y)")
AUTO = "auto"
AUTO_MAX_POINTS = 400
"""`auto` is the smallest step that gives at most so many points: a day in 5 minutes, a week in
half hours, a year in days."""

LADDER: tuple[Interval, ...] = (
    Interval(1, Unit.SECOND),
    Interval(10, Unit.SECOND),
    Interval(1, Unit.MINUTE),
    Interval(5, Unit.MINUTE),
    Interval(15, Unit.MINUTE),
    Interval(30, Unit.MINUTE),
    Interval(1, Unit.HOUR),
    Interval(3, Unit.HOUR),
    Interval(6, Unit.HOUR),
    Interval(12, Unit.HOUR),
    Interval(1, Unit.DAY),
    Interval(1, Unit.WEEK),
    Interval(1, Unit.MONTH),
    Interval(1, Unit.QUARTER),
    Interval(1, Unit.YEAR),
)


def least_length_ms(interval: Interval) -> int:
    """The length of the shortest bucket of this width where no clock is changed."""
    return _LEAST_S[interval.unit] * interval.count * 1000


def parse_interval(text: object, path: str = "interval") -> Interval | None:
    """A step of the ladder, the next larger one for any other duration; None for `auto`.

    Raises QueryRefused for what is no duration, and for one beyond a year.
    """
    if text == AUTO:
        return None
    parts = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if parts is None or int(parts[1]) == 0:
        raise invalid_query(
            path, f"{path} takes auto or a duration such as {', '.join(map(str, LADDER))}"
        )
    return _step_of(Interval(int(parts[1]), Unit(parts[2])), path)


def _step_of(asked: Interval, path: str) -> Interval:
    for step in LADDER:
        if _fits(asked, step):
            return step
    raise invalid_query(path, f"{path} is {asked}: the largest is {LADDER[-1]}")


def _fits(asked: Interval, step: Interval) -> bool:
    """Whether the step can be as long as what was asked. Months are compared as months, since
    their lengths differ."""
    if asked.unit in _MONTHS:
        return asked.count * _MONTHS[asked.unit] <= step.count * _MONTHS.get(step.unit, 0)
    return asked.count * _SECONDS[asked.unit] <= step.count * _MOST_S[step.unit]


def automatic(length_ms: int) -> Interval:
    """The step for a range of this length."""
    for step in LADDER:
        if length_ms <= least_length_ms(step) * AUTO_MAX_POINTS:
            return step
    return LADDER[-1]
