"""The SeriesStore port over files, one a generation."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from feed.errors import WrongOption
from feed.sqlite import Connection
from timeseries.adapters.embedded import reading
from timeseries.adapters.embedded.catalog import Catalog
from timeseries.adapters.embedded.figures import answer, values
from timeseries.adapters.embedded.files import GenerationFile
from timeseries.adapters.embedded.restoring import restore_documents
from timeseries.adapters.embedded.writing import write_documents
from timeseries.domain import (
    QUERY_TIMEOUT_S,
    Agg,
    Filter,
    GroupFigures,
    SeriesQuery,
    StoreAnswer,
)
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

HOURS_A_SNAPSHOT = 24
"""Hours that one read transaction of `hours` covers."""
PACE = Pace(batch_records=2_000, little_records=200, spacing_s=0.02)
"""Two commits to disk a batch cost the same for one record as for a thousand."""
SWITCHES = {"on": True, "off": False}


class EmbeddedSeriesStore:
    """Implements timeseries.ports.SeriesStore. `rollups=False` answers every query from documents:
    the figures are the same."""

    def __init__(self, folder: Path, *, rollups: bool = True) -> None:
        self._folder, self._rollups = folder, rollups
        self._lock = threading.Lock()
        self._files: dict[int, GenerationFile] = {}

    @property
    def pace(self) -> Pace:
        """See the port."""
        return PACE

    def write(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """See the port: one transaction a part and generation, documents and rollups together."""
        return self._write(write_documents, parts, generations)

    def restore(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """See the port: in the same transactions."""
        return self._write(restore_documents, parts, generations)

    def _write(
        self,
        write: Callable[[Connection, Catalog, Sequence[Document]], None],
        parts: Iterable[Sequence[Document]],
        generations: Sequence[int],
    ) -> Sequence[Refused]:
        for documents in parts:
            for generation in generations:
                with self._file(generation).writing() as (connection, catalog):
                    write(connection, catalog, documents)
        return ()

    def figures(self, query: SeriesQuery, *, generation: int, timeout_s: float) -> StoreAnswer:
        """See the port."""
        with self._file(generation).reading(timeout_s=timeout_s) as connection:
            project = reading.project_id(connection, query.project)
            if project is None:
                return _nothing(query)
            return answer(connection, query, project_id=project, rollups=self._rollups)

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
        with self._file(generation).reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            found = reading.project_id(connection, project)
            if found is None:
                return KeyPage([], None)
            return reading.keys(
                connection,
                found,
                where,
                from_ms=from_ms,
                to_ms=to_ms,
                before=before,
                limit=limit,
            )

    def versions(
        self, project: str, keys: Sequence[bytes], *, generation: int
    ) -> Mapping[bytes, int]:
        """See the port."""
        with self._file(generation).reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            found = reading.project_id(connection, project)
            return {} if found is None or not keys else reading.versions(connection, found, keys)

    def hours(
        self, project: str, start_ms: int, end_ms: int, *, generation: int
    ) -> Iterator[DocumentHour]:
        """See the port."""
        file = self._file(generation)
        with file.reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            found = reading.project_id(connection, project)
            if found is None:
                return
            hours = reading.hours_with_documents(connection, found, start_ms, end_ms)
        for chunk in reading.chunks(hours, HOURS_A_SNAPSHOT):
            with file.reading(timeout_s=QUERY_TIMEOUT_S) as connection:
                counted = reading.document_hours(connection, found, chunk, start_ms, end_ms)
            yield from counted

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
        with self._file(generation).reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            found = reading.project_id(connection, project)
            if found is None:
                return []
            return reading.entries(
                connection, found, start_ms=start_ms, end_ms=end_ms, after=after, limit=limit
            )

    def events_seen(self, project: str, *, generation: int, limit: int) -> Sequence[EventSeen]:
        """See the port."""
        with self._file(generation).reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            found = reading.project_id(connection, project)
            return [] if found is None else reading.events_seen(connection, found, limit=limit)

    def values_seen(
        self, query: SeriesQuery, *, generation: int, prefix: str, limit: int, timeout_s: float
    ) -> Sequence[ValueSeen]:
        """See the port."""
        with self._file(generation).reading(timeout_s=timeout_s) as connection:
            found = reading.project_id(connection, query.project)
            if found is None:
                return []
            return values(
                connection,
                query,
                project_id=found,
                rollups=self._rollups,
                prefix=prefix,
                limit=limit,
            )

    def data_version(self, project: str, *, generation: int) -> str:
        """See the port."""
        with self._file(generation).reading(timeout_s=QUERY_TIMEOUT_S) as connection:
            return f"{generation}.{reading.data_version(connection, project)}"

    def ensure(self, generation: int) -> Sequence[str]:
        """See the port."""
        made = self._file(generation).ensure()
        return [f"made the view's file of generation {generation}"] if made else []

    def drop(self, generation: int) -> None:
        """See the port. Other processes give the file's space back at their next use of any
        generation."""
        self._file(generation).drop()

    def ping(self, *, timeout_s: float) -> None:
        """See the port: whether the first generation that is there can be written."""
        files = map(self._file, count(1))
        next(file for file in files if not file.is_dropped()).ensure()

    def close(self) -> None:
        """See the port."""
        with self._lock:
            files, self._files = list(self._files.values()), {}
        for file in files:
            file.close()

    def _file(self, generation: int) -> GenerationFile:
        with self._lock:
            self._let_go_of_dropped()
            if generation not in self._files:
                path = self._folder / f"generation-{generation}.sqlite"
                self._files[generation] = GenerationFile(path)
            return self._files[generation]

    def _let_go_of_dropped(self) -> None:
        """A deleted file keeps its space while somebody has it open."""
        for generation, file in list(self._files.items()):
            if file.is_dropped():
                del self._files[generation]
                file.close()


def _nothing(query: SeriesQuery) -> StoreAnswer:
    """The answer for a project without documents."""
    if query.group_by:
        return StoreAnswer([], "documents", {})
    zeros = {Agg.COUNT: 0, Agg.UNIQUE: 0, Agg.RATE: 0.0, Agg.SUM: 0.0}
    total = tuple(zeros.get(metric.agg) for metric in query.metrics)
    return StoreAnswer([GroupFigures((), total, {})], "documents", {})


def open_series_store(url: str, options: Mapping[str, str], data_dir: Path) -> EmbeddedSeriesStore:
    """The store below `data_dir/timeseries/`. Option `rollups`: on (default) or off.

    Raises WrongOption. Connects to nothing.
    """
    for name in options:
        if name != "rollups":
            raise WrongOption(
                f"WEIR_TIMESERIES_URL has {name!r}, no option of embedded: it takes rollups"
            )
    switch = options.get("rollups", "on")
    if switch not in SWITCHES:
        raise WrongOption(f"WEIR_TIMESERIES_URL has rollups={switch!r}: it takes on or off")
    return EmbeddedSeriesStore(data_dir / "timeseries", rollups=SWITCHES[switch])
