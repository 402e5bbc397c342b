"""The statements of one query: groups ranked, points and totals, each over the rows of its plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feed.sqlite import Connection
from timeseries.adapters.embedded.columns import Aggregation, Column, Parts, aggregation
from timeseries.adapters.embedded.planner import Pass
from timeseries.adapters.embedded.relations import Question
from timeseries.adapters.embedded.statement import Bindings
from timeseries.adapters.embedded.values import Value
from timeseries.domain import CoreField, Field, Filter

Stored = tuple[Value | int | None, ...]
"""A group as the file has it: ids of events, values as columns hold them."""
ABSENT = b""
"""Stands for NULL where groups are compared; no value looks like it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The parts of each metric of a pass, by the metric's index, for a group and a bucket (0 where
    all are one)."""

    bucket: int
    group: Stored
    parts: dict[int, Parts]


@dataclass(frozen=True, slots=True)
class Statements:
    """Runs statements for one project on one connection."""

    connection: Connection
    project_id: int

    def rank(
        self, each: Pass, where: Filter, group_by: tuple[Field, ...], *, limit: int, prefix: str
    ) -> list[Row]:
        """The first groups by the pass's first metric, descending, without values last; ties by
        value. With `prefix` only groups whose first value is a string that starts with it."""
        bindings = self._bindings()
        first = aggregation(each.metrics[0][1].agg)
        order = [f"{_named(first.order, each.metrics[0][0])} DESC NULLS LAST"]
        for index, field in enumerate(group_by):
            order += [f"g{index} IS NULL", _sortable(field, index)]
        kept = "1"
        if prefix:
            name = bindings.add(prefix)
            text = _sortable(group_by[0], 0)
            kept = f"{text} >= '' AND {text} < x'' AND substr({text}, 1, length({name})) = {name}"
        tail = f" ORDER BY {', '.join(order)} LIMIT {int(limit)}"
        return list(self._rows(each, Question(where, group_by, each.metrics), bindings, kept, tail))

    def rows(
        self,
        each: Pass,
        where: Filter,
        group_by: tuple[Field, ...] = (),
        groups: Sequence[Stored] = (),
        *,
        by_bucket: bool,
    ) -> list[Row]:
        """The parts of these groups, or of all that matches where nothing is grouped."""
        bindings = self._bindings()
        kept = _is_one_of(groups, bindings) if group_by else "1"
        question = Question(where, group_by, each.metrics)
        return list(self._rows(each, question, bindings, kept, "", by_bucket=by_bucket))

    def _bindings(self) -> Bindings:
        return Bindings({"project": self.project_id})

    def _rows(
        self,
        each: Pass,
        question: Question,
        bindings: Bindings,
        kept: str,
        tail: str,
        *,
        by_bucket: bool = False,
    ) -> Iterator[Row]:
        source = " UNION ALL ".join(
            relation.select(question, bindings) for relation in each.relations
        )
        keys = ["bucket" if by_bucket else "0"]
        keys += [f"g{index}" for index in range(len(question.group_by))]
        parts = [
            _named(part, index)
            for index, metric in question.metrics
            for part in aggregation(metric.agg).parts
        ]
        grouped = ", ".join(keys if by_bucket else keys[1:])
        sql = (
            f"SELECT {', '.join(keys + parts)} FROM ({source}) WHERE {kept}"
            f"{f' GROUP BY {grouped}' if grouped else ''} HAVING sum(n) > 0{tail}"
        )
        split = [(index, aggregation(metric.agg)) for index, metric in question.metrics]
        for row in self.connection.execute(sql, bindings.values):
            yield _row(row, len(keys), split)


def _row(
    row: Sequence[Value | int | None], keys: int, split: Sequence[tuple[int, Aggregation]]
) -> Row:
    parts: dict[int, Parts] = {}
    at = keys
    for index, kind in split:
        parts[index] = row[at : at + len(kind.parts)]  # type: ignore[assignment]  # aggregates
        at += len(kind.parts)
    bucket = row[0]
    return Row(int(bucket or 0), tuple(row[1:keys]), parts)


def _named(sql: str, index: int) -> str:
    return sql.format(**{column.value: f"{column.value}{index}" for column in Column})


def _sortable(field: Field, index: int) -> str:
    if field is CoreField.EVENT:
        return f"(SELECT name FROM event_names WHERE id = g{index})"
    return f"g{index}"


def _is_one_of(groups: Sequence[Stored], bindings: Bindings) -> str:
    width = len(groups[0])
    found = ", ".join(f"coalesce(g{index}, x'')" for index in range(width))
    listed = ", ".join(
        "(" + ", ".join(bindings.add(ABSENT if v is None else v) for v in group) + ")"
        for group in groups
    )
    return f"({found}) IN (VALUES {listed})"
