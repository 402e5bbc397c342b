"""Tickets: settled once, record by record or at once, from any thread."""

import threading

from feed.errors import FeedUnavailable
from feed.ticket import Logged, Ticket

PATIENCE_S = 60.0


def test_a_ticket_is_open_until_every_record_is_settled() -> None:
    ticket = Ticket(2)

    ticket.settle(1, Logged(0, 5))

    assert not ticket.is_settled()
    assert ticket.outcomes() == [None, Logged(0, 5)]
    ticket.settle(0, Logged(3, 1))
    assert ticket.is_settled()
    assert ticket.outcomes() == [Logged(3, 1), Logged(0, 5)]


def test_the_first_outcome_of_a_record_stands() -> None:
    ticket = Ticket(1)

    ticket.settle(0, Logged(0, 5))
    ticket.settle(0, FeedUnavailable())

    assert ticket.outcomes() == [Logged(0, 5)]


def test_all_records_can_be_settled_at_once() -> None:
    ticket, failure = Ticket(2), FeedUnavailable()

    ticket.settle_all([Logged(0, 1), failure])

    assert ticket.is_settled()
    assert ticket.outcomes() == [Logged(0, 1), failure]


def test_callbacks_run_once_with_the_last_outcome() -> None:
    ticket, called = Ticket(2), list[str]()
    ticket.add_done_callback(lambda: called.append("a"))
    ticket.add_done_callback(lambda: called.append("b"))

    ticket.settle(0, Logged(0, 0))
    assert called == []
    ticket.settle(1, Logged(0, 1))
    ticket.settle(1, Logged(0, 1))

    assert called == ["a", "b"]


def test_a_callback_added_late_runs_at_once() -> None:
    ticket, called = Ticket(1), list[str]()
    ticket.settle_all([Logged(0, 0)])

    ticket.add_done_callback(lambda: called.append("late"))

    assert called == ["late"]


def test_a_ticket_of_nothing_is_settled() -> None:
    assert Ticket(0).is_settled()
    assert Ticket(0).wait(timeout_s=0.0)


def test_waiting_ends_when_another_thread_settles() -> None:
    ticket = Ticket(1)
    settler = threading.Thread(target=lambda: ticket.settle(0, Logged(0, 0)))

    settler.start()

    assert ticket.wait(timeout_s=PATIENCE_S)
    settler.join()


def test_waiting_ends_at_the_time_limit() -> None:
    assert not Ticket(1).wait(timeout_s=0.0)


def test_the_outcomes_given_out_are_the_callers_own() -> None:
    ticket = Ticket(1)

    ticket.outcomes().append(None)

    assert ticket.outcomes() == [None]
