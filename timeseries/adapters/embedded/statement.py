"""Parts that every query's SQL is made of: bound values, and where a relation keeps its fields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

from timeseries.adapters.embedded.values import SEVERAL_SQL, Value, to_value
from timeseries.domain import (
    And,
    Compare,
    Compares,
    CoreField,
    Exists,
    Field,
    Filter,
    Is,
    Matches,
    Not,
    Or,
    PropertyField,
    Scalar,
    TextMatch,
)

Bound = Value | int
Test = Callable[[str], str]
"""From the SQL of a value that is not NULL to a condition that is never NULL."""


@dataclass(slots=True)
class Bindings:
    """The values of one statement, by name."""

    values: dict[str, Bound] = field(default_factory=dict)

    def add(self, value: Bound) -> str:
        """The name that stands for `value` in the SQL."""
        name = f"b{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def add_scalar(self, scalar: Scalar) -> str:
        """The same for a scalar of a query."""
        return self.add(to_value(scalar))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a relation keeps a field: the SQL of its value, NULL where it is absent.

    `slot` is given where the value may be SEVERAL: then the values are that slot's elements.
    """

    sql: str
    slot: int | None = None


NOWHERE = Place("NULL")


class Places(Protocol):
    """What a filter needs to know of the relation that it is compiled for."""

    @property
    def event_id(self) -> str:
        """The SQL of the event's id."""

    def place(self, field: CoreField | PropertyField) -> Place:
        """Where the field is; NOWHERE when no document has it. Never asked for EVENT."""


def compile_filter(where: Filter, places: Places, bindings: Bindings) -> str:
    """A condition over the relation's rows, true or false and never NULL.

    The statement binds `:project`; a place with a slot lies in `docs d`.
    """
    match where:
        case And(parts):
            return _joined(parts, " AND ", "1", places, bindings)
        case Or(parts):
            return _joined(parts, " OR ", "0", places, bindings)
        case Not(part):
            return f"NOT {compile_filter(part, places, bindings)}"
        case _:
            return _leaf(where.field, value_test(where, bindings), places)


def _joined(
    parts: tuple[Filter, ...], operator: str, empty: str, places: Places, bindings: Bindings
) -> str:
    if not parts:
        return empty
    return "(" + operator.join(compile_filter(part, places, bindings) for part in parts) + ")"


def _leaf(field: Field, test: Test, places: Places) -> str:
    if field is CoreField.EVENT:
        return (
            f"({places.event_id} IN (SELECT id FROM event_names"
            f" WHERE project_id = :project AND {test('name')}))"
        )
    place = places.place(field)
    if place.slot is None:
        return f"({place.sql} IS NOT NULL AND {test(place.sql)})"
    return (
        f"({place.sql} IS NOT NULL AND CASE WHEN {place.sql} = {SEVERAL_SQL} THEN"
        " EXISTS (SELECT 1 FROM elements f WHERE f.project_id = d.project_id AND f.key = d.key"
        f" AND f.slot = {place.slot} AND {test('f.value')}) ELSE {test(place.sql)} END)"
    )


def value_test(leaf: Is | Matches | Compares | Exists, bindings: Bindings) -> Test:
    """What the leaf asks of one value."""
    match leaf:
        case Is(values=values):
            names = ", ".join(bindings.add_scalar(value) for value in values)
            return lambda sql: f"{sql} IN ({names})"
        case Matches(match=match, values=texts):
            return _text_test(match, [bindings.add(text) for text in texts])
        case Compares(compare=compare, value=value):
            return _order_test(compare, bindings.add_scalar(value), isinstance(value, str))
        case Exists():
            return lambda sql: "1"


def _text_test(match: TextMatch, names: list[str]) -> Test:
    def test(sql: str) -> str:
        if match is TextMatch.CONTAINS:
            found = [f"instr({sql}, {name}) > 0" for name in names]
        else:
            found = [f"substr({sql}, 1, length({name})) = {name}" for name in names]
        return f"({is_text(sql)} AND {_any_of(found)})"

    return test


def _any_of(tests: list[str]) -> str:
    """Whether one of them holds, as a tree: SQLite refuses a chain of 1,000."""
    while len(tests) > 1:
        pairs = zip_longest(tests[::2], tests[1::2], fillvalue="0")
        tests = [f"({first} OR {second})" for first, second in pairs]
    return tests[0] if tests else "0"


def _order_test(compare: Compare, name: str, is_string: bool) -> Test:
    operator = {Compare.GT: ">", Compare.GTE: ">=", Compare.LT: "<", Compare.LTE: "<="}[compare]
    kind = is_text if is_string else is_number
    return lambda sql: f"({kind(sql)} AND {sql} {operator} {name})"


def is_number(sql: str) -> str:
    """Numbers sort before all else."""
    return f"{sql} < ''"


def is_text(sql: str) -> str:
    """Strings sort between numbers and bytes."""
    return f"({sql} >= '' AND {sql} < x'')"
