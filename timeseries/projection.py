"""From an event to its document: pure, and total over whatever ingest admits. Knows no framework
and no engine.

Nested objects flatten with dots, arrays give each of their elements, null is absence. What can't be
indexed is left out of the document and counted; the event still counts.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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

_PROPERTIES, _CONTEXT = "properties.", "context."
_EXACT_INTEGERS = 2**53
_USUAL_NUMBER = 1e300
_MAX_KEPT_NAMES = 2_000
_NUMBERS = (float, int)
_decode = msgspec.json.Decoder().decode
UNPROJECTABLE = (ValueError, RecursionError)
"""What `flatten` raises of an event that can never be projected."""


class Several(list[Scalar]):
    """More than one value of a property, in order."""


@dataclass(slots=True)
class Flattened:
    """An event's properties by flattened name, `properties.a.b` or `context.x`; `omitted` counts
    values that can't be indexed."""

    values: dict[str, Scalar | Several]
    has_several: bool = False
    omitted: int = 0


def flatten(event: Event) -> Flattened:
    """The properties and the context of an event. Raises ValueError when either is no JSON
    object."""
    flattened = Flattened({})
    for prefix, text in ((_PROPERTIES, event.properties), (_CONTEXT, event.context)):
        if text == "{}":
            continue
        members = _decode(text)
        if not isinstance(members, dict):
            raise ValueError(f"{prefix[:-1]} is not a JSON object")
        _flatten_object(prefix, members, flattened)
    return flattened


def _flatten_object(prefix: str, members: Mapping[str, object], into: Flattened) -> None:
    """Runs for every event: scalars of ordinary size are kept without a call, by their type; all
    else goes the long way, which gives the same."""
    values, kept_names = into.values, _KEPT_NAMES.get(prefix)
    for member, value in members.items():
        name = prefix + member if kept_names is None else kept_names[member]
        kind = type(value)
        kept: Any = value
        if kind is str:
            is_usual = len(kept) <= _SURE_CHARS
        elif kind is int:
            is_usual = -_EXACT_INTEGERS < kept < _EXACT_INTEGERS
            kept = float(kept) if is_usual else kept
        elif kind is float:
            is_usual = -_USUAL_NUMBER < kept < _USUAL_NUMBER
            kept += 0.0  # so that -0.0 is 0.0
        else:
            is_usual = kind is bool
        if (
            is_usual
            and name not in values
            and len(name) <= MAX_NAME_CHARS
            and len(values) < MAX_NAMES
        ):
            values[name] = kept
        else:
            _flatten_value(name, value, into)


class _NamesBelow(dict[str, str]):
    """Flattened names of members, kept with their hashes: most events have the same ones."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, member: str) -> str:
        name = self._prefix + member
        if len(self) < _MAX_KEPT_NAMES and len(name) <= MAX_NAME_CHARS:
            self[member] = name
        return name


_KEPT_NAMES = {prefix: _NamesBelow(prefix) for prefix in (_PROPERTIES, _CONTEXT)}


def _flatten_value(name: str, value: object, into: Flattened) -> None:
    if isinstance(value, str):
        if len(value) > _SURE_CHARS and len(value.encode()) > MAX_TEXT_BYTES:
            into.omitted += 1
        else:
            _keep(name, value, into)
    elif isinstance(value, bool):
        _keep(name, value, into)
    elif isinstance(value, _NUMBERS):
        _keep_number(name, value, into)
    elif isinstance(value, dict):
        _flatten_object(name + ".", value, into)
    elif isinstance(value, list):
        for element in value:
            _flatten_value(name, element, into)


def _keep_number(name: str, value: float, into: Flattened) -> None:
    """Whole numbers as doubles too; -0.0 as 0.0, since the two are equal."""
    try:
        number = value + 0.0
    except OverflowError:
        number = math.inf
    if math.isfinite(number):
        _keep(name, number, into)
    else:
        into.omitted += 1


def _keep(name: str, value: Scalar, into: Flattened) -> None:
    values = into.values
    if name in values:
        _keep_more(name, value, into)
    elif len(name) <= MAX_NAME_CHARS and len(values) < MAX_NAMES:
        values[name] = value
    else:
        into.omitted += 1


def _keep_more(name: str, value: Scalar, into: Flattened) -> None:
    held = into.values[name]
    into.has_several = True
    if isinstance(held, Several):
        held.append(value)
    else:
        into.values[name] = Several((held, value))


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
    for name, value in flattened.values.items():
        slot, kind = slot_of.get(name), type(value)
        if slot is None:
            omitted += len(value) if isinstance(value, Several) else 1
        elif kind is str:
            strings[slot] = (value,)  # type: ignore[assignment]  # by its type
        elif kind is float:
            numbers[slot] = (value,)  # type: ignore[assignment]
        elif kind is bool:
            booleans[slot] = (value,)  # type: ignore[assignment]
        elif isinstance(value, Several):
            _place_several(slot, value, strings, numbers, booleans)
    return Document(
        event.project,
        event.key,
        version,
        event.occurred_at_ms,
        event.event,
        event.type,
        event.user_id,
        event.anonymous_id,
        event.session_id,
        strings,
        numbers,
        booleans,
        key_hash(event.key, version),
        omitted,
    )


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
