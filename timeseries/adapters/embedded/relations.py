"""Where figures are read: documents, or a rollup. Each gives rows of the same shape: (bucket, n,
g0.., metric columns), `n` documents a row, such that sums over them are figures.

Rows of a relation may take away what others of it add (n < 0); a group whose n is 0 has no events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from feed.event import HOUR_MS
from timeseries.adapters.embedded.catalog import SlotState
from timeseries.adapters.embedded.columns import SCALE, Column, aggregation
from timeseries.adapters.embedded.pieces import DOCUMENTS
from timeseries.adapters.embedded.schema import TIERS_MS, slot_column
from timeseries.adapters.embedded.statement import (
    NOWHERE,
    Bindings,
    Place,
    compile_filter,
    is_number,
)
from timeseries.adapters.embedded.values import SEVERAL_SQL
from timeseries.domain import Agg, CoreField, Field, Filter, Metric, PropertyField

States = Mapping[int, SlotState]
MetricColumn = tuple[int, Column]
"""A metric by its index in the query, and one of its columns."""


@dataclass(frozen=True, slots=True)
class Question:
    """What rows are asked for: those that match, with these groups and metrics (by index)."""

    where: Filter
    group_by: tuple[Field, ...]
    metrics: tuple[tuple[int, Metric], ...]

    def columns(self) -> list[tuple[int, Metric, Column]]:
        """Every metric column of the rows, in order."""
        return [
            (index, metric, column)
            for index, metric in self.metrics
            for column in aggregation(metric.agg).columns
        ]


class Relation(Protocol):
    """One place to read rows from."""

    def select(self, question: Question, bindings: Bindings) -> str:
        """The SQL of the rows; binds what it needs, and `:project`."""


def scale_of(metric: Metric, states: States) -> float:
    """What the metric's numbers are multiplied with while they are summed."""
    is_huge = isinstance(metric.field, PropertyField) and _state(metric.field, states).huge
    return SCALE if is_huge and aggregation(metric.agg).is_scaled else 1.0


def has_several(field: Field | None, states: States) -> bool:
    """Whether some document has several values of the field."""
    return isinstance(field, PropertyField) and _state(field, states).several


def _state(field: PropertyField, states: States) -> SlotState:
    return states.get(-1 if field.slot is None else field.slot, SlotState())


@dataclass(frozen=True, slots=True)
class Documents:
    """Rows from documents, one each; with `exploded`, a field with several values, one for each of
    its values, and then `n` is no count of documents."""

    states: States
    exploded: PropertyField | None = None

    event_id = "d.event_id"

    def place(self, field: CoreField | PropertyField) -> Place:
        """The document's column."""
        if isinstance(field, CoreField):
            return Place(f"d.{field.value}")
        if field.slot is None or field.slot not in self.states:
            return NOWHERE
        several = self.states[field.slot].several
        return Place(f"d.{slot_column(field.slot)}", field.slot if several else None)

    def select(self, question: Question, bindings: Bindings) -> str:
        """See Relation."""
        columns = ["p.bucket AS bucket", "1 AS n"]
        joins: list[str] = []
        for index, field in enumerate(question.group_by):
            columns.append(f"{self._exploding(field, f'g{index}', joins)} AS g{index}")
        if self.exploded is not None:
            self._exploding(self.exploded, "m", joins, every=True)
        for index, metric, column in question.columns():
            columns.append(f"{self._metric(metric, column)} AS {column.value}{index}")
        where = compile_filter(question.where, self, bindings)
        return (
            f"SELECT {', '.join(columns)} FROM temp.pieces p CROSS JOIN docs d"
            f" {' '.join(joins)} WHERE p.source = {DOCUMENTS} AND d.project_id = :project"
            f" AND d.key >= p.low AND d.key < p.high AND {where}"
        )

    def _exploding(self, field: Field, alias: str, joins: list[str], *, every: bool = False) -> str:
        """The SQL of the field's values, one a row; repeated ones too with `every`."""
        if field is CoreField.EVENT:
            return self.event_id
        place = self.place(field)
        if place.slot is None:
            return place.sql
        again = "" if every else f" AND {alias}.again = 0"
        joins.append(
            f"LEFT JOIN elements {alias} ON {place.sql} = {SEVERAL_SQL}"
            f" AND {alias}.project_id = d.project_id AND {alias}.key = d.key"
            f" AND {alias}.slot = {place.slot}{again}"
        )
        return f"coalesce({alias}.value, {place.sql})"

    def _metric(self, metric: Metric, column: Column) -> str:
        value = self._metric_value(metric.field)
        if metric.agg is Agg.UNIQUE:
            return value
        number = f"CASE WHEN {is_number(value)} THEN {value} END"
        scale = scale_of(metric, self.states)
        if column is Column.COUNT:
            return f"({number}) IS NOT NULL"
        if column is Column.LOW:
            return "0.0"
        return number if scale == 1.0 else f"({number}) * {scale!r}"

    def _metric_value(self, field: Field | None) -> str:
        if field is None:
            return NOWHERE.sql
        if field is CoreField.EVENT:
            return "CAST(d.event_id AS TEXT)"  # never a number, and as distinct as the name
        if field == self.exploded:
            return f"coalesce(m.value, {self.place(field).sql})"
        return self.place(field).sql


@dataclass(frozen=True, slots=True)
class _Cells:
    """Where the rows of a rollup keep what filters and groups may ask of them."""

    property_slot: int | None = None
    property_sql: str = NOWHERE.sql

    event_id = "r.event_id"

    def place(self, field: CoreField | PropertyField) -> Place:
        """The value of the one property that is rolled up; the planner asks for no other."""
        if isinstance(field, PropertyField) and field.slot == self.property_slot:
            return Place(self.property_sql)
        return NOWHERE

    def select(
        self, question: Question, bindings: Bindings, source: str, columns: Sequence[str]
    ) -> str:
        """Rows of `source` (`r`, joined to pieces `p`) with `columns` after the bucket."""
        groups = [
            f"{self.event_id if field is CoreField.EVENT else self.place(field).sql} AS g{index}"
            for index, field in enumerate(question.group_by)
        ]
        where = compile_filter(question.where, self, bindings)
        listed = ", ".join(["p.bucket AS bucket", columns[0], *groups, *columns[1:]])
        return f"SELECT {listed} FROM temp.pieces p CROSS JOIN {source} AND {where}"


def _rows(table: str, condition: str) -> str:
    return (
        f"{table} r ON r.project_id = :project AND r.time >= p.low AND r.time < p.high"
        f" AND {condition}"
    )


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Documents by event name, from every tier."""

    def select(self, question: Question, bindings: Bindings) -> str:
        """See Relation; metrics other than counts have no values here."""
        tiers = ", ".join(map(str, TIERS_MS))
        source = _rows("counts", "r.tier = p.source") + f" WHERE p.source IN ({tiers})"
        columns = [
            "r.n AS n",
            *(_nothing(column, index) for index, _, column in question.columns()),
        ]
        return _Cells().select(question, bindings, source, columns)


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Documents by event name and the value of one property, absence included: all documents less
    those with a value, which is exact since none has two."""

    slot: int

    def select(self, question: Question, bindings: Bindings) -> str:
        """See Relation; counts alone."""
        hour = f" WHERE p.source = {HOUR_MS}"
        values = _rows("value_counts", f"r.slot = {self.slot}")
        counts = _rows("counts", f"r.tier = {HOUR_MS}")
        named = f"{values} CROSS JOIN slot_values v ON v.id = r.value_id{hour}"
        present, absent = _Cells(self.slot, "v.value"), _Cells(self.slot)
        return " UNION ALL ".join(
            [
                present.select(question, bindings, named, ["r.n AS n"]),
                absent.select(question, bindings, counts + hour, ["r.n AS n"]),
                absent.select(question, bindings, values + hour, ["-r.n AS n"]),
            ]
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Count, sum, least and most of one property's numbers by event name; and every document, so
    that groups without numbers are there."""

    slot: int

    def select(self, question: Question, bindings: Bindings) -> str:
        """See Relation; every metric is one of this property."""
        hour = f" WHERE p.source = {HOUR_MS}"
        asked = question.columns()
        numbers = ["0 AS n", *(_cell(metric, column, index) for index, metric, column in asked)]
        counts = ["r.n AS n", *(_nothing(column, index) for index, _, column in asked)]
        return " UNION ALL ".join(
            [
                _Cells().select(
                    question, bindings, _rows("numbers", f"r.slot = {self.slot}") + hour, numbers
                ),
                _Cells().select(
                    question, bindings, _rows("counts", f"r.tier = {HOUR_MS}") + hour, counts
                ),
            ]
        )


def _cell(metric: Metric, column: Column, index: int) -> str:
    extreme = "least" if metric.agg is Agg.MIN else "most"
    names = {Column.VALUE: extreme, Column.COUNT: "n", Column.TOTAL: "total", Column.LOW: "low"}
    return f"r.{names[column]} AS {column.value}{index}"


def _nothing(column: Column, index: int) -> str:
    return f"NULL AS {column.value}{index}"
