"""The rules for `properties` and `context`, checked on their text in full (docs/decisions/0017).

An object; valid UTF-8; no NUL; no lone surrogate; names of 1 to 200 characters, each once in its
object; depth at most 20; finite numbers; integers within 64 bit, signed or unsigned.

`fault_in` tries quick checks that are sufficient, never necessary: what they do not pass is read
again by the careful one, which alone decides and says where the fault lies.
"""

import json
from collections.abc import Iterator
from math import isinf
from typing import Annotated, Any, NamedTuple

import msgspec

from access.texts import is_text

MAX_DEPTH = 20
MAX_NAME_CHARS = 200
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1
_MAX_INTEGER_DIGITS = 21  # with sign; longer ones need not be converted to be known as too large
_MAX_PATH_CHARS = 200
_QUICK_DEPTH = 6  # making the type costs 2 ** depth; what nests deeper is read carefully

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]
_Integer = Annotated[int, msgspec.Meta(ge=MIN_INTEGER, le=2**63 - 1)]


def _nested_type(depth: int) -> Any:  # Any: a type made at run time
    """The type of an object that nests at most `depth` deep, so that one decoding checks depth,
    names and numbers."""
    scalar: Any = None | bool | _Integer | float | str
    value: Any = scalar
    for _ in range(depth - 1):
        value = scalar | list[value] | dict[_Name, value]
    return dict[_Name, value]


_QUICK = msgspec.json.Decoder(_nested_type(_QUICK_DEPTH))
_ENCODER = msgspec.json.Encoder()


def fault_in(text: bytes) -> str | None:
    """None when the text is an object that keeps every rule; else the path of the first member
    that breaks one, "" for the text as a whole."""
    try:
        found = _QUICK.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _careful_fault(text)
    # Most clients write what msgspec would write: then nothing was lost in decoding, so that no
    # name came twice. This line is all that happens to most objects.
    if b"\\" not in text and _ENCODER.encode(found) == text:
        return None
    if _names_are_unique(text, found) and not holds_escaped_nul(text):
        return None
    return _careful_fault(text)


def holds_escaped_nul(text: bytes) -> bool:
    """Whether a NUL may be in a string of the text: JSON has it only as an escape."""
    return b"\\" in text and b"\\u0000" in text


def _names_are_unique(text: bytes, found: dict[str, Any]) -> bool:
    """Whether there are as many distinct names as names; now and then False although there are.

    Every name ends in `":` where no whitespace comes before a colon; `":` within a string counts
    too many.
    """
    name_count = text.count(b'":')
    if text.count(b":") != name_count and _may_have_gaps(text):
        return False
    return name_count == (len(found) if text.count(b"{") == 1 else _count_names(found))


def _may_have_gaps(text: bytes) -> bool:
    """Whether whitespace comes before a colon anywhere; single bytes are looked for first, which is
    several times faster."""
    return (
        (b" " in text and b" :" in text)
        or (b"\n" in text and b"\n:" in text)
        or (b"\t" in text and b"\t:" in text)
        or (b"\r" in text and b"\r:" in text)
    )


def _count_names(value: dict[str, Any]) -> int:
    count = len(value)
    for part in value.values():
        if type(part) is dict:
            count += _count_names(part)
        elif type(part) is list:
            count += _count_names_within(part)
    return count


def _count_names_within(values: list[Any]) -> int:
    count = 0
    for value in values:
        if type(value) is dict:
            count += _count_names(value)
        elif type(value) is list:
            count += _count_names_within(value)
    return count


class _Members(NamedTuple):
    """An object as its pairs, so that a name that comes twice shows."""

    pairs: list[tuple[str, Any]]


class _OutOfRange(NamedTuple):
    """A number that no store could hold as it is."""


def _integer(digits: str) -> int | _OutOfRange:
    if len(digits) > _MAX_INTEGER_DIGITS or not MIN_INTEGER <= int(digits) <= MAX_INTEGER:
        return _OutOfRange()
    return int(digits)


def _real(digits: str) -> float | _OutOfRange:
    number = float(digits)
    return _OutOfRange() if isinf(number) else number


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=_integer,
    parse_float=_real,
    parse_constant=_constant,
)


def _careful_fault(text: bytes) -> str | None:
    try:
        root = _CAREFUL.decode(text.decode())
    except (ValueError, RecursionError):
        return ""
    if not isinstance(root, _Members):
        return ""
    return next(_faults(root), None)


def _faults(root: _Members) -> Iterator[str]:
    """Paths of the members that break a rule, the deepest that can be named."""
    waiting: list[tuple[str, Any, int]] = [("", root, 1)]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, _Members | list):
            if depth > MAX_DEPTH or not _has_good_names(value):
                yield path
                return
            waiting += [(_joined(path, name), part, depth + 1) for name, part in _named(value)]
        elif isinstance(value, _OutOfRange) or (isinstance(value, str) and not is_text(value)):
            yield path


def _named(value: _Members | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, _Members):
        return value.pairs
    return [(str(index), part) for index, part in enumerate(value)]


def _has_good_names(value: _Members | list[Any]) -> bool:
    if isinstance(value, list):
        return True
    names = [name for name, _ in value.pairs]
    return len(set(names)) == len(names) and all(
        0 < len(name) <= MAX_NAME_CHARS and is_text(name) for name in names
    )


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}"[:_MAX_PATH_CHARS] if path else name
