"""The SeriesStore port over Elasticsearch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from timeseries.adapters.elasticsearch import listing, verification
from timeseries.adapters.elasticsearch.bulk import BulkWriter
from timeseries.adapters.elasticsearch.client import Cluster
from timeseries.adapters.elasticsearch.figures import figures
from timeseries.adapters.elasticsearch.generations import GenerationKeeper
from timeseries.adapters.elasticsearch.indices import Names
from timeseries.adapters.elasticsearch.options import Options
from timeseries.adapters.elasticsearch.searching import ProjectSearching
from timeseries.domain import Filter, SeriesQuery, StoreAnswer
from timeseries.ports import (
    Document,
    DocumentHour,
    Entry,
    EventSeen,
    KeyPage,
    Pace,
    Refused,
    ValueSeen,
)


class ElasticsearchSeriesStore:
    """Implements timeseries.ports.SeriesStore. Connects at its first use."""

    def __init__(self, options: Options) -> None:
        self._pace = Pace(options.batch_records, options.batch_records, options.refresh_s)
        self._cluster = Cluster(options)
        self._names = Names(options.index_prefix)
        self._keeper = GenerationKeeper(self._cluster, self._names, options)
        self._searching = ProjectSearching(self._cluster, self._names, self._keeper)
        self._bulk = BulkWriter(self._cluster, self._names, self._keeper, options)

    @property
    def pace(self) -> Pace:
        """See the port: a write ends with a refresh, which makes a segment of each index."""
        return self._pace

    def write(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """See the port."""
        return self._write(parts, generations, restores=False)

    def restore(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """See the port."""
        return self._write(parts, generations, restores=True)

    def _write(
        self, parts: Iterable[Sequence[Document]], generations: Sequence[int], *, restores: bool
    ) -> Sequence[Refused]:
        places = [self._keeper.place(generation) for generation in generations]
        if len(places) == 1:
            return self._bulk.write(parts, places[0], restores=restores)
        refused: list[Refused] = []
        for part in parts:
            for place in places:
                refused += self._bulk.write([part], place, restores=restores)
        return refused

    def figures(self, query: SeriesQuery, *, generation: int, timeout_s: float) -> StoreAnswer:
        """See the port."""
        return figures(self._searching, query, generation=generation, timeout_s=timeout_s)

    def keys(
        self,
        project: str,
        where: Filter,
        *,
        generation: int,
        from_ms: int,
        to_ms: int,
        before: bytes | None,
        limit: int,
    ) -> KeyPage:
        """See the port."""
        return listing.keys(
            self._searching,
            project,
            where,
            generation=generation,
            from_ms=from_ms,
            to_ms=to_ms,
            before=before,
            limit=limit,
        )

    def versions(
        self, project: str, keys: Sequence[bytes], *, generation: int
    ) -> Mapping[bytes, int]:
        """See the port."""
        place = self._keeper.place(generation)
        found = verification.versions(self._cluster, self._names, place, project, keys)
        if len(found) < len(keys):
            self._keeper.place_now(generation)
        return found

    def hours(
        self, project: str, start_ms: int, end_ms: int, *, generation: int
    ) -> Iterator[DocumentHour]:
        """See the port."""
        return verification.hours(self._searching, project, start_ms, end_ms, generation=generation)

    def entries(
        self,
        project: str,
        start_ms: int,
        end_ms: int,
        *,
        generation: int,
        after: bytes | None,
        limit: int,
    ) -> Sequence[Entry]:
        """See the port."""
        return verification.entries(
            self._searching,
            project,
            start_ms,
            end_ms,
            generation=generation,
            after=after,
            limit=limit,
        )

    def events_seen(self, project: str, *, generation: int, limit: int) -> Sequence[EventSeen]:
        """See the port."""
        return listing.events_seen(self._searching, project, generation=generation, limit=limit)

    def values_seen(
        self, query: SeriesQuery, *, generation: int, prefix: str, limit: int, timeout_s: float
    ) -> Sequence[ValueSeen]:
        """See the port."""
        return listing.values_seen(
            self._searching,
            query,
            generation=generation,
            prefix=prefix,
            limit=limit,
            timeout_s=timeout_s,
        )

    def data_version(self, project: str, *, generation: int) -> str:
        """See the port."""
        place = self._keeper.place(generation)
        version = verification.data_version(self._cluster, self._names, place, project)
        if version is None:
            self._keeper.place_now(generation)
        return f"{generation}.{version or ''}"

    def ensure(self, generation: int) -> Sequence[str]:
        """See the port."""
        return self._keeper.ensure(generation)

    def drop(self, generation: int) -> None:
        """See the port."""
        self._keeper.drop(generation)

    def ping(self, *, timeout_s: float) -> None:
        """See the port: whether a node answers and knows its cluster's master."""
        self._cluster.request(
            "GET", "/_cluster/health", what="asking for its health", timeout_s=timeout_s
        )

    def close(self) -> None:
        """See the port."""
        self._bulk.close()
        self._cluster.close()
