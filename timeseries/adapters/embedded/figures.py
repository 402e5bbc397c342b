"""A query answered within one snapshot: ranking of groups, points, totals and the rest."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar, cast

import apsw

from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import read_states
from timeseries.adapters.embedded.columns import (
    Finish,
    Parts,
    aggregation,
    combined,
    finisher,
)
from timeseries.adapters.embedded.fetching import fetch
from timeseries.adapters.embedded.grouped import Asked, Points, Statements, Stored
from timeseries.adapters.embedded.pieces import clipped_buckets, fill_pieces
from timeseries.adapters.embedded.planner import Pass, plan
from timeseries.adapters.embedded.relations import States, scale_of
from timeseries.adapters.embedded.values import Value, to_scalar
from timeseries.domain import (
    And,
    CoreField,
    Exists,
    Field,
    Figures,
    Filter,
    GroupFigures,
    GroupValue,
    Is,
    Not,
    Or,
    Scalar,
    SeriesQuery,
    StoreAnswer,
)
from timeseries.ports import ValueSeen

K = TypeVar("K")


def answer(
    connection: Connection, query: SeriesQuery, *, project_id: int, rollups: bool
) -> StoreAnswer:
    """The answer of one file. Call it inside `reading`."""
    asked = _Query(connection, query, project_id, rollups=rollups)
    groups = asked.groups() if query.group_by else [asked.whole()]
    return StoreAnswer(groups, "rollup" if asked.uses_rollups else "documents", {})


def values(
    connection: Connection,
    query: SeriesQuery,
    *,
    project_id: int,
    rollups: bool,
    prefix: str,
    limit: int,
) -> list[ValueSeen]:
    """Values of the query's one group field by its first metric, a count. Inside `reading`."""
    field = query.group_by[0]
    query = replace(query, filter=And((query.filter, Exists(field))))
    asked = _Query(connection, query, project_id, rollups=rollups)
    ranked = asked.ranked(limit=limit, prefix=prefix)
    decoded = asked.decoded([group for group, _ in ranked])
    return [
        ValueSeen(value, int(parts[0] or 0))
        for (_, parts), (value,) in zip(ranked, decoded, strict=True)
        if value is not None
    ]


class _Query:
    """One query at work."""

    def __init__(
        self, connection: Connection, query: SeriesQuery, project_id: int, *, rollups: bool
    ) -> None:
        self._query = query
        states = read_states(connection, project_id)
        chosen = plan(query, states, rollups=rollups)
        fill_pieces(connection, chosen.pieces)
        self._passes, self.uses_rollups = chosen.passes, chosen.uses_rollups
        self._finishers = _finishers(chosen.passes, states)
        self._connection = connection
        self._statements = Statements(connection, project_id)
        self._seconds = {
            index: (end - start) / 1000 for index, start, end in clipped_buckets(query)
        }

    def whole(self) -> GroupFigures:
        """All that matches, as one series; with zeros where nothing does."""
        found = self._found(Asked(self._query.filter), {})
        return found[()] if found else self._series(self._nothing(), {})

    def groups(self) -> list[GroupFigures]:
        """The groups shown, ranked, and the rest if it is asked for and there is any."""
        limit = self._query.limit
        ranked = self.ranked(limit=limit + 1)
        is_all = len(ranked) <= limit
        totals = dict(ranked[:limit])
        if not totals:
            return []
        asked = Asked(self._query.filter, self._query.group_by, None if is_all else list(totals))
        found = self._found(asked, totals)
        decoded = self.decoded(list(totals))
        shown = [
            replace(found[stored], group=group)
            for stored, group in zip(totals, decoded, strict=True)
        ]
        return shown if is_all or not self._query.other else shown + self._rest(decoded)

    def ranked(self, *, limit: int, prefix: str = "") -> list[tuple[Stored, Parts]]:
        """Groups by the first metric, each with the parts of the first pass."""
        asked = Asked(self._query.filter, self._query.group_by)
        return self._statements.rank(self._passes[0], asked, limit=limit, prefix=prefix)

    def decoded(self, stored: Sequence[Stored]) -> list[GroupValue]:
        """The groups as clients know them."""
        names = self._event_names(stored)
        return [
            tuple(
                _decoded(field, value, names)
                for field, value in zip(self._query.group_by, group, strict=True)
            )
            for group in stored
        ]

    def _event_names(self, stored: Sequence[Stored]) -> Mapping[object, str]:
        if not stored or CoreField.EVENT not in self._query.group_by:
            return {}
        index = self._query.group_by.index(CoreField.EVENT)
        ids = array("q", [cast(int, group[index]) for group in stored])
        found = fetch(
            self._connection,
            "SELECT id, name FROM event_names WHERE id IN carray(?)",
            (apsw.carray(ids, flags=apsw.SQLITE_CARRAY_INT64),),
        )
        return dict(found)

    def _rest(self, shown: Sequence[GroupValue]) -> list[GroupFigures]:
        """Events that match none of the groups shown, counted by filter."""
        where = And((self._query.filter, Not(_any_of(self._query.group_by, shown))))
        return [replace(rest, other=True) for rest in self._found(Asked(where), {}).values()]

    def _found(self, asked: Asked, ranked: Mapping[Stored, Parts]) -> dict[Stored, GroupFigures]:
        """The series of every group that has events; `ranked` are totals of the first pass, where
        they are known."""
        points = [self._statements.points(each, asked) for each in self._passes]
        totals = [
            ranked if ranked and each is self._passes[0] else self._totals(each, asked, found)
            for each, found in zip(self._passes, points, strict=True)
        ]
        total_of, points_of = _joined(totals), _joined_points(points)
        return {group: self._series(total_of[group], found) for group, found in points_of.items()}

    def _totals(self, each: Pass, asked: Asked, points: Points) -> Mapping[Stored, Parts]:
        kinds = [aggregation(metric.agg) for _, metric in each.metrics]
        if not all(kind.combines for kind in kinds):
            return self._statements.totals(each, asked)
        combines = [combine for kind in kinds for combine in kind.combines]
        return {group: combined(combines, found.values()) for group, found in points.items()}

    def _nothing(self) -> Parts:
        """The parts of no events."""
        count = sum(
            len(aggregation(metric.agg).parts)
            for each in self._passes
            for _, metric in each.metrics
        )
        return (None,) * count

    def _series(self, total: Parts, points: Mapping[int, Parts]) -> GroupFigures:
        """The figures of a group that is yet to be named."""
        seconds = (self._query.to_ms - self._query.from_ms) / 1000
        return GroupFigures((), self._figures(total, seconds), self._by_bucket(points))

    def _by_bucket(self, points: Mapping[int, Parts]) -> Mapping[int, Figures]:
        """Runs for every point of an answer: without a call in between for one metric."""
        seconds = self._seconds
        if len(self._finishers) == 1:
            finish = self._finishers[0]
            return {bucket: (finish(parts, seconds[bucket]),) for bucket, parts in points.items()}
        return {bucket: self._figures(parts, seconds[bucket]) for bucket, parts in points.items()}

    def _figures(self, parts: Parts, seconds: float) -> Figures:
        return tuple([finish(parts, seconds) for finish in self._finishers])


def _finishers(passes: Sequence[Pass], states: States) -> list[Finish]:
    """How each metric, in the query's order, is made of the parts of all passes joined."""
    by_metric: dict[int, Finish] = {}
    at = 0
    for each in passes:
        for index, metric in each.metrics:
            by_metric[index] = finisher(metric.agg, at, scale=scale_of(metric, states))
            at += len(aggregation(metric.agg).parts)
    return [by_metric[index] for index in sorted(by_metric)]


def _joined(found: Sequence[Mapping[K, Parts]]) -> Mapping[K, Parts]:
    """The parts of all passes, one after the other; every pass has the same keys."""
    if len(found) == 1:
        return found[0]
    return {key: tuple(chain.from_iterable(each[key] for each in found)) for key in found[0]}


def _joined_points(found: Sequence[Points]) -> Mapping[Stored, Mapping[int, Parts]]:
    if len(found) == 1:
        return found[0]
    return {group: _joined([each[group] for each in found]) for group in found[0]}


def _decoded(field: Field, value: Value | int | None, names: Mapping[object, str]) -> Scalar | None:
    if field is CoreField.EVENT:
        return names[value]
    return None if value is None else to_scalar(cast(Value, value))


def _any_of(group_by: Sequence[Field], groups: Sequence[GroupValue]) -> Filter:
    if len(group_by) == 1:
        present = tuple(value for (value,) in groups if value is not None)
        absent = [Not(Exists(group_by[0]))] if len(present) < len(groups) else []
        return Or((Is(group_by[0], present), *absent))
    return Or(
        tuple(
            And(
                tuple(
                    Not(Exists(field)) if value is None else Is(field, (value,))
                    for field, value in zip(group_by, group, strict=True)
                )
            )
            for group in groups
        )
    )
