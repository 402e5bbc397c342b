"""What the supervisor starts again, what it gives up, and what it waits for."""

import logging
import threading
from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError

from feed.backoff import Backoff
from feed.errors import (
    DataLoss,
    FeedUnavailable,
    TooManyDeadLetters,
    UnknownSchema,
    UnsafeTopic,
    WrongOption,
)
from feed.supervisor import MAX_FAILURES, Supervisor


class Body:
    """Raises what it is given, one a run, then ends as asked."""

    def __init__(self, *troubles: Exception, then: Callable[[], None] = lambda: None) -> None:
        self.troubles, self.runs, self.then = list(troubles), 0, then

    def __call__(self) -> None:
        self.runs += 1
        if self.troubles:
            self.then()
            raise self.troubles.pop(0)


def make_supervisor(
    body: Callable[[], None],
    *,
    stop: threading.Event | None = None,
    waits: bool = True,
    between: Callable[[], object] = lambda: None,
) -> Supervisor:
    return Supervisor(
        "run_test",
        body,
        stop=stop or threading.Event(),
        waits=waits,
        between=between,
        backoff=Backoff(first_s=0, cap_s=0),
    )


def test_a_body_that_ends_as_asked_is_success() -> None:
    body = Body()
    assert make_supervisor(body).run() == 0
    assert body.runs == 1


def test_an_unexpected_error_is_logged_and_the_body_starts_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body, between = Body(RuntimeError("a bug")), []
    assert make_supervisor(body, between=lambda: between.append(1)).run() == 0
    assert body.runs == 2
    assert between == [1]
    assert "a bug" in caplog.text


def test_failures_in_a_row_without_progress_end_the_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = Body(*(RuntimeError(f"bug {n}") for n in range(MAX_FAILURES + 1)))
    assert make_supervisor(body).run() == 1
    assert body.runs == MAX_FAILURES
    assert f"{MAX_FAILURES} failures without progress" in caplog.text


def test_progress_between_failures_starts_the_count_anew() -> None:
    failures = [RuntimeError("a bug") for _ in range(3 * MAX_FAILURES)]
    body = Body(*failures, then=lambda: supervisor.note_progress())
    supervisor = make_supervisor(body)
    assert supervisor.run() == 0
    assert body.runs == 3 * MAX_FAILURES + 1


@pytest.mark.parametrize(
    "error",
    [
        DataLoss(group="g", topic="events", partition=0, position=1, start=5),
        UnknownSchema("0102"),
        TooManyDeadLetters(),
        UnsafeTopic("unsafe"),
        WrongOption("wrong"),
        ImproperlyConfigured("wrong"),
        ImportError("install weir[kafka]"),
        CommandError("refused"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_only_an_operator_can_mend_ends_the_worker_at_once_with_its_sentence(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    body = Body(error)
    assert make_supervisor(body).run() == 1
    assert body.runs == 1
    assert caplog.messages == [f"run_test stops: {error}"]
    assert caplog.records[0].exc_info is None


def test_a_feed_that_is_away_is_waited_for_without_end() -> None:
    body = Body(*(FeedUnavailable() for _ in range(10 * MAX_FAILURES)))
    assert make_supervisor(body).run() == 0
    assert body.runs == 10 * MAX_FAILURES + 1


@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_waited_for_too(
    fault: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    body = Body(*(fault("connection refused\n\tIs the server running?") for _ in range(20)))

    assert make_supervisor(body).run() == 0

    assert body.runs == 21
    assert caplog.messages == [
        "run_test: waiting: the Django database does not answer (connection refused Is the server "
        "running?): does it run, and is it migrated?"
    ]


def test_waiting_is_said_once_and_again_after_it_went_well_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    away = [FeedUnavailable("away") for _ in range(3)]
    back = [FeedUnavailable("away again") for _ in range(2)]
    body = Body(*away, *back)

    def start() -> None:
        if body.runs == 3:
            supervisor.note_reachable()
            supervisor.note_reachable()
        body()

    supervisor = make_supervisor(start)

    assert supervisor.run() == 0
    assert caplog.messages == [
        "run_test: waiting: away",
        "run_test: going on",
        "run_test: waiting: away again",
    ]


def test_a_drain_does_not_wait_for_a_feed_without_end(caplog: pytest.LogCaptureFixture) -> None:
    body = Body(*(FeedUnavailable("run ensure_engines") for _ in range(10)))
    assert make_supervisor(body, waits=False).run() == 1
    assert body.runs == MAX_FAILURES
    assert "run ensure_engines" in caplog.messages[-1]


def test_a_feed_that_is_away_while_stopping_loses_nothing_and_is_no_failure() -> None:
    stop = threading.Event()
    body = Body(FeedUnavailable(), then=stop.set)
    assert make_supervisor(body, stop=stop).run() == 0
    assert body.runs == 1


def test_a_stop_during_the_wait_for_another_try_ends_the_worker() -> None:
    stop = threading.Event()
    body = Body(RuntimeError("a bug"), then=stop.set)
    assert make_supervisor(body, stop=stop).run() == 0
    assert body.runs == 1
