"""The rules for properties, on their text."""

import pytest

from ingest.json_rules import fault_in


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b' { "a" : 1 } ',
        b'{"a":-9223372036854775808,"b":9223372036854775807,"c":18446744073709551615}',
        b'{"a":1e308,"b":1e-999,"c":-0,"d":0.1}',
        b'{"url":"https://a/b?c=d:e","quoted":"\\":\\":","colon : space":" : "}',
        b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1},[{"a":[]}]]}',
        b'{"emoji":"\\ud83d\\ude00","escaped backslash":"\\\\ud800 \\\\u0000"}',
        nested(20),
        b'{"%s":1}' % (b"n" * 200),
        '{"é":"漢字"}'.encode(),
    ],
)
def test_good_objects_pass(text: bytes) -> None:
    assert fault_in(text) is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"", ""),
        (b"[]", ""),
        (b"{", ""),
        (b'{"a":NaN}', ""),
        (b'{"a":Infinity}', ""),
        (b'{"a":1e999}', "a"),
        (b'{"a":[1,-1e999]}', "a.1"),
        (b'{"a":18446744073709551616}', "a"),
        (b'{"a":-9223372036854775809}', "a"),
        (b'{"a":%s}' % (b"1" * 5000), "a"),
        (b'{"a":"\\u0000"}', "a"),
        (b'{"a":{"b\\u0000":1}}', "a"),
        (b'{"a":"\\ud800"}', "a"),
        (b'{"a":"\\udc00\\ud800"}', "a"),
        (b'{"\\ud800":1}', ""),
        (b'{"":1}', ""),
        (b'{"%s":1}' % (b"n" * 201), ""),
        (b'{"a":"\xff"}', ""),
        (b'{"a":"\xed\xa0\x80"}', ""),
        (b'{"a":1,"a":1}', ""),
        (b'{"a":1,"a" :1}', ""),
        (b'{"a":1,"a"\n:1}', ""),
        (b'{"a":1,"a"\t:1,"b":":"}', ""),
        (b'{"a":1,"\\u0061":1}', ""),
        (b'{"o":{"a":1,"a":1}}', "o"),
        (b'{"o":[{"a":1},{"b":1,"b":2}]}', "o.1"),
        (nested(21), ".".join("a" * 20)),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
    ],
)
def test_each_fault_is_found_and_placed(text: bytes, path: str) -> None:
    assert fault_in(text) == path


def test_a_path_is_shown_to_a_bound() -> None:
    text = b'{"%s":{"%s":1e999}}' % (b"a" * 150, b"b" * 150)
    path = fault_in(text)
    assert path is not None
    assert len(path) == 200
