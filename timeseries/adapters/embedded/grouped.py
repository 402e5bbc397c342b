"""The statements of one query: groups ranked, points and totals, each over the rows of its plan."""

from collections.abc import Sequence
from dataclasses import dataclass

from feed.sqlite import Connection
from timeseries.adapters.embedded.columns import Column, Parts, aggregation
from timeseries.adapters.embedded.fetching import Found, fetch
from timeseries.adapters.embedded.planner import Pass
from timeseries.adapters.embedded.relations import Question
from timeseries.adapters.embedded.statement import Bindings
from timeseries.adapters.embedded.values import Value
from timeseries.domain import CoreField, Field, Filter

Stored = tuple[Value | int | None, ...]
"""A group as the file has it: ids of events, values as columns hold them."""
Points = dict[Stored, dict[int, Parts]]
"""The parts of a pass by group, then by bucket, ascending."""
ABSENT = b""
"""Stands for NULL where groups are compared; no value looks like it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: those that match, by group; of `groups` alone where it is given."""

    where: Filter
    group_by: tuple[Field, ...] = ()
    groups: Sequence[Stored] | None = None


@dataclass(frozen=True, slots=True)
class Statements:
    """Runs statements for one project on one connection."""

    connection: Connection
    project_id: int

    def rank(
        self, each: Pass, asked: Asked, *, limit: int, prefix: str
    ) -> list[tuple[Stored, Parts]]:
        """The first groups by the pass's first metric, descending, without values last; ties by
        value. With `prefix` only groups whose first value is a string that starts with it."""
        bindings = self._bindings()
        index, metric = each.metrics[0]
        order = [f"{_named(aggregation(metric.agg).order, index)} DESC NULLS LAST"]
        for place, field in enumerate(asked.group_by):
            order += [f"g{place} IS NULL", _sortable(field, place)]
        kept = "1"
        if prefix:
            name, text = bindings.add(prefix), _sortable(asked.group_by[0], 0)
            kept = f"{text} >= '' AND {text} < x'' AND substr({text}, 1, length({name})) = {name}"
        tail = f" ORDER BY {', '.join(order)} LIMIT {int(limit)}"
        return _by_group(self._run(each, asked, bindings, kept, tail=tail), asked)

    def points(self, each: Pass, asked: Asked) -> Points:
        """The parts by group and bucket; groups and buckets without events are absent."""
        bindings = self._bindings()
        rows = self._run(each, asked, bindings, _kept(asked, bindings), keys=["bucket"])
        first = 1 + len(asked.group_by)
        points: Points = {}
        for row in rows:
            group = row[1:first]
            if group not in points:
                points[group] = {}
            points[group][row[0]] = row[first:]
        return points

    def totals(self, each: Pass, asked: Asked) -> dict[Stored, Parts]:
        """The parts by group over the whole range."""
        bindings = self._bindings()
        return dict(_by_group(self._run(each, asked, bindings, _kept(asked, bindings)), asked))

    def _bindings(self) -> Bindings:
        return Bindings({"project": self.project_id})

    def _run(
        self,
        each: Pass,
        asked: Asked,
        bindings: Bindings,
        kept: str,
        *,
        keys: Sequence[str] = (),
        tail: str = "",
    ) -> list[Found]:
        question = Question(asked.where, asked.group_by, each.metrics)
        source = " UNION ALL ".join(
            relation.select(question, bindings) for relation in each.relations
        )
        keys = [*keys, *(f"g{index}" for index in range(len(asked.group_by)))]
        parts = [
            _named(part, index)
            for index, metric in each.metrics
            for part in aggregation(metric.agg).parts
        ]
        grouping = f" GROUP BY {', '.join(keys)}" if keys else ""
        return fetch(
            self.connection,
            f"SELECT {', '.join([*keys, *parts])} FROM ({source}) WHERE {kept}"
            f"{grouping} HAVING sum(n) > 0{tail}",
            bindings.values,
        )


def _by_group(rows: Sequence[Found], asked: Asked) -> list[tuple[Stored, Parts]]:
    width = len(asked.group_by)
    return [(row[:width], row[width:]) for row in rows]


def _named(sql: str, index: int) -> str:
    return sql.format(**{column.value: f"{column.value}{index}" for column in Column})


def _sortable(field: Field, index: int) -> str:
    if field is CoreField.EVENT:
        return f"(SELECT name FROM event_names WHERE id = g{index})"
    return f"g{index}"


def _kept(asked: Asked, bindings: Bindings) -> str:
    if asked.groups is None:
        return "1"
    found = ", ".join(f"coalesce(g{index}, x'')" for index in range(len(asked.group_by)))
    listed = ", ".join(
        "(" + ", ".join(bindings.add(ABSENT if v is None else v) for v in group) + ")"
        for group in asked.groups
    )
    return f"({found}) IN (VALUES {listed})"
