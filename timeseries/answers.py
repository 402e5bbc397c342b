"""From an answer to the JSON of contract section 5, and the query as it ran. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from timeseries.calendar import text_of, zone_of
from timeseries.domain import SeriesQuery, field_name
from timeseries.filters import filter_as_json
from timeseries.payloads import (
    AnswerMeta,
    Approximate,
    GroupMember,
    MetricOut,
    Point,
    QueryOut,
    RangeOut,
    SeriesAnswer,
    SeriesOut,
    TotalAnswer,
    TotalOut,
    WarningOut,
)
from timeseries.queries import Answer, Series, plain


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What only the door knows of an answer: how fresh the view is (ms, None when nobody can say)
    and how long it took."""

    complete_through_ms: int | None
    took_ms: int


def series_answer(answer: Answer, circumstances: Circumstances) -> SeriesAnswer:
    """The answer of /v1/query/series."""
    bounds = bucket_texts(answer.query)
    return SeriesAnswer(
        columns=columns(answer.query),
        series=[
            SeriesOut(
                group=group_of(series, answer.query),
                total=series.total,
                points=[
                    Point(start, end, figures)
                    for (start, end), figures in zip(bounds, series.points, strict=True)
                    if figures is not None
                ],
                other=series.other,
            )
            for series in answer.series
        ],
        meta=_meta(answer, circumstances, interval=str(answer.query.interval)),
        query=query_as_json(answer.query),
    )


def total_answer(answer: Answer, circumstances: Circumstances) -> TotalAnswer:
    """The answer of /v1/query/total and /v1/query/top."""
    return TotalAnswer(
        columns=columns(answer.query),
        series=[
            TotalOut(group_of(series, answer.query), series.total, series.other)
            for series in answer.series
        ],
        meta=_meta(answer, circumstances),
        query=query_as_json(answer.query),
    )


def columns(query: SeriesQuery) -> list[str]:
    """The metrics' names, in the order of the figures."""
    return [metric.name for metric in query.metrics]


def group_of(series: Series, query: SeriesQuery) -> dict[str, GroupMember] | None:
    """The group's value by field; None for the rest, {} where nothing groups."""
    if series.other:
        return None
    return {
        field_name(field): plain(value) if isinstance(value, float) else value
        for field, value in zip(query.group_by, series.group, strict=True)
    }


def bucket_texts(query: SeriesQuery) -> Sequence[tuple[str, str]]:
    """Start and end of each bucket with the zone's offset."""
    zone = zone_of(query.timezone)
    edges = [bucket.start_ms for bucket in query.buckets]
    texts = [text_of(edge, zone) for edge in [*edges, *_last_end(query)]]
    return list(zip(texts, texts[1:], strict=False))


def _last_end(query: SeriesQuery) -> list[int]:
    return [query.buckets[-1].end_ms] if query.buckets else []


def _meta(
    answer: Answer, circumstances: Circumstances, *, interval: str | UnsetType = UNSET
) -> AnswerMeta:
    through_ms = circumstances.complete_through_ms
    return AnswerMeta(
        complete_through=None if through_ms is None else text_of(through_ms, zone_of("UTC")),
        generation=answer.generation,
        approximate={name: Approximate(error) for name, error in answer.approximate.items()},
        warnings=[
            WarningOut(warning.code, warning.field, warning.detail) for warning in answer.warnings
        ],
        source=answer.source,
        took_ms=circumstances.took_ms,
        interval=interval,
    )


def query_as_json(query: SeriesQuery) -> QueryOut:
    """The query as it ran: an absolute range, every default filled in."""
    zone = zone_of(query.timezone)
    return QueryOut(
        range=RangeOut(
            from_=text_of(query.from_ms, zone),
            to=text_of(query.to_ms, zone),
            timezone=query.timezone,
        ),
        interval=str(query.interval),
        week_start="sunday" if query.week_start_sunday else "monday",
        metrics=[
            MetricOut(
                metric.name,
                metric.agg.value,
                None if metric.field is None else field_name(metric.field),
            )
            for metric in query.metrics
        ],
        filter=filter_as_json(query.filter),
        group_by=[field_name(field) for field in query.group_by],
        limit=query.limit,
        other=query.other,
        fill=query.fill.value,
    )
