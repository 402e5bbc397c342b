"""The record of each generation in the cluster: where its documents lie, and whether it was
dropped."""

import time
from dataclasses import asdict, replace

from timeseries.adapters.elasticsearch.client import Cluster
from timeseries.adapters.elasticsearch.indices import MONTHLY_YEARS, Names, Place, month_of
from timeseries.adapters.elasticsearch.making import TIMEOUT_S, IndexMaker
from timeseries.adapters.elasticsearch.mapping import MAPPING_VERSION, replicas_setting
from timeseries.adapters.elasticsearch.options import Options

_NUMBERS = ("generation", "monthly_from_year", "shards", "spread")
_DROPPED = {"dropped": {"type": "boolean"}}


class Records:
    """Reads and writes them. Thread-safe."""

    def __init__(self, cluster: Cluster, names: Names, options: Options, maker: IndexMaker) -> None:
        self._cluster, self._options, self._maker = cluster, options, maker
        self._index = names.generations

    def ensure_index(self) -> list[str]:
        """Make the index that holds them; a sentence if it was missing."""
        body = {
            "settings": {"number_of_shards": 1, **replicas_setting(self._options.replicas)},
            "mappings": {
                "dynamic": "strict",
                "_meta": {"weir": MAPPING_VERSION},
                "properties": {name: {"type": "integer"} for name in _NUMBERS} | _DROPPED,
            },
        }
        return [f"made index {self._index}"] if self._maker.make(self._index, body) else []

    def read(self, generation: int) -> Place | None:
        """A generation's record as it is now."""
        answer = self._maker.get(
            f"/{self._index}/_doc/{generation}",
            what=f"reading the record of generation {generation}",
        )
        record = answer.get("_source")
        return Place(**record) if record else None

    def make(self, generation: int) -> str:
        """Make one, unless another process was first: then its record stands. Says so."""
        year, _ = month_of(int(time.time() * 1000))
        options = self._options
        place = Place(generation, year - MONTHLY_YEARS, options.shards, options.spread)
        self._cluster.request(
            "PUT",
            f"/{self._index}/_create/{generation}",
            what=f"making the record of generation {generation}",
            timeout_s=TIMEOUT_S,
            body={name: getattr(place, name) for name in _NUMBERS},
            allowed=(409,),
        )
        return f"made the record of generation {generation} of the view"

    def mark_dropped(self, generation: int) -> None:
        """Durably, for every process and for good; also for one that never had a record."""
        place = self.read(generation) or Place(generation, 0, 0, 0)
        self._cluster.request(
            "PUT",
            f"/{self._index}/_mapping",
            what=f"changing the mapping of {self._index}",
            timeout_s=TIMEOUT_S,
            body={"properties": _DROPPED},  # an index made by an earlier Weir lacks it
        )
        self._cluster.request(
            "PUT",
            f"/{self._index}/_doc/{generation}",
            what=f"marking generation {generation} as dropped",
            timeout_s=TIMEOUT_S,
            body=asdict(replace(place, dropped=True)),
        )
