"""From an event to its document: pure, and total over whatever ingest admits."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.event import key_hash
from tests.builders import make_event
from timeseries.domain import Scalar
from timeseries.ports import Document
from timeseries.projection import (
    MAX_NAME_CHARS,
    MAX_NAMES,
    MAX_TEXT_BYTES,
    flatten,
    names,
    project,
)


def projected(
    properties: object, context: object = None
) -> tuple[dict[str, list[Scalar]], Document]:
    """Values by name, every name having a slot; and the document."""
    event = make_event(
        properties=json.dumps(properties), context=json.dumps({} if context is None else context)
    )
    slots = {name: slot for slot, name in enumerate(names(event))}
    document = project(event, 7, slots)
    values: dict[str, list[Scalar]] = {}
    for name, slot in slots.items():
        values[name] = [
            *document.strings.get(slot, ()),
            *document.numbers.get(slot, ()),
            *document.booleans.get(slot, ()),
        ]
    return values, document


def test_a_document_has_what_the_event_has() -> None:
    event = make_event(
        event="buy", type="page", user_id="u", anonymous_id="a", session_id="s", project="shop"
    )

    document = project(event, 7, {})

    assert document == Document(
        project="shop",
        key=event.key,
        version=7,
        occurred_at_ms=event.occurred_at_ms,
        event="buy",
        type="page",
        user_id="u",
        anonymous_id="a",
        session_id="s",
        strings={},
        numbers={},
        booleans={},
        hash24=key_hash(event.key, 7),
        omitted=0,
    )


def test_objects_flatten_with_dots_and_properties_and_context_are_apart() -> None:
    values, _ = projected({"a": {"b": {"c": "x"}}, "d.e": 1}, {"a": {"b": True}})

    assert values == {
        "properties.a.b.c": ["x"],
        "properties.d.e": [1.0],
        "context.a.b": [True],
    }


def test_arrays_give_each_element_also_nested_ones_and_those_of_objects() -> None:
    values, _ = projected({"tags": ["a", ["b", [1]], True, None], "items": [{"id": 1}, {"id": 2}]})

    assert values == {"properties.tags": ["a", "b", 1.0, True], "properties.items.id": [1.0, 2.0]}


def test_a_name_with_a_dot_and_a_nested_one_are_the_same_property() -> None:
    values, document = projected({"a.b": 1, "a": {"b": "x"}})

    assert values == {"properties.a.b": ["x", 1.0]}
    assert document.omitted == 0


def test_null_and_empty_containers_are_absent() -> None:
    values, document = projected({"a": None, "b": {}, "c": [], "d": [None, {"e": None}]})

    assert (values, document.omitted) == ({}, 0)


def test_numbers_are_doubles_and_minus_zero_is_zero() -> None:
    values, _ = projected({"whole": 2**63, "zero": -0.0, "flag": False})

    assert values == {
        "properties.whole": [2.0**63],
        "properties.zero": [0.0],
        "properties.flag": [False],
    }
    assert str(values["properties.zero"][0]) == "0.0"


@pytest.mark.parametrize("text", ["x" * MAX_TEXT_BYTES, "é" * (MAX_TEXT_BYTES // 2)])
def test_strings_within_the_limit_are_kept_and_one_byte_more_is_left_out(text: str) -> None:
    values, document = projected({"fits": text, "long": text + "é", "also": [1, text + "éé"]})

    assert values == {"properties.fits": [text], "properties.also": [1.0]}
    assert document.omitted == 2


def test_names_too_long_or_too_many_are_left_out_and_counted() -> None:
    long = "n" * (MAX_NAME_CHARS - len("properties."))

    values, document = projected({long: 1, long + "n": 1})
    assert (list(values), document.omitted) == ([f"properties.{long}"], 1)

    values, document = projected({str(index): index for index in range(MAX_NAMES + 3)})
    assert (len(values), document.omitted) == (MAX_NAMES, 3)


def test_properties_without_a_slot_are_left_out_and_counted() -> None:
    event = make_event(properties='{"known": 1, "other": 2, "array": [1, 2, 3]}')

    document = project(event, 7, {"properties.known": 5})

    assert (document.numbers, document.omitted) == ({5: (1.0,)}, 4)


def test_numbers_beyond_a_double_are_left_out() -> None:
    values, document = projected({"big": 10**400, "small": 1})

    assert (values, document.omitted) == ({"properties.small": [1.0]}, 1)


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "", "{", "null"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=".+"):
        flatten(make_event(properties=text))
    with pytest.raises(ValueError, match=".+"):
        flatten(make_event(context=text))


JSON_VALUES: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    ),
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.dictionaries(st.text("ab.é", min_size=1, max_size=3), parts, max_size=4),
    ),
    max_leaves=30,
)


def count_scalars(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(count_scalars, value.values()))
    if isinstance(value, list):
        return sum(map(count_scalars, value))
    return value is not None


@settings(max_examples=200)
@given(st.dictionaries(st.text(min_size=1, max_size=5), JSON_VALUES, max_size=8))
def test_any_object_is_projected_and_every_value_indexed_or_counted(
    properties: dict[str, object],
) -> None:
    properties = json.loads(json.dumps(properties, ensure_ascii=False).encode(errors="ignore"))

    values, document = projected(properties)

    kept = sum(map(len, values.values()))
    assert kept + document.omitted == count_scalars(properties)


def test_the_deepest_object_that_ingest_admits_is_projected() -> None:
    deep: object = "x"
    for _ in range(20):
        deep = {"n" * 200: deep}
    values, document = projected(deep)
    assert (values, document.omitted) == ({}, 1)

    nested: object = 1
    for _ in range(19):
        nested = [nested]
    assert projected({"a": nested})[0] == {"properties.a": [1.0]}
