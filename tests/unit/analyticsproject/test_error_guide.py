"""Every error code has its page."""

from access.problems import Code
from analyticsproject.error_guide import GUIDE


def test_every_code_has_a_meaning_and_a_next_step() -> None:
    assert set(GUIDE) == set(Code)
    assert all(entry.meaning.endswith(".") and entry.to_do for entry in GUIDE.values())
