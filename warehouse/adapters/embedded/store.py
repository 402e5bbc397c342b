"""The EventStore port on one SQLite file: what a caller sees, and the options it takes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from feed.errors import WrongOption
from feed.event import HOUR_MS
from warehouse.adapters.embedded import reading
from warehouse.adapters.embedded.appending import Appender
from warehouse.adapters.embedded.file import StoreFile
from warehouse.ports import Checkpoint, HourCount, Page, Partition, Row, ScanWindow

FILE = Path("warehouse", "events.sqlite3")
DEFAULT_CACHE_MB = 32
MAX_CACHE_MB = 4096
MAX_KEYS = 1000


class EmbeddedEventStore:
    """Implements `warehouse.ports.EventStore`; one shard, so a partition is an hour."""

    def __init__(self, path: Path, *, cache_mb: int = DEFAULT_CACHE_MB) -> None:
        self._path = path
        self._file = StoreFile(path, cache_mb=cache_mb)
        self._appender = Appender(self._file)

    def append(self, rows: Iterable[Row]) -> None:
        """See the port: one transaction."""
        batch = list(rows)
        if batch:
            self._appender.append(batch)

    def scan(
        self, window: ScanWindow, *, after: Checkpoint | None = None, page_rows: int = 1000
    ) -> Iterator[Page]:
        """See the port. No connection is held between pages."""
        place = reading.first_place(window, after)
        while True:
            with self._file.lent() as connection:
                page = reading.next_page(connection, window, place, page_rows)
            if page is None:
                return
            yield page
            place = reading.first_place(window, page.checkpoint)

    def get(self, project: str, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
        """See the port."""
        if len(keys) > MAX_KEYS:
            raise ValueError(f"{len(keys)} keys: ask for at most {MAX_KEYS} at once")
        with self._file.lent() as connection:
            return reading.rows_of(connection, project, keys)

    def partitions(self, project: str, start_ms: int, end_ms: int) -> Sequence[Partition]:
        """See the port."""
        with self._file.lent() as connection:
            hours = reading.hours_with_events(connection, project, start_ms, end_ms)
        return [Partition(hour_ms, 0) for hour_ms in hours]

    def hours(
        self, window: ScanWindow, *, tick: Callable[[], object] = lambda: None
    ) -> Iterator[HourCount]:
        """See the port: counted from the events, an hour at a time. No connection is held while
        `tick` is called."""
        for hour_ms, _ in self.partitions(window.project, window.start_ms, window.end_ms):
            place: reading.Place | None = (max(hour_ms, window.start_ms), b"")
            end_ms = min(hour_ms + HOUR_MS, window.end_ms)
            counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
            while place is not None:
                with self._file.lent() as connection:
                    found, place = reading.count(connection, window, place, end_ms)
                tick()
                for event, count, hash_sum in found:
                    counts[event][0] += count
                    counts[event][1] += hash_sum
            for event, (count, hash_sum) in sorted(counts.items()):
                yield HourCount(hour_ms, event, count, hash_sum)

    def ensure(self) -> Sequence[str]:
        """See the port."""
        return [f"made {self._path}"] if self._file.ensure() else []

    def ping(self, *, timeout_s: float) -> None:
        """See the port; a local file answers at once or not at all."""
        with self._file.lent() as connection:
            connection.execute("SELECT 1 FROM projects").fetchall()

    def close(self) -> None:
        """See the port."""
        self._file.close()


def open_event_store(url: str, options: Mapping[str, str], data_dir: Path) -> EmbeddedEventStore:
    """The adapter that `embedded:` names. Raises WrongOption, naming the parameter."""
    for name in options:
        if name != "cache_mb":
            raise WrongOption(
                f"WEIR_WAREHOUSE_URL has {name!r}, which is no option of embedded: "
                "it takes cache_mb"
            )
    text = options.get("cache_mb", str(DEFAULT_CACHE_MB))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_CACHE_MB):
        raise WrongOption(
            f"WEIR_WAREHOUSE_URL has cache_mb={text!r}: it takes a whole number from 1 to "
            f"{MAX_CACHE_MB}"
        )
    return EmbeddedEventStore(data_dir / FILE, cache_mb=int(text))
