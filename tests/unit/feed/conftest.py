"""The real embedded feed, in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed
from tests.unit.feed.loops import open_test_feed


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[EmbeddedFeed]:
    """One partition, so that the order of everything is the order of publishing."""
    opened = open_test_feed(tmp_path)
    yield opened
    opened.close()
