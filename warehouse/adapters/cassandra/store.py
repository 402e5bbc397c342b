"""The port's methods, and the URL's options."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from warehouse.adapters.cassandra.appending import Appender
from warehouse.adapters.cassandra.options import StoreOptions, parse_options
from warehouse.adapters.cassandra.reading import Reader
from warehouse.adapters.cassandra.schema import ensure_schema
from warehouse.adapters.cassandra.session import CassandraSession
from warehouse.ports import Checkpoint, HourCount, Page, Partition, Row, ScanWindow
from warehouse.shards import LoadPlan, ShardPlans

MAX_KEYS = 1000


class CassandraEventStore:
    """Implements `warehouse.ports.EventStore`; connects at first use."""

    def __init__(self, options: StoreOptions, *, load_plan: LoadPlan) -> None:
        self._session = CassandraSession(options)
        plans = ShardPlans(load_plan)
        self._appender = Appender(self._session, plans)
        self._reader = Reader(self._session, plans)

    def append(self, rows: Iterable[Row]) -> None:
        """See the port: unlogged batches of one partition each."""
        self._appender.append(rows)

    def scan(
        self, window: ScanWindow, *, after: Checkpoint | None = None, page_rows: int = 1000
    ) -> Iterator[Page]:
        """See the port; two pages are in memory, the one that is worked on and the next."""
        return self._reader.scan(window, after, page_rows)

    def get(self, project: str, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
        """See the port."""
        if len(keys) > MAX_KEYS:
            raise ValueError(f"{len(keys)} keys: ask for at most {MAX_KEYS} at once")
        return self._reader.rows(project, keys) if keys else {}

    def partitions(self, project: str, start_ms: int, end_ms: int) -> Sequence[Partition]:
        """See the port."""
        return list(self._reader.partitions(project, start_ms, end_ms))

    def hours(
        self, window: ScanWindow, *, tick: Callable[[], object] = lambda: None
    ) -> Iterator[HourCount]:
        """See the port: counted from the events."""
        return self._reader.hours(window, tick)

    def ensure(self) -> Sequence[str]:
        """See the port. Raises UnsafeStore, StoreUnavailable."""
        return ensure_schema(self._session)

    def ping(self, *, timeout_s: float) -> None:
        """See the port: one read at the consistency of the URL."""
        self._session.ping(timeout_s=timeout_s)

    def close(self) -> None:
        """See the port."""
        self._session.close()


def open_event_store(url: str, options: Mapping[str, str], data_dir: Path) -> CassandraEventStore:
    """The adapter that `cassandra:` names. Raises WrongOption, naming the parameter."""
    # Here, since models can be imported only once Django's apps are loaded.
    from warehouse.shard_steps import read_plan

    return CassandraEventStore(parse_options(url, options), load_plan=read_plan)
