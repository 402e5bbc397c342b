"""The real embedded feed, in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed
from tests.ingest_builders import open_ingest_feed


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[EmbeddedFeed]:
    """Two partitions."""
    opened = open_ingest_feed(tmp_path)
    yield opened
    opened.close()
