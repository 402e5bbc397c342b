"""Generations in the cluster: index templates, and indices made ahead of the first write into
them."""

import threading
import time
from collections.abc import Iterable, Sequence

from feed.crash_points import reach
from timeseries.adapters.elasticsearch.client import Cluster, Json
from timeseries.adapters.elasticsearch.indices import Names, Place, month_of, month_start_ms
from timeseries.adapters.elasticsearch.making import ENSURE, TIMEOUT_S, IndexMaker
from timeseries.adapters.elasticsearch.mapping import event_index, event_template
from timeseries.adapters.elasticsearch.options import Options
from timeseries.adapters.elasticsearch.records import Records
from timeseries.errors import GenerationDropped, SeriesError, SeriesUnavailable

OLDEST_SERVER = 9


class GenerationKeeper:
    """What one process knows of generations and of the indices that exist. Thread-safe."""

    def __init__(self, cluster: Cluster, names: Names, options: Options) -> None:
        self._cluster, self._names, self._options = cluster, names, options
        self._maker = IndexMaker(cluster)
        self._records = Records(cluster, names, options, self._maker)
        self._lock = threading.Lock()
        self._places: dict[int, Place] = {}
        self._present: set[str] = set()

    def place(self, generation: int) -> Place:
        """The generation's record. Raises SeriesUnavailable when it is not there, and
        GenerationDropped."""
        place = self._places.get(generation)
        if place is None:
            place = self._places[generation] = self.place_now(generation)
        return place

    def place_now(self, generation: int) -> Place:
        """As `place`, yet asked of the cluster: where nothing is found, since another process may
        have dropped the generation."""
        place = self._records.read(generation)
        if place is None:
            raise SeriesUnavailable(
                f"generation {generation} of the view has no record in index"
                f" {self._names.generations}: {ENSURE}"
            )
        if place.dropped:
            self._places.pop(generation, None)
            raise GenerationDropped(f"generation {generation} of the view was dropped")
        return place

    def need(self, place: Place, indices: Iterable[str]) -> None:
        """Make those that are missing. Two processes that make the same one do no harm.

        Raises SeriesUnavailable for one that is not ours: nothing is written into it.
        """
        for index in indices:
            if index not in self._present:
                with self._lock:
                    self._make_index(place, index)
                    self._present.add(index)

    def forget(self, indices: Iterable[str]) -> None:
        """Somebody deleted one of them: look again before the next write."""
        self._present.difference_update(indices)

    def ensure(self, generation: int) -> Sequence[str]:
        """See SeriesStore.ensure. Raises SeriesError with the command that mends it."""
        self._check_server()
        made = self._records.ensure_index()
        if self._records.read(generation) is None:
            self._refuse_orphans(generation)
            made.append(self._records.make(generation))
        place = self._places[generation] = self.place_now(generation)
        made += self._ensure_template(place)
        for index in sorted({self._names.index_at(place, time_ms) for time_ms in _months_ahead()}):
            if self._make_index(place, index):
                made.append(f"made index {index}")
        return made

    def drop(self, generation: int) -> None:
        """See SeriesStore.drop. The record stays and says so; the template stays, so that a late
        write is refused rather than an index made of it."""
        self._records.ensure_index()
        self._records.mark_dropped(generation)
        self._places.pop(generation, None)
        reach("view.dropped_before_free")
        while indices := self._maker.found(f"{self._names.events(generation)}-*"):
            self._maker.delete(indices)
            self.forget(indices)

    def _check_server(self) -> None:
        """The root of the server is not asked: some builds lack it."""
        answer = self._maker.get(
            "/_nodes", what="asking for the version", filter_path="nodes.*.version"
        )
        for node in answer.get("nodes", {}).values():
            if int(node["version"].split(".")[0]) < OLDEST_SERVER:
                raise SeriesError(
                    f"Elasticsearch {node['version']} is too old: Weir needs {OLDEST_SERVER}.0 or"
                    " newer; upgrade it"
                )

    def _refuse_orphans(self, generation: int) -> None:
        """Without its record nobody knows where a document of old lies: it would be written
        again, elsewhere."""
        pattern = f"{self._names.events(generation)}-*"
        found = self._maker.found(pattern)
        if found:
            raise SeriesError(
                f"{len(found)} indices {pattern} exist, but the record of generation {generation}"
                f" in {self._names.generations} does not: restore that index from a snapshot, or"
                f" delete {pattern} and {ENSURE}, then replay"
            )

    def _ensure_template(self, place: Place) -> list[str]:
        name = self._names.events(place.generation)
        what = f"index template {name}"
        found = self._maker.get(f"/_index_template/{name}", what=f"reading {what}")
        wanted = event_template(name, shards=place.shards, replicas=self._options.replicas)
        if any(
            _is_same(each["index_template"], wanted) for each in found.get("index_templates", [])
        ):
            return []
        self._cluster.request(
            "PUT",
            f"/_index_template/{name}",
            what=f"making {what}",
            timeout_s=TIMEOUT_S,
            body=wanted,
        )
        return [f"made {what}"]

    def _make_index(self, place: Place, index: str) -> bool:
        """Whether it was made. The record is read after that: an index that came into being behind
        the back of a drop goes at once."""
        body = event_index(index, shards=place.shards, replicas=self._options.replicas)
        is_new = self._maker.make(index, body)
        if is_new:
            try:
                self.place_now(place.generation)
            except GenerationDropped:
                self._maker.delete([index])
                raise
        return is_new


def _months_ahead() -> Sequence[int]:
    """A time in this month and one in the next."""
    now_ms = int(time.time() * 1000)
    year, month = month_of(now_ms)
    return now_ms, month_start_ms(year, month + 1)


def _is_same(found: Json, wanted: Json) -> bool:
    """Whether a template is as this Weir makes it; the server writes settings as text."""
    ours, theirs = wanted["template"], found.get("template", {})
    settings = {f"index.{name}": str(value) for name, value in ours.get("settings", {}).items()}
    return (
        theirs.get("mappings") == ours["mappings"]
        and _flat("", theirs.get("settings", {})) == settings
        and found.get("allow_auto_create") is False
        and found.get("index_patterns") == wanted["index_patterns"]
    )


def _flat(prefix: str, settings: Json) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(f"{prefix}{name}.", value)
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat
