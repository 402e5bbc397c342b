"""Takes JSON text apart without reading what is inside: elements of an array, members of an object.

msgspec does it fast but gives up on a whole text when one part nests deeper than the interpreter's
stack or holds a lone surrogate escape. Both are faults of that part alone, so a slower scan then
finds the parts, and whoever reads them refuses the one at fault.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY_SYNTAX = msgspec.json.Decoder(msgspec.Raw)

MAX_TOKENS = 200_000  # that a scan looks at: about a fifth of a second, a hundred times the usual

_WHITESPACE = b" \t\n\r"
_TEXT = rb'"(?:[^"\\]++|\\.)*+'
# A string without its end goes on to the end of the text, so that it is looked at once only.
_TOKEN = re.compile(_TEXT + rb'"?|[\[{]+|[\]}]+|,', re.DOTALL)
_MEMBER = re.compile(rb"[ \t\n\r]*(" + _TEXT + rb'")[ \t\n\r]*:(.*)', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_STAND_IN = "\uffff"  # for surrogates; no character, so that a name that has it shows


class InvalidJson(ValueError):
    """The text is not JSON by the grammar of RFC 8259."""


class NotAnArray(ValueError):
    """The text is JSON, but no array."""


class NotAnObject(ValueError):
    """The text is JSON, but no object."""


class TooManyElements(ValueError):
    """The array is longer than asked for."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} elements")
        self.count = count


def elements(text: bytes, *, at_most: int) -> list[bytes]:
    """The text of each element of the array that `text` is; a part may yet hold invalid UTF-8,
    lone surrogates, or nest too deep.

    Raises InvalidJson, NotAnArray, TooManyElements.
    """
    found = _elements(text)
    if len(found) > at_most:
        raise TooManyElements(len(found))
    return [bytes(raw) for raw in found]


def _elements(text: bytes) -> Sequence[msgspec.Raw | bytes]:
    try:
        return _ELEMENTS.decode(text)
    except msgspec.ValidationError as exc:
        _check_syntax(text)
        raise NotAnArray from exc
    except RecursionError:
        return _scanned_elements(text)
    except msgspec.DecodeError:
        return _elements_around_surrogates(text)


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
    except RecursionError:
        return _scanned_members(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _members_around_surrogates(text)


def _elements_around_surrogates(text: bytes) -> list[bytes]:
    neutral = _without_surrogates(text)
    try:
        found = _ELEMENTS.decode(neutral)
    except RecursionError:
        return _scanned_elements(text)
    except msgspec.DecodeError as exc:
        raise InvalidJson(str(exc)) from exc
    return _as_written(found, neutral, text)


def _members_around_surrogates(text: bytes) -> dict[str, bytes]:
    neutral = _without_surrogates(text)
    try:
        found = _MEMBERS.decode(neutral)
    except RecursionError:
        return _scanned_members(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidJson(str(exc)) from exc
    if any(_STAND_IN in name for name in found):
        raise InvalidJson("a name is no text")
    return dict(zip(found, _as_written(list(found.values()), neutral, text), strict=True))


def _without_surrogates(text: bytes) -> bytes:
    """The text with a harmless escape in place of each surrogate's: as long as it was."""
    return _SURROGATE.sub(rb"\\uffff", text)


def _as_written(parts: Sequence[msgspec.Raw], neutral: bytes, text: bytes) -> list[bytes]:
    """The parts as they stand in the text: each begins where it is first found after the one
    before, since only a comma, white space and a name lie between. The value of a name that comes
    twice may stand further back than the next: it is then looked for from the start."""
    written, end = [], 0
    for part in map(bytes, parts):
        start = neutral.find(part, end)
        if start < 0:
            start = neutral.index(part)
        end = start + len(part)
        written.append(text[start:end])
    return written


def _scanned_elements(text: bytes) -> list[bytes]:
    parts = list(_parts(text))
    for part in parts:
        _check_syntax(part)
    return parts


def _scanned_members(text: bytes) -> dict[str, bytes]:
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
    for number, token in enumerate(_TOKEN.finditer(body)):
        if number == MAX_TOKENS:
            raise InvalidJson("it nests too deep to be taken apart")
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
        _ANY_SYNTAX.decode(_without_surrogates(part))
    except RecursionError:
        return  # whoever reads the part finds it nested too deep
    except msgspec.DecodeError as exc:
        raise InvalidJson(str(exc)) from exc
