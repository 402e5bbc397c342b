"""The filter grammar, its limits, and errors that name the part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.domain import (
    EVERYTHING,
    And,
    Compare,
    Compares,
    CoreField,
    Exists,
    Filter,
    Is,
    Matches,
    Not,
    Or,
    PropertyField,
    TextMatch,
)
from timeseries.errors import QueryRefused
from timeseries.filters import both, fields_of, filter_as_json, parse_filter, with_fields

PLAN = PropertyField("properties.plan")
SIGNUP = Is(CoreField.EVENT, ("signup",))


def _refusal(written: object) -> QueryRefused | None:
    try:
        parse_filter(written)
    except QueryRefused as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, EVERYTHING),
        (["is", "event", ["signup"]], SIGNUP),
        (["is", "event", "signup"], SIGNUP),
        (["is", "properties.plan", ["a", 3, 2.5, True]], Is(PLAN, ("a", 3.0, 2.5, True))),
        (["is_not", "properties.plan", ["a"]], Not(Is(PLAN, ("a",)))),
        (["contains", "properties.plan", ["a"]], Matches(PLAN, TextMatch.CONTAINS, ("a",))),
        (["not_contains", "properties.plan", "a"], Not(Matches(PLAN, TextMatch.CONTAINS, ("a",)))),
        (
            ["starts_with", "properties.plan", ["", "a"]],
            Matches(PLAN, TextMatch.STARTS_WITH, ("", "a")),
        ),
        (["gte", "properties.plan", 3], Compares(PLAN, Compare.GTE, 3.0)),
        (["lt", "user_id", "m"], Compares(CoreField.USER_ID, Compare.LT, "m")),
        (["exists", "context.page.url"], Exists(PropertyField("context.page.url"))),
        (["not", ["exists", "user_id"]], Not(Exists(CoreField.USER_ID))),
        (
            ["and", ["is", "event", "signup"], ["exists", "type"]],
            And((SIGNUP, Exists(CoreField.TYPE))),
        ),
        (["or"], Or(())),
    ],
)
def test_a_written_filter_means_what_the_grammar_says(written: object, meant: Filter) -> None:
    assert parse_filter(written) == meant


def test_the_type_of_a_value_is_kept_apart() -> None:
    assert isinstance(parse_filter(["is", "properties.plan", [3]]), Is)
    values = parse_filter(["is", "properties.plan", [1, True, "1"]])
    assert isinstance(values, Is)
    assert [type(value) for value in values.values] == [float, bool, str]


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("event", "filter"),
        ([], "filter"),
        ([1], "filter"),
        ({"is": 1}, "filter"),
        (["like", "event", ["a"]], "filter[0]"),
        (["is", "event"], "filter"),
        (["is", "event", ["a"], 1], "filter"),
        (["is", "colour", ["a"]], "filter[1]"),
        (["is", "properties.", ["a"]], "filter[1]"),
        (["is", "properties", ["a"]], "filter[1]"),
        (["is", 5, ["a"]], "filter[1]"),
        (["is", "properties." + "x" * 5000, ["a"]], "filter[1]"),
        (["is", "event", []], "filter[2]"),
        (["is", "event", ["a"] * 1001], "filter[2]"),
        (["is", "event", ["a", 3]], "filter[2][1]"),
        (["is", "event", [True]], "filter[2][0]"),
        (["is", "properties.a", [None]], "filter[2][0]"),
        (["is", "properties.a", [{}]], "filter[2][0]"),
        (["is", "properties.a", [10**400]], "filter[2][0]"),
        (["is", "properties.a", ["x" * 8192]], "filter[2][0]"),
        (["contains", "properties.a", [3]], "filter[2][0]"),
        (["starts_with", "properties.a", None], "filter[2]"),
        (["gt", "properties.a", True], "filter[2]"),
        (["gt", "properties.a", [1]], "filter[2]"),
        (["gt", "user_id", 1], "filter[2]"),
        (["exists", "event", 1], "filter"),
        (["not"], "filter"),
        (["not", ["exists", "event"], ["exists", "event"]], "filter"),
        (["and", ["exists", "event"], ["or", ["is", "x", 1]]], "filter[2][1][1]"),
    ],
)
def test_what_is_no_filter_is_refused_by_its_part(written: object, field: str) -> None:
    with pytest.raises(QueryRefused) as caught:
        parse_filter(written)
    assert (caught.value.code, caught.value.field) == ("invalid_query", field)


def _nested(depth: int) -> object:
    written: object = ["exists", "event"]
    for _ in range(depth - 1):
        written = ["not", written]
    return written


def test_filters_are_at_most_eight_deep() -> None:
    parse_filter(_nested(8))
    with pytest.raises(QueryRefused, match="at most 8 operators deep"):
        parse_filter(_nested(9))
    with pytest.raises(QueryRefused, match="at most 8 operators deep"):
        parse_filter(_nested(90))


def test_filters_have_at_most_a_hundred_operators() -> None:
    parse_filter(["and", *[["exists", "event"]] * 99])
    with pytest.raises(QueryRefused, match="at most 100 operators"):
        parse_filter(["and", *[["exists", "event"]] * 100])


def test_filters_have_at_most_two_thousand_values_in_all() -> None:
    most = ["or", ["is", "event", ["x"] * 1_000], ["not_contains", "event", ["x"] * 1_000]]
    parse_filter(most)
    with pytest.raises(QueryRefused, match="at most 2000 values") as refused:
        parse_filter([*most, ["gt", "properties.n", 1]])
    assert refused.value.field == "filter[3]"


def test_filters_are_joined_without_needless_nesting() -> None:
    assert both(EVERYTHING, SIGNUP) == SIGNUP
    assert both(SIGNUP, EVERYTHING) == SIGNUP
    assert both(SIGNUP, Exists(PLAN)) == And((SIGNUP, Exists(PLAN)))


_fields = st.sampled_from([*CoreField, PLAN, PropertyField("context.a")])
_scalars = st.floats(-9, 9) | st.booleans() | st.text()
_leaves = st.one_of(
    st.builds(Is, st.just(PLAN), st.lists(_scalars, min_size=1).map(tuple)),
    st.builds(
        Matches,
        _fields,
        st.sampled_from(TextMatch),
        st.lists(st.text(), min_size=1).map(tuple),
    ),
    st.builds(Compares, _fields, st.sampled_from(Compare), st.text()),
    st.builds(Exists, _fields),
)
_filters: st.SearchStrategy[Filter] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


@given(_filters)
def test_a_filter_written_out_is_read_back_the_same(where: Filter) -> None:
    refused = _refusal(filter_as_json(where))
    if refused is None:
        assert parse_filter(filter_as_json(where)) == where
    else:
        assert "deep" in str(refused)


@given(_filters)
def test_replacing_fields_reaches_each_of_them(where: Filter) -> None:
    replaced = with_fields(where, lambda field: CoreField.TYPE)
    assert set(fields_of(replaced)) <= {CoreField.TYPE}
    assert len(fields_of(replaced)) == len(fields_of(where))


_words = st.sampled_from(["is", "and", "not", "gt", "event", "properties.a"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _words,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=12,
)


@given(_json)
def test_no_json_breaks_the_reading_of_filters(written: object) -> None:
    refused = _refusal(written)
    if refused is not None:
        assert refused.field is not None
        assert refused.field.startswith("filter")
