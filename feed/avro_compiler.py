"""Compiles a flat Avro record schema into an encoder and a decoder: some ten times faster than a
general codec, the same bytes (tests/unit/feed/test_codec.py holds them to fastavro and `avro`).

Knows fixed, string, enum, long and unions of null with string or long: all that an event has.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Schema = Mapping[str, Any]  # Any: a JSON document

_MASK = 0x3FFF
_ENDS = [bytes([low]) for low in range(128)] + [
    bytes([low & 127 | 128, low >> 7]) for low in range(128, _MASK + 1)
]
"""The bytes of a variable-length number below 2^14, as its last ones."""
_PAIRS = [bytes([low & 127 | 128, low >> 7 | 128]) for low in range(_MASK + 1)]
"""14 bits of a longer one, with more to follow."""
_LENGTHS = _ENDS[::2]
"""Length prefixes of texts under 8 KB: zigzag doubles them."""
_SIX_BYTES = range(1 << 35, 1 << 42)
"""Zigzag numbers of six bytes: times in ms from 1970-07 to 2039-09. Others take the slow way."""


class Malformed(ValueError):
    """The bytes are not a datum of the schema."""


def long_bytes(number: int) -> bytes:
    """Any long as Avro writes it. Raises ValueError beyond 64 bits."""
    zigzag = number << 1 ^ number >> 63
    if zigzag >> 64:
        raise ValueError(f"{number} does not fit an Avro long")
    parts = []
    while zigzag > 127:
        parts.append(zigzag & 127 | 128)
        zigzag >>= 7
    return bytes([*parts, zigzag])


def long_at(data: bytes, at: int) -> tuple[int, int]:
    """The long that begins at `at`, and where it ends. Raises Malformed."""
    zigzag = shift = 0
    while True:
        byte = data[at]
        at += 1
        zigzag |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise Malformed("a number has more than 10 bytes")
    if zigzag >> 64:
        raise Malformed("a number has more than 64 bits")
    return zigzag >> 1 ^ -(zigzag & 1), at


def length_at(data: bytes, at: int) -> tuple[int, int]:
    """The length that begins at `at`, and where it ends. Raises Malformed."""
    length, at = long_at(data, at)
    if length < 0:
        raise Malformed("a length is negative")
    return length, at


def compile_encoder(
    schema: Schema, attributes: Sequence[str], *, header: bytes
) -> Callable[[Any], bytes]:
    """A function from an object, whose `attributes` are the fields in order, to `header` and datum.

    It raises ValueError for what the schema does not hold: lone surrogates, wrong sizes, unknown
    symbols.
    """
    lines, parts = [], ["header"]
    for index, (field, attribute) in enumerate(zip(schema["fields"], attributes, strict=True)):
        name = f"f{index}"
        made, written = _encoding(field["type"], name)
        lines += [f"{name} = datum.{attribute}", *made]
        parts.append(written)
    body = "\n    ".join([*lines, f"return b''.join(({', '.join(parts)},))"])
    symbols = _symbols(schema)
    scope = {
        "header": header,
        "lengths": _LENGTHS,
        "pairs": _PAIRS,
        "ends": _ENDS,
        "long_bytes": long_bytes,
        "symbol_bytes": {symbol: long_bytes(number) for number, symbol in enumerate(symbols)},
    }
    encode: Callable[[Any], bytes] = _function("encode", f"def encode(datum):\n    {body}\n", scope)
    return encode


def _encoding(kind: Any, name: str) -> tuple[list[str], str]:  # Any: a JSON document
    """Statements that check and prepare a field, and the expression of its bytes."""
    match kind:
        case "string":
            made, prefix = _text_encoding(name)
            return made, f"{prefix}, {name}"
        case "long" | {"type": "long"}:
            return [f"z = {name} << 1 ^ {name} >> 63", f"{name} = {_LONG}"], name
        case {"type": "fixed", "size": size}:
            error = f'raise ValueError(f"a fixed of {size} bytes has {{len({name})}}")'
            return [f"if len({name}) != {size}: {error}"], name
        case {"type": "enum"}:
            unknown = f'raise ValueError(f"{{{name}!r}} is not a symbol of the enum")'
            return [f"if {name} not in symbol_bytes: {unknown}"], f"symbol_bytes[{name}]"
        case ["null", "string"]:
            made, prefix = _text_encoding(name)
            whole = f"b'\\2' + {prefix} + {name}"
            some = [*made, f"{name} = {whole}"]
        case ["null", "long" | {"type": "long"}]:
            some = [f"z = {name} << 1 ^ {name} >> 63", f"{name} = b'\\2' + {_LONG}"]
        case _:
            raise ValueError(f"the Avro compiler does not know {kind!r}")
    indented = "".join(f"\n        {line}" for line in some)
    return [f"if {name} is None: {name} = b'\\0'", f"else:{indented}"], name


_LONG = (
    f"(pairs[z & {_MASK}] + pairs[z >> 14 & {_MASK}] + ends[z >> 28]"
    f" if {_SIX_BYTES.start} <= z < {_SIX_BYTES.stop} else long_bytes(z >> 1 ^ -(z & 1)))"
)


def _text_encoding(name: str) -> tuple[list[str], str]:
    made = [f"{name} = {name}.encode()", f"n = len({name})"]
    made.append(f"p{name} = lengths[n] if n < {len(_LENGTHS)} else long_bytes(n)")
    return made, f"p{name}"


def compile_decoder(
    schema: Schema,
    build: Callable[..., T],
    *,
    start: int,
    wanted: Collection[str] | None = None,
) -> Callable[[bytes], T]:
    """A function from bytes, whose datum begins at `start` and ends with them, to `build(*fields)`,
    or to build of the `wanted` fields, by name, in the schema's order.

    It raises Malformed for everything else, and nothing but that. Of a field that is not wanted the
    framing is checked, not whether it is text.
    """
    lines, names = [f"p = {start}"], []
    for index, field in enumerate(schema["fields"]):
        if wanted is None or field["name"] in wanted:
            names.append(f"f{index}")
            lines += _decoding(field["type"], names[-1])
        else:
            lines += _skipping(field["type"])
    lines.append("if p != len(data): raise Malformed('the datum does not end with the bytes')")
    body = "\n        ".join(lines)
    source = (
        f"def decode(data):\n    try:\n        {body}\n"
        "    except (IndexError, UnicodeDecodeError) as exc:\n"
        "        raise Malformed(f'the datum breaks off or is no text: {exc}') from exc\n"
        f"    return build({', '.join(names)})\n"
    )
    scope = {
        "build": build,
        "Malformed": Malformed,
        "long_at": long_at,
        "length_at": length_at,
        "number": int.from_bytes,
        "symbols": _symbols(schema),
    }
    decode: Callable[[bytes], T] = _function("decode", source, scope)
    return decode


def _decoding(kind: Any, name: str) -> list[str]:  # Any: a JSON document
    """Statements that read a field at `p` into `name`, and move `p` behind it."""
    match kind:
        case "string":
            return _text_decoding(name)
        case "long" | {"type": "long"}:
            return _long_decoding(name)
        case {"type": "fixed", "size": size}:
            return [f"{name} = data[p:p + {size}]", f"p += {size}"]
        case {"type": "enum", "symbols": symbols}:
            return [*_symbol_number(symbols), f"{name} = symbols[n >> 1]"]
        case ["null", "string"]:
            return _union(_text_decoding(name), otherwise=f"{name} = None")
        case ["null", "long" | {"type": "long"}]:
            return _union(_long_decoding(name), otherwise=f"{name} = None")
        case _:
            raise ValueError(f"the Avro compiler does not know {kind!r}")


def _skipping(kind: Any) -> list[str]:  # Any: a JSON document
    """Statements that move `p` behind a field."""
    match kind:
        case "string":
            return [*_LENGTH, "p += n"]
        case "long" | {"type": "long"}:
            return _long_skipping()
        case {"type": "fixed", "size": size}:
            return [f"p += {size}"]
        case {"type": "enum", "symbols": symbols}:
            return _symbol_number(symbols)
        case ["null", "string"]:
            return _union([*_LENGTH, "p += n"], otherwise="pass")
        case ["null", "long" | {"type": "long"}]:
            return _union(_long_skipping(), otherwise="pass")
        case _:
            raise ValueError(f"the Avro compiler does not know {kind!r}")


def _union(some: Sequence[str], *, otherwise: str) -> list[str]:
    indented = "".join(f"\n            {line}" for line in some)
    return [
        "n = data[p]",
        "p += 1",
        f"if n == 0: {otherwise}",
        f"elif n == 2:{indented}",
        "else: raise Malformed('a union has no such branch')",
    ]


def _symbol_number(symbols: Sequence[str]) -> list[str]:
    """Symbols are few: their numbers have one byte, of which the lowest bit is the sign."""
    unknown = "raise Malformed('an enum has no such symbol')"
    return ["n = data[p]", "p += 1", f"if n & 1 or n >= {2 * len(symbols)}: {unknown}"]


_LENGTH = (
    "n = data[p]",
    "if not n & 129: n >>= 1; p += 1",
    "elif not n & 1 and (m := data[p + 1]) < 128: n = (n & 127 | m << 7) >> 1; p += 2",
    "else: n, p = length_at(data, p)",
)
"""One byte below 64, two below 8192."""


def _text_decoding(name: str) -> list[str]:
    return [*_LENGTH, f"e = p + n; {name} = data[p:e].decode(); p = e"]


_SIX_BYTE_MARKS = (0x80_80_80_80_80_80, 0x00_80_80_80_80_80)


def _long_decoding(name: str) -> list[str]:
    marks, six = _SIX_BYTE_MARKS
    spread = " | ".join(f"z >> {shift} & {127 << 7 * shift}" for shift in range(6))
    fast = f"z = {spread}; p += 6; {name} = z >> 1 ^ -(z & 1)"
    return [
        "z = number(data[p:p + 6], 'little')",
        f"if z & {marks} == {six}: {fast}",
        f"else: {name}, p = long_at(data, p)",
    ]


def _long_skipping() -> list[str]:
    marks, six = _SIX_BYTE_MARKS
    return [
        f"if number(data[p:p + 6], 'little') & {marks} == {six}: p += 6",
        "else: _, p = long_at(data, p)",
    ]


def _symbols(schema: Schema) -> tuple[str, ...]:
    kinds = [field["type"] for field in schema["fields"]]
    enums = [kind for kind in kinds if isinstance(kind, dict) and kind["type"] == "enum"]
    if len(enums) > 1:
        raise ValueError("the Avro compiler knows one enum a record")
    return tuple(enums[0]["symbols"]) if enums else ()


def _function(name: str, source: str, scope: dict[str, Any]) -> Any:  # Any: made of text
    exec(compile(source, f"<{name} compiled from an Avro schema>", "exec"), scope)  # noqa: S102  # from our own schema file
    return scope[name]
