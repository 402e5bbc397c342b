"""Searches of one project in one generation, complete or not at all."""

from typing import Any

from timeseries.adapters.elasticsearch.client import Cluster, Json
from timeseries.adapters.elasticsearch.generations import GenerationKeeper
from timeseries.adapters.elasticsearch.indices import Names, routed, routings_of
from timeseries.errors import QueryTimeout, SeriesUnavailable

GRACE_S = 2.0
"""How much longer than the query itself its answer may take."""


class ProjectSearching:
    """Implements client.Searching."""

    def __init__(self, cluster: Cluster, names: Names, keeper: GenerationKeeper) -> None:
        self._cluster, self._names, self._keeper = cluster, names, keeper

    def search(
        self,
        body: Json,
        *,
        project: str,
        generation: int,
        from_ms: int | None,
        to_ms: int | None,
        timeout_s: float,
    ) -> Json:
        """See Searching."""
        place = self._keeper.place(generation)
        answer: Json = self._cluster.request(
            "POST",
            f"/{self._names.indices(place, from_ms, to_ms)}/_search",
            what=f"a query on project {project}",
            timeout_s=timeout_s + GRACE_S,
            params={
                **routed(*routings_of(place, project)),
                "preference": project,  # one copy of a shard: what it showed once it keeps showing
                "ignore_unavailable": "true",
                "allow_no_indices": "true",
                "allow_partial_search_results": "false",
            },
            body={
                **body,
                "query": _within(body.get("query"), project, from_ms, to_ms),
                "timeout": f"{max(1, int(timeout_s * 1000))}ms",
            },
        )
        check_whole(answer)
        if not answer["_shards"]["total"]:  # dropped by another process, or nothing there yet
            self._keeper.place_now(generation)
        return answer


def check_whole(answer: Json) -> None:
    """A partial answer is an error, never a figure."""
    if answer["timed_out"]:
        raise QueryTimeout()
    shards = answer["_shards"]
    if shards["failed"]:
        raise SeriesUnavailable(
            f"{shards['failed']} of {shards['total']} shards of the view did not answer"
        )


def _within(query: Any, project: str, from_ms: int | None, to_ms: int | None) -> Json:
    filters: list[Any] = [{"term": {"p": project}}]
    times = {
        name: time_ms for name, time_ms in (("gte", from_ms), ("lt", to_ms)) if time_ms is not None
    }
    if times:
        filters.append({"range": {"t": times}})
    if query is not None:
        filters.append(query)
    return {"bool": {"filter": filters}}
