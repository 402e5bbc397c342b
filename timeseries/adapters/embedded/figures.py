"""A query answered within one snapshot: ranking of groups, points, totals and the rest."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import apsw

from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import read_states
from timeseries.adapters.embedded.columns import Parts, aggregation, combine, figure
from timeseries.adapters.embedded.fetching import fetch
from timeseries.adapters.embedded.grouped import Row, Statements, Stored
from timeseries.adapters.embedded.pieces import clipped_buckets, fill_pieces
from timeseries.adapters.embedded.planner import plan
from timeseries.adapters.embedded.relations import scale_of
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

Buckets = dict[int, dict[int, Parts]]
"""Parts by bucket, then by metric."""


def answer(
    connection: Connection, query: SeriesQuery, *, project_id: int, rollups: bool
) -> StoreAnswer:
    """The answer of one file. Call it inside `reading`."""
    asked = _Asked(connection, query, project_id, rollups=rollups)
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
    asked = _Asked(connection, query, project_id, rollups=rollups)
    # An absent value can still rank where an array has other elements: one more than asked.
    ranked = asked.ranked(limit=limit, prefix=prefix)
    decoded = asked.decoded([row.group for row in ranked])
    return [
        ValueSeen(value, int(row.parts[0][0] or 0))
        for row, (value,) in zip(ranked, decoded, strict=True)
        if value is not None
    ]


class _Asked:
    """One query at work."""

    def __init__(
        self, connection: Connection, query: SeriesQuery, project_id: int, *, rollups: bool
    ) -> None:
        self._query = query
        self._states = read_states(connection, project_id)
        chosen = plan(query, self._states, rollups=rollups)
        fill_pieces(connection, chosen.pieces)
        self._passes, self.uses_rollups = chosen.passes, chosen.uses_rollups
        self._connection = connection
        self._statements = Statements(connection, project_id)
        self._spans_ms = {index: end - start for index, start, end in clipped_buckets(query)}

    def whole(self) -> GroupFigures:
        """All that matches, as one series; with zeros where nothing does."""
        return self._series((), self._found(self._query.filter).get((), {}))

    def groups(self) -> list[GroupFigures]:
        """The groups shown, ranked, and the rest if it is asked for and there is any."""
        limit = self._query.limit
        ranked = self.ranked(limit=limit + 1)
        stored = [row.group for row in ranked[:limit]]
        if not stored:
            return []
        found = self._found(self._query.filter, stored)
        decoded = self.decoded(stored)
        shown = [
            self._series(group, found.get(key, {}))
            for key, group in zip(stored, decoded, strict=True)
        ]
        if self._query.other and len(ranked) > limit:
            shown += self._rest(decoded)
        return shown

    def ranked(self, *, limit: int, prefix: str = "") -> list[Row]:
        """Groups by the first metric, and its parts (and those of the metrics in its pass)."""
        query = self._query
        return self._statements.rank(
            self._passes[0], query.filter, query.group_by, limit=limit, prefix=prefix
        )

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
        found = self._found(where).get((), {})
        return [replace(self._series((), found), other=True)] if found else []

    def _found(self, where: Filter, groups: Sequence[Stored] = ()) -> dict[Stored, Buckets]:
        """Points by group; the total, where buckets do not add up to it, as bucket -1."""
        found: dict[Stored, Buckets] = {}
        group_by = self._query.group_by if groups else ()
        for each in self._passes:
            rows = self._statements.rows(each, where, group_by, groups, by_bucket=True)
            _collect(rows, found)
            adds_up = all(aggregation(metric.agg).combines for _, metric in each.metrics)
            if not adds_up:
                totals = self._statements.rows(each, where, group_by, groups, by_bucket=False)
                _collect(totals, found, bucket=_TOTAL)
        return found

    def _series(self, group: GroupValue, buckets: Buckets) -> GroupFigures:
        totals = buckets.pop(_TOTAL, {})
        for index, metric in enumerate(self._query.metrics):
            if index not in totals:
                parts = [found[index] for found in buckets.values()]
                totals[index] = combine(metric.agg, parts)
        points = {
            bucket: self._figures(found, self._spans_ms[bucket])
            for bucket, found in sorted(buckets.items())
        }
        span_ms = self._query.to_ms - self._query.from_ms
        return GroupFigures(group, self._figures(totals, span_ms), points)

    def _figures(self, found: Mapping[int, Parts], span_ms: int) -> Figures:
        return tuple(
            figure(
                metric.agg,
                found.get(index, ()),
                seconds=span_ms / 1000,
                scale=scale_of(metric, self._states),
            )
            for index, metric in enumerate(self._query.metrics)
        )


_TOTAL = -1


def _collect(
    rows: Sequence[Row], found: dict[Stored, Buckets], *, bucket: int | None = None
) -> None:
    for row in rows:
        at = row.bucket if bucket is None else bucket
        found.setdefault(row.group, {}).setdefault(at, {}).update(row.parts)


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
