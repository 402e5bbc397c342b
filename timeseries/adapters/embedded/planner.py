"""Which relations answer a query: rollups where they are exact for it, documents elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from feed.event import HOUR_MS
from timeseries.adapters.embedded.catalog import SlotState
from timeseries.adapters.embedded.pieces import DOCUMENTS, Piece, clipped_buckets, cut
from timeseries.adapters.embedded.relations import (
    Documents,
    EventCounts,
    Numbers,
    Relation,
    States,
    ValueCounts,
    has_several,
)
from timeseries.adapters.embedded.schema import TIERS_MS
from timeseries.domain import (
    Agg,
    And,
    CoreField,
    Field,
    Filter,
    Metric,
    Not,
    Or,
    PropertyField,
    SeriesQuery,
)

_COUNTS = frozenset({Agg.COUNT, Agg.RATE})
_ADDITIVE = _COUNTS | {Agg.SUM, Agg.AVG, Agg.MIN, Agg.MAX}


@dataclass(frozen=True, slots=True)
class Pass:
    """Metrics, by their index in the query, that one statement over the same rows answers."""

    metrics: tuple[tuple[int, Metric], ...]
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered."""

    pieces: tuple[Piece, ...]
    passes: tuple[Pass, ...]
    uses_rollups: bool


def plan(query: SeriesQuery, states: States, *, rollups: bool) -> Plan:
    """The plan of a query; from documents alone without `rollups`."""
    buckets = clipped_buckets(query)
    tiers = _tiers(query, states) if rollups else ()
    pieces = tuple(cut(buckets, tiers))
    sources = {piece.source for piece in pieces}
    uses_rollups = bool(sources - {DOCUMENTS})
    passes = _rollup_passes(query, states) if uses_rollups else _document_passes(query, states)
    if uses_rollups and DOCUMENTS not in sources:
        passes = [Pass(each.metrics, each.relations[:1]) for each in passes]
    return Plan(pieces, tuple(passes), uses_rollups)


def _tiers(query: SeriesQuery, states: States) -> tuple[int, ...]:
    """The tiers that are exact for the query, widest first; none where only documents are."""
    fields = set(_properties(query, states))
    if any(metric.agg not in _ADDITIVE for metric in query.metrics):
        return ()
    if any(isinstance(field, CoreField) for field in fields) or len(fields) > 1:
        return ()
    numbers = [metric for metric in query.metrics if metric.agg not in _COUNTS]
    if any(not _is_number_rolled_up(metric.field, states) for metric in numbers):
        return ()
    if not fields:
        return (HOUR_MS,) if numbers else TIERS_MS
    (field,) = fields
    if numbers or _state(field, states).sealed:
        return ()
    return (HOUR_MS,)


def _is_number_rolled_up(field: Field | None, states: States) -> bool:
    return isinstance(field, PropertyField) and not _state(field, states).huge


def _state(field: Field, states: States) -> SlotState:
    slot = field.slot if isinstance(field, PropertyField) else None
    return states.get(-1 if slot is None else slot, SlotState())


def _properties(query: SeriesQuery, states: States) -> Iterator[Field]:
    """The fields that filter and groups ask for, less the event and those that no document has."""
    for field in [*_filter_fields(query.filter), *query.group_by]:
        if isinstance(field, PropertyField):
            if field.slot in states:
                yield PropertyField("", field.slot)
        elif field is not CoreField.EVENT:
            yield field


def _filter_fields(where: Filter) -> Iterator[Field]:
    match where:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _filter_fields(part)
        case Not(part):
            yield from _filter_fields(part)
        case _:
            yield where.field


def _document_passes(query: SeriesQuery, states: States) -> list[Pass]:
    """One for all metrics, but one for each field that has several values a document."""
    by_field: dict[PropertyField | None, list[tuple[int, Metric]]] = {}
    for index, metric in enumerate(query.metrics):
        field = metric.field if isinstance(metric.field, PropertyField) else None
        exploded = field if has_several(field, states) else None
        by_field.setdefault(exploded, []).append((index, metric))
    return [
        Pass(tuple(metrics), (Documents(states, exploded),))
        for exploded, metrics in by_field.items()
    ]


def _rollup_passes(query: SeriesQuery, states: States) -> list[Pass]:
    """One for the counts, and one for each property whose numbers are asked for; the rollup
    first, then the documents of what it does not cover."""
    by_slot: dict[int | None, list[tuple[int, Metric]]] = {}
    for index, metric in enumerate(query.metrics):
        by_slot.setdefault(_number_slot(metric, states), []).append((index, metric))
    fields = list(_properties(query, states))
    counted = ValueCounts(_slot(fields[0])) if fields else EventCounts()
    return [
        Pass(
            tuple(metrics),
            (counted if slot is None else Numbers(slot), _documents(metrics[0][1], states)),
        )
        for slot, metrics in by_slot.items()
    ]


def _documents(metric: Metric, states: States) -> Documents:
    field = metric.field if isinstance(metric.field, PropertyField) else None
    return Documents(states, field if has_several(field, states) else None)


def _number_slot(metric: Metric, states: States) -> int | None:
    field = metric.field
    is_known = isinstance(field, PropertyField) and field.slot in states
    return _slot(field) if is_known and metric.agg not in _COUNTS else None


def _slot(field: Field | None) -> int:
    if not isinstance(field, PropertyField) or field.slot is None:
        raise AssertionError("only properties with a slot are rolled up")
    return field.slot
