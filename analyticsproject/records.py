"""Wires `/v1/query/events` to the warehouse: the view's RecordSource on the EventStore port."""

from collections.abc import Mapping, Sequence

from timeseries.errors import RecordsUnavailable
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure


class StoredRecords:
    """Whole records from the event store; opened at first use."""

    def records(self, project: str, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The record bytes of these keys; absent keys are absent. Raises RecordsUnavailable."""
        try:
            rows = get_event_store().get(project, keys)
        except StoreBackpressure as exc:
            raise RecordsUnavailable(str(exc), retry_after_s=exc.retry_after_s) from exc
        return {key: row.record for key, row in rows.items()}
