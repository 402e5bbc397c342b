"""What a batch adds to the rollups of one project: gathered in memory, written once a cell."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import fsum

from feed.event import HOUR_MS, first_key_at
from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import SlotState
from timeseries.adapters.embedded.schema import MAX_VALUES, QUARTER_MS, TIERS_MS, slot_column
from timeseries.adapters.embedded.values import HUGE, SEVERAL_SQL, Value

Cell = tuple[int, int, int]
"""(slot, time of the hour in ms, event id)."""

_ADD_COUNTS = (
    "INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
)
_ADD_VALUES = (
    "INSERT INTO value_counts VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET n = n + excluded.n"
)
_GROWN = "(total + excluded.total)"
# Knuth's two-sum: what adding to `total` rounds off goes to `low`, so that the sum of any number
# of batches is as exact as that of one.
_ADD_NUMBERS = (
    "INSERT INTO numbers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " n = n + excluded.n,"
    f" total = {_GROWN},"
    f" low = low + excluded.low + ((total - ({_GROWN} - ({_GROWN} - total)))"
    f" + (excluded.total - ({_GROWN} - total))),"
    " least = min(least, excluded.least), most = max(most, excluded.most)"
)


class Tally:
    """Counts of documents that come (weight 1) and of those that go (weight -1).

    Counts are whole numbers, so that adding and taking away is exact; a cell of numbers that a
    document leaves is read anew from the documents.
    """

    def __init__(
        self, connection: Connection, project_id: int, states: dict[int, SlotState]
    ) -> None:
        self._connection, self._project_id, self._states = connection, project_id, states
        self._known = {slot: _flags(state) for slot, state in states.items()}
        self._counts: Counter[tuple[int, int]] = Counter()
        self._values: defaultdict[int, Counter[tuple[int, int, Value]]] = defaultdict(Counter)
        self._numbers: defaultdict[Cell, list[float]] = defaultdict(list)
        self._stale: set[Cell] = set()

    def add(self, time_ms: int, event_id: int, values: Mapping[int, tuple[Value, ...]]) -> None:
        """A new document."""
        self._count(time_ms, event_id, values, 1)
        hour = time_ms - time_ms % HOUR_MS
        for slot, several in values.items():
            for value in several:
                if type(value) is float:
                    self._numbers[slot, hour, event_id].append(value)

    def replace(
        self, time_ms: int, event_id: int, values: Mapping[int, tuple[Value, ...]], weight: int
    ) -> None:
        """A document that goes (-1) or takes its place (1)."""
        self._count(time_ms, event_id, values, weight)
        hour = time_ms - time_ms % HOUR_MS
        for slot, several in values.items():
            if any(type(value) is float for value in several):
                self._stale.add((slot, hour, event_id))
                self._numbers[slot, hour, event_id].extend(
                    value for value in several if type(value) is float
                )

    def _count(
        self, time_ms: int, event_id: int, values: Mapping[int, tuple[Value, ...]], weight: int
    ) -> None:
        self._counts[time_ms - time_ms % QUARTER_MS, event_id] += weight
        hour = time_ms - time_ms % HOUR_MS
        for slot, several in values.items():
            state = self._states.get(slot)
            if state is None:
                state = self._states[slot] = SlotState()
            if len(several) > 1:
                state.several = state.sealed = True
            if not state.sealed:
                self._values[slot][hour, event_id, several[0]] += weight

    def write(self) -> None:
        """Bring the rollups up to the documents, inside the caller's transaction, after the
        documents are written."""
        self._write_counts()
        for slot, counter in self._values.items():
            self._learn_values(slot, {value for _, _, value in counter})
        self._note_huge()
        self._write_states()
        self._write_values()
        self._write_numbers()
        for cell in self._stale:
            self._recompute(cell)
        self._drop_empty()

    def _write_counts(self) -> None:
        for tier in TIERS_MS:
            cells: Counter[tuple[int, int]] = Counter()
            for (quarter, event_id), n in self._counts.items():
                cells[quarter - quarter % tier, event_id] += n
            self._connection.executemany(
                _ADD_COUNTS,
                [(self._project_id, tier, time, event, n) for (time, event), n in cells.items()],
            )

    def _learn_values(self, slot: int, values: Iterable[Value]) -> None:
        state = self._states[slot]
        new = [value for value in values if value not in state.values]
        if state.sealed or len(state.values) + len(new) > MAX_VALUES:
            state.sealed = True
            return
        for value in new:
            self._connection.execute(
                "INSERT INTO slot_values (project_id, slot, value) VALUES (?, ?, ?)",
                (self._project_id, slot, value),
            )
            state.values[value] = self._connection.last_insert_rowid()

    def _note_huge(self) -> None:
        for (slot, _, _), numbers in self._numbers.items():
            if max(numbers) > HUGE or min(numbers) < -HUGE:
                self._states[slot].huge = True

    def _write_states(self) -> None:
        """Flags are only ever set: where one is, its rollup goes for good, in the transaction that
        would have made it wrong or too big."""
        for slot, state in self._states.items():
            if self._known.get(slot) == _flags(state):
                continue
            self._connection.execute(
                "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?)",
                (self._project_id, slot, state.several, state.huge, state.sealed),
            )
            if state.sealed:
                state.values.clear()
                self._delete_slot("value_counts", slot)
                self._delete_slot("slot_values", slot)
            if state.huge:
                self._delete_slot("numbers", slot)

    def _delete_slot(self, table: str, slot: int) -> None:
        self._connection.execute(
            f"DELETE FROM {table} WHERE project_id = ? AND slot = ?",
            (self._project_id, slot),
        )

    def _write_values(self) -> None:
        for slot, counter in self._values.items():
            state = self._states[slot]
            if not state.sealed:
                self._connection.executemany(
                    _ADD_VALUES,
                    [
                        (self._project_id, slot, hour, event_id, state.values[value], n)
                        for (hour, event_id, value), n in counter.items()
                    ],
                )

    def _write_numbers(self) -> None:
        rows = []
        for cell, numbers in self._numbers.items():
            if cell not in self._stale and not self._states[cell[0]].huge:
                total = fsum(numbers)
                low = fsum([*numbers, -total])
                rows.append(
                    (self._project_id, *cell, len(numbers), total, low, min(numbers), max(numbers))
                )
        self._connection.executemany(_ADD_NUMBERS, rows)

    def _recompute(self, cell: Cell) -> None:
        slot, hour, event_id = cell
        if self._states[slot].huge:
            return
        self._connection.execute(
            "DELETE FROM numbers WHERE project_id = ? AND slot = ? AND time = ? AND event_id = ?",
            (self._project_id, *cell),
        )
        column = slot_column(slot)
        value = f"CASE WHEN d.{column} = {SEVERAL_SQL} THEN e.value ELSE d.{column} END"
        self._connection.execute(
            "INSERT INTO numbers SELECT :project, :slot, :hour, :event, count(*), sum(v), 0.0,"
            f" min(v), max(v) FROM (SELECT {value} AS v FROM docs d LEFT JOIN elements e ON"
            f" d.{column} = {SEVERAL_SQL} AND e.project_id = d.project_id AND e.key = d.key"
            " AND e.slot = :slot WHERE d.project_id = :project AND d.key >= :low AND d.key < :high"
            " AND d.event_id = :event) WHERE v < '' HAVING count(*) > 0",
            {
                "project": self._project_id,
                "slot": slot,
                "hour": hour,
                "event": event_id,
                "low": first_key_at(hour),
                "high": first_key_at(hour + HOUR_MS),
            },
        )

    def _drop_empty(self) -> None:
        """Rows that replaced documents have left with nothing."""
        gone = [cell for cell, n in self._counts.items() if n < 0]
        for quarter, event_id in gone:
            for tier in TIERS_MS:
                self._connection.execute(
                    "DELETE FROM counts WHERE project_id = ? AND tier = ? AND time = ?"
                    " AND event_id = ? AND n = 0",
                    (self._project_id, tier, quarter - quarter % tier, event_id),
                )


def _flags(state: SlotState) -> tuple[bool, bool, bool]:
    return state.several, state.huge, state.sealed
