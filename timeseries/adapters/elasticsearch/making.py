"""Indices as such: made once, checked to be ours, deleted by name."""

from collections.abc import Sequence
from typing import Any

from timeseries.adapters.elasticsearch.client import Cluster, Json
from timeseries.adapters.elasticsearch.errors import error_in
from timeseries.adapters.elasticsearch.indices import MOST_NAMES
from timeseries.adapters.elasticsearch.mapping import MAPPING_VERSION
from timeseries.errors import SeriesError, SeriesUnavailable

TIMEOUT_S = 30.0
ENSURE = "run `manage.py ensure_engines`"
_EXISTS = "resource_already_exists_exception"


class IndexMaker:
    """Thread-safe. Knows of nothing what it is for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def make(self, index: str, body: Json) -> bool:
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

    def delete(self, indices: Sequence[str]) -> None:
        """Those that are there, by name: many clusters delete nothing by pattern. Of several of
        which another process deletes one at this moment, the server deletes none: look again."""
        for start in range(0, len(indices), MOST_NAMES):
            names = indices[start : start + MOST_NAMES]
            self._cluster.request(
                "DELETE",
                f"/{','.join(names)}",
                what=f"deleting index {names[0]} and others",
                timeout_s=TIMEOUT_S,
                params={"ignore_unavailable": "true"},
                allowed=(404,),
            )

    def found(self, pattern: str) -> list[str]:
        """The names of the indices that are there."""
        answer = self.get(
            f"/{pattern}/_settings",
            what="looking for indices",
            filter_path="*.settings.index.uuid",
        )
        return sorted(answer)

    def get(self, path: str, *, what: str, filter_path: str | None = None) -> dict[str, Any]:
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

    def _check_ours(self, index: str) -> None:
        found = self.get(
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
