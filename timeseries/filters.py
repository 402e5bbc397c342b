"""The filter grammar: lists as clients and tokens write them, to filters and back. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timeseries.domain import (
    EVERYTHING,
    MAX_FILTER_DEPTH,
    MAX_FILTER_NODES,
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
    Scalar,
    TextMatch,
    field_name,
)
from timeseries.errors import invalid_query
from timeseries.fields import parse_field

MAX_VALUES = 1_000
"""Of one operator."""
MAX_FILTER_VALUES = 2_000
"""Of all operators: engines take longer to read a query with more than to answer it."""
MAX_TEXT_CHARS = 8_191
"""No longer string is in the view, so none can match."""


def parse_filter(value: object, path: str = "filter") -> Filter:
    """The filter that `["and", ["is", "event", ["signup"]], …]` and its like mean; everything for
    None.

    Raises QueryRefused whose field is a JSON path such as `filter[1][2]`.
    """
    return EVERYTHING if value is None else _Parser().parse(value, path, depth=1)


@dataclass(slots=True)
class _Parser:
    """Counts the nodes and the values of one filter while it reads them."""

    nodes: int = 0
    values: int = 0

    def parse(self, value: object, path: str, *, depth: int) -> Filter:
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            raise invalid_query(path, f'{path} takes a list such as ["is", "event", ["signup"]]')
        self.nodes += 1
        if self.nodes > MAX_FILTER_NODES:
            raise invalid_query(path, f"a filter has at most {MAX_FILTER_NODES} operators")
        if depth > MAX_FILTER_DEPTH:
            raise invalid_query(path, f"a filter is at most {MAX_FILTER_DEPTH} operators deep")
        operator, operands = value[0], value[1:]
        if operator in ("and", "or", "not"):
            return self._combined(operator, operands, path, depth)
        if operator not in _LEAVES:
            known = ", ".join(["and", "or", "not", *_LEAVES])
            raise invalid_query(f"{path}[0]", f"{path}[0] is no operator: it takes {known}")
        self._count_values(operands, path)
        return _LEAVES[operator](operands, path)

    def _count_values(self, operands: Sequence[object], path: str) -> None:
        self.values += sum(len(part) if isinstance(part, list) else 1 for part in operands[1:])
        if self.values > MAX_FILTER_VALUES:
            raise invalid_query(path, f"a filter has at most {MAX_FILTER_VALUES} values")

    def _combined(self, operator: str, operands: Sequence[object], path: str, depth: int) -> Filter:
        if operator == "not" and len(operands) != 1:
            raise invalid_query(path, f"{path}: not takes one filter")
        parts = tuple(
            self.parse(operand, f"{path}[{index}]", depth=depth + 1)
            for index, operand in enumerate(operands, start=1)
        )
        if operator == "not":
            return Not(parts[0])
        return And(parts) if operator == "and" else Or(parts)


def _is(operands: Sequence[object], path: str) -> Filter:
    field = _field_of(operands, path, count=2)
    values = [_scalar(value, field, at) for value, at in _value_list(operands[1], f"{path}[2]")]
    return Is(field, tuple(values))


def _matches(match: TextMatch) -> Callable[[Sequence[object], str], Filter]:
    def parse(operands: Sequence[object], path: str) -> Filter:
        field = _field_of(operands, path, count=2)
        values = [_text(value, at) for value, at in _value_list(operands[1], f"{path}[2]")]
        return Matches(field, match, tuple(values))

    return parse


def _compares(compare: Compare) -> Callable[[Sequence[object], str], Filter]:
    def parse(operands: Sequence[object], path: str) -> Filter:
        field = _field_of(operands, path, count=2)
        value = _scalar(operands[1], field, f"{path}[2]")
        if isinstance(value, bool):
            raise invalid_query(f"{path}[2]", f"{path}[2] takes a number or a string")
        return Compares(field, compare, value)

    return parse


def _exists(operands: Sequence[object], path: str) -> Filter:
    return Exists(_field_of(operands, path, count=1))


def _negated(
    parse: Callable[[Sequence[object], str], Filter],
) -> Callable[[Sequence[object], str], Filter]:
    return lambda operands, path: Not(parse(operands, path))


_LEAVES: dict[str, Callable[[Sequence[object], str], Filter]] = {
    "is": _is,
    "is_not": _negated(_is),
    "contains": _matches(TextMatch.CONTAINS),
    "not_contains": _negated(_matches(TextMatch.CONTAINS)),
    "starts_with": _matches(TextMatch.STARTS_WITH),
    "gt": _compares(Compare.GT),
    "gte": _compares(Compare.GTE),
    "lt": _compares(Compare.LT),
    "lte": _compares(Compare.LTE),
    "exists": _exists,
}


def _field_of(operands: Sequence[object], path: str, *, count: int) -> Field:
    if len(operands) != count:
        asked = "a field" if count == 1 else "a field and what it is compared with"
        raise invalid_query(path, f"{path} takes {asked}")
    return parse_field(operands[0], f"{path}[1]")


def _value_list(value: object, path: str) -> list[tuple[object, str]]:
    """The values with their paths; a lone value stands for a list of one."""
    if not isinstance(value, list):
        return [(value, path)]
    if not 1 <= len(value) <= MAX_VALUES:
        raise invalid_query(path, f"{path} takes 1 to {MAX_VALUES} values")
    return [(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _scalar(value: object, field: Field, path: str) -> Scalar:
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(field, CoreField):
        raise invalid_query(path, f"{path} takes a string: {field.value} has no other values")
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _double(value, path)
    raise invalid_query(path, f"{path} takes a string, a number, true or false")


def _double(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid_query(path, f"{path} is beyond what a double can hold")
    return number


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise invalid_query(path, f"{path} takes a string of at most {MAX_TEXT_CHARS} characters")
    return value


def both(first: Filter, second: Filter) -> Filter:
    """Events that match the two."""
    if first == EVERYTHING:
        return second
    return first if second == EVERYTHING else And((first, second))


def filter_as_json(where: Filter) -> list[object] | None:
    """The filter as `parse_filter` reads it; None for everything."""
    return None if where == EVERYTHING else _as_json(where)


def _as_json(where: Filter) -> list[object]:
    match where:
        case Is(field, values):
            return ["is", field_name(field), list(values)]
        case Matches(field, match, texts):
            return [match.value, field_name(field), list(texts)]
        case Compares(field, compare, value):
            return [compare.value, field_name(field), value]
        case Exists(field):
            return ["exists", field_name(field)]
        case And(parts):
            return ["and", *map(_as_json, parts)]
        case Or(parts):
            return ["or", *map(_as_json, parts)]
        case Not(part):
            return ["not", _as_json(part)]


def fields_of(where: Filter) -> list[Field]:
    """Every field that the filter names, in order, repeated as it repeats them."""
    match where:
        case And(parts) | Or(parts):
            return [field for part in parts for field in fields_of(part)]
        case Not(part):
            return fields_of(part)
        case Is() | Matches() | Compares() | Exists():
            return [where.field]


def with_fields(where: Filter, replace: Callable[[Field], Field]) -> Filter:
    """The same filter with each field replaced."""
    match where:
        case Is(field, values):
            return Is(replace(field), values)
        case Matches(field, match, texts):
            return Matches(replace(field), match, texts)
        case Compares(field, compare, value):
            return Compares(replace(field), compare, value)
        case Exists(field):
            return Exists(replace(field))
        case And(parts):
            return And(tuple(with_fields(part, replace) for part in parts))
        case Or(parts):
            return Or(tuple(with_fields(part, replace) for part in parts))
        case Not(part):
            return Not(with_fields(part, replace))
