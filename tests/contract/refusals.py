"""What a user is told when an engine refuses: one sentence, in time, without a password."""

import time
from collections.abc import Callable, Sequence

import pytest

LIMIT_S = 60.0
"""No refusal may take longer, however loaded the machine is: each has a limit of some seconds."""


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
