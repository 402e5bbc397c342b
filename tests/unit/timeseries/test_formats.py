"""The same answer in every format and shape."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.answers import Circumstances
from timeseries.domain import GroupFigures, SeriesQuery, StoreAnswer
from timeseries.errors import QueryRefused
from timeseries.formats import Format, check_shape, csv_bytes, encode, negotiate, parse_shape
from timeseries.parsing import Asker, QueryKind, parse_query
from timeseries.queries import Answer, answer_of, plain
from timeseries.tables import Shape

HOUR_MS = 3_600_000
NOW = Asker("demo", 0)
FRESH = Circumstances(complete_through_ms=60_000, took_ms=3)


def _query(kind: QueryKind = QueryKind.SERIES, **members: object) -> SeriesQuery:
    range_ = {"from": 0, "to": 2 * HOUR_MS}
    return parse_query({"range": range_, "interval": "1h"} | members, kind, NOW)


def _answer(query: SeriesQuery, *groups: GroupFigures) -> Answer:
    return answer_of(query, StoreAnswer(groups, "rollup", {"u": 0.02}), generation=7)


def _grouped(kind: QueryKind = QueryKind.SERIES, **members: object) -> Answer:
    """Two countries, the events without one, and the rest; two metrics."""
    query = _query(
        kind,
        metrics=[{"name": "n", "agg": "count"}, {"name": "u", "agg": "unique", "field": "user_id"}],
        group_by=["properties.country", "properties.vip"],
        other=True,
        **members,
    )
    return _answer(
        query,
        GroupFigures(("DE", True), (9, 4), {0: (5, 3), 1: (4, 2)}),
        GroupFigures((3.0, None), (2, 1), {1: (2, 1)}),
        GroupFigures((), (1, 1), {1: (1, 1)}, other=True),
    )


def _json(answer: Answer, shape: Shape = Shape.WIDE) -> Any:
    return json.loads(encode(answer, FRESH, form=Format.JSON, shape=shape))


def _csv(answer: Answer, shape: Shape = Shape.WIDE) -> list[list[str]]:
    text = encode(answer, FRESH, form=Format.CSV, shape=shape).decode()
    return list(csv.reader(StringIO(text, newline="")))


def test_json_is_the_contracts() -> None:
    answer = _json(_grouped())
    assert answer["columns"] == ["n", "u"]
    assert answer["series"][1:] == [
        {
            "group": {"properties.country": 3, "properties.vip": None},
            "total": [2, 1],
            "points": [
                {
                    "start": "1970-01-01T00:00:00+00:00",
                    "end": "1970-01-01T01:00:00+00:00",
                    "v": [0, 0],
                },
                {
                    "start": "1970-01-01T01:00:00+00:00",
                    "end": "1970-01-01T02:00:00+00:00",
                    "v": [2, 1],
                },
            ],
        },
        {
            "group": None,
            "total": [1, 1],
            "points": [
                {
                    "start": "1970-01-01T00:00:00+00:00",
                    "end": "1970-01-01T01:00:00+00:00",
                    "v": [0, 0],
                },
                {
                    "start": "1970-01-01T01:00:00+00:00",
                    "end": "1970-01-01T02:00:00+00:00",
                    "v": [1, 1],
                },
            ],
            "other": True,
        },
    ]
    assert answer["meta"] == {
        "complete_through": "1970-01-01T00:01:00+00:00",
        "generation": 7,
        "approximate": {"u": {"error": 0.02}},
        "warnings": [],
        "source": "rollup",
        "took_ms": 3,
        "interval": "1h",
    }


def test_rows_have_one_figure_each() -> None:
    rows = _json(_grouped(), Shape.ROWS)
    assert len(rows) == 3 * 2 * 2
    assert rows[0] == {
        "time": "1970-01-01T00:00:00+00:00",
        "series": "DE, true",
        "metric": "n",
        "properties.country": "DE",
        "properties.vip": True,
        "value": 5,
    }
    assert rows[4]["series"] == "3, null"
    assert (rows[-1]["series"], rows[-1]["properties.country"]) == ("other", None)
    lines = encode(_grouped(), FRESH, form=Format.NDJSON, shape=Shape.ROWS).splitlines()
    assert [json.loads(line) for line in lines] == rows
    header, *cells = _csv(_grouped(), Shape.ROWS)
    assert header == list(rows[0])
    assert cells[0] == ["1970-01-01T00:00:00+00:00", "DE, true", "n", "DE", "true", "5"]
    assert len(cells) == len(rows)


def test_columns_share_their_times() -> None:
    columns = _json(_grouped(), Shape.COLUMNS)
    assert columns["time"] == [0, HOUR_MS]
    assert columns["series"][:3] == [
        {"name": "DE, true · n", "values": [5, 4]},
        {"name": "DE, true · u", "values": [3, 2]},
        {"name": "3, null · n", "values": [0, 2]},
    ]
    assert _csv(_grouped(), Shape.COLUMNS)[0][:2] == ["time", "DE, true · n"]
    assert _csv(_grouped(), Shape.COLUMNS)[1][:2] == ["0", "5"]


def test_columns_without_groups_are_named_by_metric() -> None:
    answer = _answer(_query(), GroupFigures((), (3,), {0: (3,)}))
    assert _json(answer, Shape.COLUMNS)["series"] == [{"name": "count", "values": [3, 0]}]
    assert _json(answer, Shape.ROWS)[0]["series"] == "all"


def test_buckets_left_out_of_one_series_are_null_in_columns() -> None:
    answer = _grouped(fill="none")
    assert len(_json(answer)["series"][1]["points"]) == 1
    columns = _json(answer, Shape.COLUMNS)
    assert columns["time"] == [0, HOUR_MS]
    assert columns["series"][2]["values"] == [None, 2]
    only_late = _answer(_query(fill="none"), GroupFigures((), (1,), {1: (1,)}))
    assert _json(only_late, Shape.COLUMNS) == {
        "time": [HOUR_MS],
        "series": [{"name": "count", "values": [1]}],
    }


def test_csv_has_a_row_a_bucket_and_a_column_a_metric() -> None:
    header, first, *_, last = _csv(_grouped())
    assert header == ["start", "end", "properties.country", "properties.vip", "other", "n", "u"]
    assert first[2:] == ["DE", "true", "false", "5", "3"]
    assert last[2:] == ["", "", "true", "1", "1"]


def test_lines_have_a_bucket_and_group_each() -> None:
    lines = encode(_grouped(), FRESH, form=Format.NDJSON, shape=Shape.WIDE).splitlines()
    assert json.loads(lines[0]) == {
        "start": "1970-01-01T00:00:00+00:00",
        "end": "1970-01-01T01:00:00+00:00",
        "group": {"properties.country": "DE", "properties.vip": True},
        "values": {"n": 5, "u": 3},
    }
    assert json.loads(lines[-1])["other"] is True


def test_totals_have_no_times_in_any_format() -> None:
    answer = _grouped(QueryKind.TOP)
    assert "points" not in _json(answer)["series"][0]
    assert _csv(answer)[0] == ["properties.country", "properties.vip", "other", "n", "u"]
    assert _csv(answer)[1] == ["DE", "true", "false", "9", "4"]
    assert _json(answer, Shape.ROWS)[0] == {
        "series": "DE, true",
        "metric": "n",
        "properties.country": "DE",
        "properties.vip": True,
        "value": 9,
    }
    line = encode(answer, FRESH, form=Format.NDJSON, shape=Shape.WIDE).splitlines()[0]
    assert json.loads(line) == {
        "group": {"properties.country": "DE", "properties.vip": True},
        "values": {"n": 9, "u": 4},
    }


def test_freshness_that_nobody_can_tell_is_null() -> None:
    body = encode(_grouped(), Circumstances(None, 1), form=Format.JSON, shape=Shape.WIDE)
    assert json.loads(body)["meta"]["complete_through"] is None


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (3, 3),
        (3.0, 3),
        (-0.0, 0),
        (2.5, 2.5),
        (1e300, 1e300),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_figures_are_said_the_same_whatever_the_engine(figure: float, said: float | None) -> None:
    assert plain(figure) == said
    assert isinstance(plain(figure), type(said))


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_csv_is_read_back_by_others_but_for_the_guards(rows: list[list[str]]) -> None:
    text = csv_bytes(["a", "b"], rows).decode()
    read = list(csv.reader(StringIO(text, newline="")))[1:]
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    for row in read:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))  # noqa: RUF001


def test_negative_numbers_are_no_formulas() -> None:
    assert csv_bytes(["=x"], [[-1.5], [None], [False]]) == b'\'=x\r\n-1.5\r\n""\r\nfalse\r\n'


def test_the_best_liked_format_is_taken() -> None:
    assert negotiate(None, None) is Format.JSON
    assert negotiate(None, "*/*") is Format.JSON
    assert negotiate(None, "text/csv;q=0, application/json") is Format.JSON
    assert negotiate(None, "application/ndjson ; q=1.0 , text/csv;level=1") is Format.NDJSON
    assert negotiate("csv", "application/json") is Format.CSV


def test_shapes_are_rows_or_columns_and_fit_their_format() -> None:
    assert parse_shape(None) is Shape.WIDE
    for wrong in ("wide", "", "Rows"):
        with pytest.raises(QueryRefused):
            parse_shape(wrong)
    check_shape(Shape.COLUMNS, Format.CSV, has_points=True)
    check_shape(Shape.ROWS, Format.NDJSON, has_points=False)
    for form, has_points in ((Format.NDJSON, True), (Format.JSON, False)):
        with pytest.raises(QueryRefused):
            check_shape(Shape.COLUMNS, form, has_points=has_points)
