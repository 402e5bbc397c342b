"""Takes JSON text apart without reading what is inside: elements of an array, members of an object.

msgspec does it fast but gives up on a whole text when one part nests deeper than the interpreter's
stack or holds a lone surrogate escape. Both are faults of that part alone, so a slower scan then
finds the parts, and whoever reads them refuses the one at fault.
"""

import re
from collections.abc import Iterator

import msgspec

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY_SYNTAX = msgspec.json.Decoder(msgspec.Raw)

_WHITESPACE = b" \t\n\r"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb"|[\[{]+|[\]}]+|,", re.DOTALL)
_MEMBER = re.compile(rb"[ \t\n\r]*(" + _STRING + rb")[ \t\n\r]*:(.*)", re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class InvalidJson(ValueError):
    """The text is not JSON by the grammar of RFC 8259."""


class NotAnArray(ValueError):
    """The text is JSON, but no array."""


class NotAnObject(ValueError):
    """The text is JSON, but no object."""


def elements(text: bytes) -> list[bytes]:
    """The text of each element of the array that `text` is; a part may yet hold invalid UTF-8,
    lone surrogates, or nest too deep.

    Raises InvalidJson, NotAnArray.
    """
    try:
        return [bytes(raw) for raw in _ELEMENTS.decode(text)]
    except msgspec.ValidationError as exc:
        _check_syntax(text)
        raise NotAnArray from exc
    except (msgspec.DecodeError, RecursionError):
        return _scanned_elements(text)


def members(text: bytes) -> dict[str, bytes]:
    """The text of each member's value of the object that `text` is, by name; of equal names the
    last one counts.

    Raises InvalidJson, NotAnObject.
    """
    try:
        return {name: bytes(raw) for name, raw in _MEMBERS.decode(text).items()}
    except msgspec.ValidationError as exc:
        _check_syntax(text)
        raise NotAnObject from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _scanned_members(text)


def _scanned_elements(text: bytes) -> list[bytes]:
    if text.lstrip(_WHITESPACE)[:1] != b"[":
        _check_syntax(text)
        raise NotAnArray
    parts = list(_parts(text))
    for part in parts:
        _check_syntax(part)
    return parts


def _scanned_members(text: bytes) -> dict[str, bytes]:
    if text.lstrip(_WHITESPACE)[:1] != b"{":
        _check_syntax(text)
        raise NotAnObject
    return dict(_member(part) for part in _parts(text))


def _member(part: bytes) -> tuple[str, bytes]:
    match = _MEMBER.fullmatch(part)
    if match is None:
        raise InvalidJson("a member of an object is no name, colon and value")
    value = match[2].strip(_WHITESPACE)
    _check_syntax(value)
    try:
        return msgspec.json.decode(match[1], type=str), value
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidJson("a name is no text") from exc


def _parts(text: bytes) -> Iterator[bytes]:
    """What stands between the commas of the outermost array or object."""
    start, depth, body = 0, 0, text.strip(_WHITESPACE)
    for token in _TOKEN.finditer(body):
        kind, size = token[0][:1], token.end() - token.start()
        if kind in b"[{":
            start, depth = (1 if depth == 0 else start), depth + size
        elif kind == b"," and depth == 1:
            yield _filled(body[start : token.start()])
            start = token.end()
        elif kind in b"]}":
            depth -= size
        if depth <= 0:
            break
    yield from _last_part(body, start, depth)


def _last_part(body: bytes, start: int, depth: int) -> Iterator[bytes]:
    pairs = (b"[]", b"{}")
    if depth != 0 or body[:1] + body[-1:] not in pairs:
        raise InvalidJson("brackets do not match")
    part = body[start:-1]
    if start > 1 or part.strip(_WHITESPACE):
        yield _filled(part)


def _filled(part: bytes) -> bytes:
    stripped = part.strip(_WHITESPACE)
    if not stripped:
        raise InvalidJson("a value is missing between commas")
    return stripped


def _check_syntax(part: bytes) -> None:
    """Raises InvalidJson unless the part is JSON as far as the stack lets it be read, lone
    surrogates aside."""
    try:
        _ANY_SYNTAX.decode(_SURROGATE.sub(rb"\\u0041", part))
    except RecursionError:
        return  # whoever reads the part finds it nested too deep
    except msgspec.DecodeError as exc:
        raise InvalidJson(str(exc)) from exc
