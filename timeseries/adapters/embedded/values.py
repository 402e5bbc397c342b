"""How the file tells JSON types apart: a string is TEXT, a number REAL, a boolean one byte, absence
NULL.

SQLite then orders and compares them as Weir does: numbers, strings by code point, false, true; a
number never equals a string or a boolean. A property with several values (an array) holds SEVERAL
and its values lie in table `elements`.
"""

from timeseries.domain import Scalar
from timeseries.ports import Document

Value = str | float | bytes
"""A scalar as it lies in a column."""

FALSE = b"\x00"
TRUE = b"\x01"
_FLAGS = (FALSE, TRUE)
SEVERAL = b"\x02"
SEVERAL_SQL = "x'02'"
HUGE = 2.0**900
"""Numbers beyond it could make a sum overflow half-way: they are summed scaled, and not rolled
up."""


def to_value(scalar: Scalar) -> Value:
    """The scalar as a column holds it; -0.0 as 0.0, since the two are equal."""
    if isinstance(scalar, bool):
        return TRUE if scalar else FALSE
    return scalar if isinstance(scalar, str) else float(scalar) + 0.0


def to_scalar(value: Value) -> Scalar:
    """The inverse of `to_value`."""
    return value == TRUE if isinstance(value, bytes) else value


def document_values(document: Document) -> dict[int, tuple[Value, ...]]:
    """Every slot of the document with all its values, none of them empty."""
    strings, numbers, booleans = document.strings, document.numbers, document.booleans
    flags = {slot: tuple(map(_FLAGS.__getitem__, found)) for slot, found in booleans.items()}
    values: dict[int, tuple[Value, ...]] = {**strings, **numbers, **flags}
    if len(values) < len(strings) + len(numbers) + len(flags):
        for slot in values:
            values[slot] = (
                *strings.get(slot, ()),
                *numbers.get(slot, ()),
                *flags.get(slot, ()),
            )
    return values
