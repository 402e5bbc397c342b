"""From an event to its document: pure, and total over whatever ingest admits. Knows no framework
and no engine.

Nested objects flatten with dots, arrays give each of their elements, null is absence. What can't be
indexed is left out of the document and counted; the event still counts.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from feed.event import Event, key_hash
from timeseries.domain import Scalar
from timeseries.ports import Document

MAX_TEXT_BYTES = 8_191
"""UTF-8 bytes of a string; longer ones are not indexed."""
MAX_NAME_CHARS = 512
"""Characters of a flattened name, prefix included; longer ones are not indexed."""
MAX_NAMES = 1_000
"""Distinct flattened names of an event; those that come later in it are not indexed."""
_SURE_CHARS = MAX_TEXT_BYTES // 4
"""No string of so few characters has more bytes than the limit."""

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Flattened:
    """An event's properties by flattened name, `properties.a.b` or `context.x`, each with its
    values in order; `omitted` counts values that can't be indexed."""

    values: dict[str, list[Scalar]]
    omitted: int = 0


def flatten(event: Event) -> Flattened:
    """The properties and the context of an event. Raises ValueError when either is no JSON
    object."""
    flattened = Flattened({})
    for prefix, text in (("properties.", event.properties), ("context.", event.context)):
        if text == "{}":
            continue
        members = _decode(text)
        if not isinstance(members, dict):
            raise ValueError(f"{prefix[:-1]} is not a JSON object")
        _flatten_object(prefix, members, flattened)
    return flattened


def _flatten_object(prefix: str, members: Mapping[str, object], into: Flattened) -> None:
    for name, value in members.items():
        _flatten_value(prefix + name, value, into)


def _flatten_value(name: str, value: object, into: Flattened) -> None:
    kind = type(value)
    if kind is str:
        _keep(name, value, into, fits=_fits(value))  # type: ignore[arg-type]  # by its type
    elif kind is float or kind is int:
        number = _double(value)  # type: ignore[arg-type]  # by its type
        _keep(name, number, into, fits=math.isfinite(number))
    elif kind is bool:
        _keep(name, value, into, fits=True)  # type: ignore[arg-type]  # by its type
    elif isinstance(value, dict):
        _flatten_object(name + ".", value, into)
    elif isinstance(value, list):
        for element in value:
            _flatten_value(name, element, into)


def _keep(name: str, value: Scalar, into: Flattened, *, fits: bool) -> None:
    values = into.values.get(name)
    if not fits:
        into.omitted += 1
    elif values is not None:
        values.append(value)
    elif len(name) <= MAX_NAME_CHARS and len(into.values) < MAX_NAMES:
        into.values[name] = [value]
    else:
        into.omitted += 1


def _fits(text: str) -> bool:
    return len(text) <= _SURE_CHARS or len(text.encode()) <= MAX_TEXT_BYTES


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def names(event: Event) -> Iterable[str]:
    """The names that need a slot before `project`. Raises ValueError as `flatten`."""
    return flatten(event).values.keys()


def project(event: Event, version: int, slot_of: Mapping[str, int]) -> Document:
    """The document of an event. Properties without a slot are left out and counted.

    Raises ValueError as `flatten`.
    """
    return document(event, flatten(event), version=version, slot_of=slot_of)


def document(
    event: Event, flattened: Flattened, *, version: int, slot_of: Mapping[str, int]
) -> Document:
    """The same of an event that is flattened already."""
    strings: dict[int, tuple[str, ...]] = {}
    numbers: dict[int, tuple[float, ...]] = {}
    booleans: dict[int, tuple[bool, ...]] = {}
    omitted = flattened.omitted
    for name, values in flattened.values.items():
        slot = slot_of.get(name)
        if slot is None:
            omitted += len(values)
        elif len(values) == 1:
            _place_one(slot, values[0], strings, numbers, booleans)
        else:
            _place_several(slot, values, strings, numbers, booleans)
    return Document(
        project=event.project,
        key=event.key,
        version=version,
        occurred_at_ms=event.occurred_at_ms,
        event=event.event,
        type=event.type,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        session_id=event.session_id,
        strings=strings,
        numbers=numbers,
        booleans=booleans,
        hash24=key_hash(event.key, version),
        omitted=omitted,
    )


def _place_one(
    slot: int,
    value: Scalar,
    strings: dict[int, tuple[str, ...]],
    numbers: dict[int, tuple[float, ...]],
    booleans: dict[int, tuple[bool, ...]],
) -> None:
    if isinstance(value, str):
        strings[slot] = (value,)
    elif isinstance(value, bool):
        booleans[slot] = (value,)
    else:
        numbers[slot] = (value,)


def _place_several(
    slot: int,
    values: Iterable[Scalar],
    strings: dict[int, tuple[str, ...]],
    numbers: dict[int, tuple[float, ...]],
    booleans: dict[int, tuple[bool, ...]],
) -> None:
    texts = tuple(value for value in values if isinstance(value, str))
    flags = tuple(value for value in values if isinstance(value, bool))
    doubles = tuple(value for value in values if isinstance(value, float))
    if texts:
        strings[slot] = texts
    if flags:
        booleans[slot] = flags
    if doubles:
        numbers[slot] = doubles
