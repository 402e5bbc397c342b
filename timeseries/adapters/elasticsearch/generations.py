"""Generations in the cluster: their records, index templates, and indices made ahead of the first
write into them."""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from feed.crash_points import reach
from timeseries.adapters.elasticsearch.client import Cluster, Json
from timeseries.adapters.elasticsearch.errors import error_in
from timeseries.adapters.elasticsearch.indices import (
    MONTHLY_YEARS,
    MOST_NAMES,
    Names,
    Place,
    month_of,
    month_start_ms,
)
from timeseries.adapters.elasticsearch.mapping import (
    MAPPING_VERSION,
    event_index,
    event_template,
    replicas_setting,
)
from timeseries.adapters.elasticsearch.options import Options
from timeseries.errors import GenerationDropped, SeriesError, SeriesUnavailable

OLDEST_SERVER = 9
TIMEOUT_S = 30.0
ENSURE = "run `manage.py ensure_engines`"
_EXISTS = "resource_already_exists_exception"


class GenerationKeeper:
    """What one process knows of generations and of the indices that exist. Thread-safe."""

    def __init__(self, cluster: Cluster, names: Names, options: Options) -> None:
        self._cluster, self._names, self._options = cluster, names, options
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
        place = self._read_record(generation)
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
        made = self._ensure_records_index()
        made += self._ensure_record(generation)
        place = self._places[generation] = self.place_now(generation)
        made += self._ensure_template(place)
        for index in sorted({self._names.index_at(place, time_ms) for time_ms in _months_ahead()}):
            if self._make_index(place, index):
                made.append(f"made index {index}")
        return made

    def drop(self, generation: int) -> None:
        """See SeriesStore.drop. The record stays and says so; the template stays, so that a late
        write is refused rather than an index made of it."""
        self._ensure_records_index()
        self._mark_dropped(generation)
        reach("view.dropped_before_free")
        self._delete(self._indices_of(generation))

    def _mark_dropped(self, generation: int) -> None:
        name = self._names.generations
        place = self._read_record(generation) or Place(generation, 0, 0, 0)
        if place.dropped:
            return
        self._cluster.request(
            "PUT",
            f"/{name}/_mapping",
            what=f"changing the mapping of {name}",
            timeout_s=TIMEOUT_S,
            body={"properties": {"dropped": {"type": "boolean"}}},
        )
        self._cluster.request(
            "PUT",
            f"/{name}/_doc/{generation}",
            what=f"marking generation {generation} as dropped",
            timeout_s=TIMEOUT_S,
            body=asdict(replace(place, dropped=True)),
        )

    def _indices_of(self, generation: int) -> list[str]:
        found = self._get(
            f"/{self._names.events(generation)}-*/_settings",
            what="looking for indices",
            filter_path="*.settings.index.uuid",
        )
        return sorted(found)

    def _delete(self, indices: Sequence[str]) -> None:
        """By name: many clusters delete nothing by pattern."""
        for start in range(0, len(indices), MOST_NAMES):
            names = indices[start : start + MOST_NAMES]
            self._cluster.request(
                "DELETE",
                f"/{','.join(names)}",
                what=f"deleting indices {names[0]} and others",
                timeout_s=TIMEOUT_S,
                params={"ignore_unavailable": "true"},
            )
        self.forget(indices)

    def _check_server(self) -> None:
        """The root of the server is not asked: some builds lack it."""
        answer = self._get("/_nodes", what="asking for the version", filter_path="nodes.*.version")
        for node in answer.get("nodes", {}).values():
            if int(node["version"].split(".")[0]) < OLDEST_SERVER:
                raise SeriesError(
                    f"Elasticsearch {node['version']} is too old: Weir needs {OLDEST_SERVER}.0 or"
                    " newer; upgrade it"
                )

    def _ensure_records_index(self) -> list[str]:
        name = self._names.generations
        body = {
            "settings": {"number_of_shards": 1, **replicas_setting(self._options.replicas)},
            "mappings": {
                "dynamic": "strict",
                "_meta": {"weir": MAPPING_VERSION},
                "properties": {
                    field: {"type": "integer"}
                    for field in ("generation", "monthly_from_year", "shards", "spread")
                },
            },
        }
        return [f"made index {name}"] if self._put_index(name, body) else []

    def _ensure_record(self, generation: int) -> list[str]:
        if self._read_record(generation) is not None:
            return []
        self._refuse_orphans(generation)
        year, _ = month_of(int(time.time() * 1000))
        record = {
            "generation": generation,
            "monthly_from_year": year - MONTHLY_YEARS,
            "shards": self._options.shards,
            "spread": self._options.spread,
        }
        self._cluster.request(
            "PUT",
            f"/{self._names.generations}/_create/{generation}",
            what=f"making the record of generation {generation}",
            timeout_s=TIMEOUT_S,
            body=record,
            allowed=(409,),  # another process was first: its record stands
        )
        return [f"made the record of generation {generation} of the view"]

    def _refuse_orphans(self, generation: int) -> None:
        """Without its record nobody knows where a document of old lies: it would be written
        again, elsewhere."""
        pattern = f"{self._names.events(generation)}-*"
        found = self._indices_of(generation)
        if found:
            raise SeriesError(
                f"{len(found)} indices {pattern} exist, but the record of generation {generation}"
                f" in {self._names.generations} does not: restore that index from a snapshot, or"
                f" delete {pattern} and {ENSURE}, then replay"
            )

    def _ensure_template(self, place: Place) -> list[str]:
        name = self._names.events(place.generation)
        what = f"index template {name}"
        found = self._get(f"/_index_template/{name}", what=f"reading {what}")
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
        is_new = self._put_index(index, body)
        if is_new:
            try:
                self.place_now(place.generation)
            except GenerationDropped:
                self._delete([index])
                raise
        return is_new

    def _put_index(self, index: str, body: Json) -> bool:
        """Whether it was made; one that is there must be ours."""
        answer = self._cluster.request(
            "PUT",
            f"/{index}",
            what=f"making index {index}",
            timeout_s=TIMEOUT_S,
            body=body,
            allowed=(400,),
        )
        if "error" not in answer:
            return True
        kind, reason = error_in(answer)
        if kind != _EXISTS:
            raise SeriesError(f"Elasticsearch does not make index {index}: {reason}")
        self._check_ours(index)
        return False

    def _check_ours(self, index: str) -> None:
        found = self._get(
            f"/{index}/_mapping",
            what=f"reading the mapping of {index}",
            filter_path="*.mappings._meta",
        )
        version = next((each["mappings"]["_meta"].get("weir") for each in found.values()), None)
        if version != MAPPING_VERSION:
            raise SeriesUnavailable(
                f"index {index} exists and is not of this Weir (mapping {version}, not"
                f" {MAPPING_VERSION}): delete or rename it and {ENSURE}, or choose another"
                " index_prefix in WEIR_TIMESERIES_URL"
            )

    def _read_record(self, generation: int) -> Place | None:
        answer = self._get(
            f"/{self._names.generations}/_doc/{generation}",
            what=f"reading the record of generation {generation}",
        )
        record = answer.get("_source")
        return Place(**record) if record else None

    def _get(self, path: str, *, what: str, filter_path: str | None = None) -> dict[str, Any]:
        """The answer; empty where there is nothing of the name."""
        answer = self._cluster.request(
            "GET",
            path,
            what=what,
            timeout_s=TIMEOUT_S,
            params={"filter_path": filter_path} if filter_path else None,
            allowed=(404,),
        )
        return {} if "error" in answer or answer.get("found") is False else dict(answer)


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
