"""What views answer where an engine does not."""

import pytest

from access.problems import Code, Problem
from operations.api_problems import engines_answering
from timeseries.errors import QueryTimeout, SeriesError, SeriesUnavailable


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SeriesUnavailable("away"), 503, Code.INDEX_UNAVAILABLE),
        (QueryTimeout("slow"), 504, Code.QUERY_TIMEOUT),
        (SeriesError("a document without a key in index x"), 500, Code.INTERNAL_ERROR),
    ],
)
def test_a_view_in_trouble_is_a_problem_document(
    error: SeriesError, status: int, code: Code
) -> None:
    with pytest.raises(Problem) as raised, engines_answering():
        raise error

    assert (raised.value.status, raised.value.code) == (status, code)


def test_what_cannot_be_read_is_told_with_its_place() -> None:
    with pytest.raises(Problem, match="in index x"), engines_answering():
        raise SeriesError("a document without a key in index x")
