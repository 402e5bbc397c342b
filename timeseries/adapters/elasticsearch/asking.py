"""One call of the port on its way: the documents it is over, and until when it may search."""

import time
from dataclasses import dataclass, field, replace

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.client import Json, Searching
from timeseries.errors import QueryTimeout

MAX_BUCKETS = 50_000
"""Buckets that one search may answer with; the server refuses more than 65,536."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Searches over the documents of one project, generation and range that match `where`, with one
    deadline for all."""

    searching: Searching
    project: str
    generation: int
    from_ms: int | None
    to_ms: int | None
    timeout_s: float
    where: dsl.Query | None = None
    started_s: float = field(default_factory=time.monotonic)

    def search(self, body: Json) -> Json:
        """The answer to a body, its `query` a dsl.Query; hits only where it asks for them.

        Raises QueryTimeout, SeriesUnavailable.
        """
        left_s = self.started_s + self.timeout_s - time.monotonic()
        if left_s <= 0:
            raise QueryTimeout()
        return self.searching.search(
            {"size": 0, "track_total_hits": False, **body, "query": self._query(body).to_dict()},
            project=self.project,
            generation=self.generation,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            timeout_s=left_s,
        )

    def aggregations(self, body: Json) -> Json:
        """The same, the aggregations alone; none where no document was ever written."""
        found: Json = self.search(body).get("aggregations", {})
        return found

    def _query(self, body: Json) -> dsl.Query:
        parts = [part for part in (self.where, body.get("query")) if part is not None]
        return dsl.Bool(filter=parts) if parts else dsl.MatchAll()

    def within(self, from_ms: int, to_ms: int) -> "Asking":
        """The same over a part of the range."""
        return replace(self, from_ms=from_ms, to_ms=to_ms)
