"""An outage is said once, its end too."""

import logging

import pytest

from operations.outages import Outage


def test_an_outage_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage(logging.getLogger("test"), "letters", action="letters")

    for _ in range(3):
        outage.begin("refused\n\tno server")
    for _ in range(2):
        outage.end()
    outage.begin("refused again")

    assert caplog.messages == [
        "letters: waiting: refused no server",
        "letters: going on",
        "letters: waiting: refused again",
    ]
