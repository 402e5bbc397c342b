"""An answer as rows: what CSV, NDJSON and chart libraries take. Pure.

WIDE has a row a bucket and group with a column a metric; ROWS one a bucket, group and metric, as
Grafana's Infinity reads them; COLUMNS one list of values a series over common times, as uPlot and
ECharts read them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from timeseries.answers import bucket_texts, columns, group_of
from timeseries.domain import Figures, field_name
from timeseries.payloads import Figure, GroupMember
from timeseries.queries import Answer, Series

Cell = str | int | float | bool | None
SEPARATOR = " · "


class Shape(StrEnum):
    """How an answer is laid out; WIDE is every format's own."""

    WIDE = "wide"
    ROWS = "rows"
    COLUMNS = "columns"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header."""

    header: Sequence[str]
    rows: Iterator[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Times in epoch ms, ascending, and for each named series a value a time."""

    times_ms: Sequence[int]
    series: Sequence[tuple[str, Sequence[Figure]]]


def wide_table(answer: Answer) -> Table:
    """`start, end`, the group's fields, `other` where asked for, then the metrics; totals have no
    times."""
    query = answer.query
    times = ["start", "end"] if query.buckets else []
    other = ["other"] if query.other and query.group_by else []
    header = [*times, *map(field_name, query.group_by), *other, *columns(query)]
    return Table(header, _wide_rows(answer, with_other=bool(other)))


def _wide_rows(answer: Answer, *, with_other: bool) -> Iterator[Sequence[Cell]]:
    bounds = bucket_texts(answer.query)
    for series in answer.series:
        flag = [series.other] if with_other else []
        group = _group_cells(series, answer)
        for times, figures in _lines(series, bounds):
            yield [*times, *group, *flag, *figures]


def long_table(answer: Answer) -> Table:
    """`time`, `series`, `metric`, the group's fields, `value`; totals have no time."""
    query = answer.query
    times = ["time"] if query.buckets else []
    fields = map(field_name, query.group_by)
    return Table([*times, "series", "metric", *fields, "value"], _long_rows(answer))


def _long_rows(answer: Answer) -> Iterator[Sequence[Cell]]:
    names, bounds = columns(answer.query), bucket_texts(answer.query)
    for series in answer.series:
        group = _group_cells(series, answer)
        name = series_name(series, answer)
        for times, figures in _lines(series, bounds):
            for metric, figure in zip(names, figures, strict=True):
                yield [*times[:1], name, metric, *group, figure]


def point_objects(answer: Answer) -> Iterator[dict[str, object]]:
    """One object a bucket and group, its figures by metric: the lines of NDJSON."""
    names, bounds = columns(answer.query), bucket_texts(answer.query)
    for series in answer.series:
        group: dict[str, object] = {"group": group_of(series, answer.query)}
        if series.other:
            group["other"] = True
        for times, figures in _lines(series, bounds):
            values = dict(zip(names, figures, strict=True))
            yield dict(zip(("start", "end"), times, strict=False)) | group | {"values": values}


def _lines(
    series: Series, bounds: Sequence[tuple[str, str]]
) -> Iterator[tuple[Sequence[str], Figures]]:
    """The figures of each bucket with its times; of totals the one line without."""
    if not bounds:
        yield (), series.total
        return
    for times, figures in zip(bounds, series.points, strict=True):
        if figures is not None:
            yield times, figures


def columns_of(answer: Answer) -> Columns:
    """A list of values a series and metric; times that `fill` left out of every series are out."""
    kept = [
        index
        for index in range(len(answer.query.buckets))
        if any(series.points[index] is not None for series in answer.series)
    ]
    return Columns(
        [answer.query.buckets[index].start_ms for index in kept],
        [
            (_column_name(series, metric, answer), _values(series, place, kept))
            for series in answer.series
            for place, metric in enumerate(columns(answer.query))
        ],
    )


def _values(series: Series, place: int, kept: Sequence[int]) -> list[Figure]:
    points = [series.points[index] for index in kept]
    return [None if figures is None else figures[place] for figures in points]


def series_name(series: Series, answer: Answer) -> str:
    """What a legend calls the series: its group's values."""
    if series.other:
        return "other"
    group = group_of(series, answer.query) or {}
    return ", ".join(map(text_of_cell, group.values())) if group else "all"


def _column_name(series: Series, metric: str, answer: Answer) -> str:
    if not answer.query.group_by:
        return metric
    name = series_name(series, answer)
    return name if len(answer.query.metrics) == 1 else f"{name}{SEPARATOR}{metric}"


def _group_cells(series: Series, answer: Answer) -> Sequence[GroupMember]:
    group = group_of(series, answer.query)
    return [None] * len(answer.query.group_by) if group is None else list(group.values())


def text_of_cell(cell: Cell) -> str:
    """A value as JSON writes it, strings without their quotes."""
    if cell is None or isinstance(cell, bool):
        return {None: "null", True: "true", False: "false"}[cell]
    return cell if isinstance(cell, str) else repr(cell)
