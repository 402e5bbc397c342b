"""What a user is told when an engine refuses: one sentence, in time, without a password."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

LIMIT_S = 60.0
"""No refusal may take longer, however loaded the machine is: each has a limit of some seconds."""

WRONG = "wr0ng"
"""A password that no server takes."""
CA = "the authority of the server's certificate"
"""Stands in a table for a path that only a test knows."""


@dataclass(frozen=True)
class Refusal:
    """What a URL has wrong, by names that a test file takes, and the words that say what to
    mend."""

    options: Mapping[str, str]
    said: str

    def options_with(self, ca: str) -> dict[str, str]:
        """The options with the path of the authority in them."""
        return {name: ca if text == CA else text for name, text in self.options.items()}


def sentence_of(
    kind: type[Exception], ask: Callable[[], object], *, without: Sequence[str] = ()
) -> str:
    """What `ask` is refused with, an error of `kind`: one line with none of the passwords
    `without`."""
    started_s = time.monotonic()
    with pytest.raises(kind) as raised:
        ask()
    assert time.monotonic() - started_s < LIMIT_S
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert not [password for password in without if password in sentence]
    return sentence
