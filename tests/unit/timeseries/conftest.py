"""A view of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from timeseries.adapters.embedded.store import EmbeddedSeriesStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
    store = EmbeddedSeriesStore(tmp_path)
    yield store
    store.close()
