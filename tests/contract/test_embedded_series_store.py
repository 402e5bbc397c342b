"""The embedded series store keeps the port's contract, with rollups and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.series_dropping_contract import Remains
from tests.contract.series_store_contract import SeriesStoreContract
from timeseries.adapters.embedded import EmbeddedSeriesStore, open_series_store


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def remains(tmp_path: Path) -> Remains:
    """The files of a generation."""
    folder = tmp_path / "timeseries"
    return lambda generation: [path.name for path in folder.glob(f"generation-{generation}.sq*")]


class TestEmbeddedSeriesStore(SeriesStoreContract):
    """As it runs."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
        """A store of the test's own."""
        store = open_series_store("embedded:", {}, tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
        """On the same files."""
        store = open_series_store("embedded:", {}, tmp_path)
        yield store
        store.close()


class TestEmbeddedSeriesStoreWithoutRollups(SeriesStoreContract):
    """Every figure from documents."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
        """A store of the test's own."""
        store = open_series_store("embedded:?rollups=off", {"rollups": "off"}, tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
        """On the same files."""
        store = open_series_store("embedded:?rollups=off", {"rollups": "off"}, tmp_path)
        yield store
        store.close()
