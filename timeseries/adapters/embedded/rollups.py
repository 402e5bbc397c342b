"""Brings the rollups of one project up to its documents, in the transaction that changes them."""

from collections.abc import Iterable, Mapping
from math import fsum

from feed.event import HOUR_MS, first_key_at
from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import SlotState
from timeseries.adapters.embedded.schema import MAX_VALUES, TIERS_MS, slot_column
from timeseries.adapters.embedded.tally import Cell, Tally
from timeseries.adapters.embedded.values import HUGE, SEVERAL_SQL, Value

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


class Rollups:
    """The rollups of one project, inside one write transaction."""

    def __init__(
        self, connection: Connection, project_id: int, states: dict[int, SlotState]
    ) -> None:
        self._connection, self._project_id, self._states = connection, project_id, states

    def apply(self, tally: Tally) -> None:
        """Add what the tally holds. The documents are written already: stale cells are read from
        them."""
        counts, numbers = tally.counts(), dict(tally.numbers())
        self._note_states(tally, counts, numbers)
        self._write_counts(tally.quarters)
        self._write_values(counts)
        self._write_numbers(numbers)
        for cell in tally.stale:
            self._recompute(cell)

    def _note_states(
        self,
        tally: Tally,
        counts: Mapping[int, Mapping[tuple[int, int], Mapping[Value, int]]],
        numbers: Mapping[Cell, list[float]],
    ) -> None:
        """Flags are only ever set: where one is, its rollup goes for good, in the transaction that
        would have made it wrong or too big."""
        before = {slot: _flags(state) for slot, state in self._states.items()}
        for slot in tally.several:
            state = self._states.setdefault(slot, SlotState())
            state.several = state.sealed = True
        for slot, hours in counts.items():
            state = self._states.setdefault(slot, SlotState())
            if not state.sealed:
                self._learn_values(slot, state, hours.values())
        for (slot, _, _), found in numbers.items():
            if max(found) > HUGE or min(found) < -HUGE:
                self._states[slot].huge = True
        for slot, state in self._states.items():
            if before.get(slot) != _flags(state):
                self._write_state(slot, state)

    def _learn_values(
        self, slot: int, state: SlotState, counted: Iterable[Mapping[Value, int]]
    ) -> None:
        new: set[Value] = set()
        for values in counted:
            new.update(values.keys() - state.values.keys())
        if len(state.values) + len(new) > MAX_VALUES:
            state.sealed = True
            return
        for value in new:
            self._connection.execute(
                "INSERT INTO slot_values (project_id, slot, value) VALUES (?, ?, ?)",
                (self._project_id, slot, value),
            )
            state.values[value] = self._connection.last_insert_rowid()

    def _write_state(self, slot: int, state: SlotState) -> None:
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
            f"DELETE FROM {table} WHERE project_id = ? AND slot = ?", (self._project_id, slot)
        )

    def _write_counts(self, quarters: Mapping[tuple[int, int], int]) -> None:
        for tier in TIERS_MS:
            cells: dict[tuple[int, int], int] = {}
            for (quarter, event_id), n in quarters.items():
                cell = quarter - quarter % tier, event_id
                cells[cell] = cells.get(cell, 0) + n
            rows = [
                (self._project_id, tier, time, event_id, n)
                for (time, event_id), n in cells.items()
                if n
            ]
            self._connection.executemany(_ADD_COUNTS, rows)
            self._connection.executemany(
                "DELETE FROM counts WHERE project_id = ? AND tier = ? AND time = ?"
                " AND event_id = ? AND n = 0",
                [row[:-1] for row in rows if row[-1] < 0],
            )

    def _write_values(
        self, counts: Mapping[int, Mapping[tuple[int, int], Mapping[Value, int]]]
    ) -> None:
        rows = [
            (self._project_id, slot, hour, event_id, self._states[slot].values[value], n)
            for slot, hours in counts.items()
            if not self._states[slot].sealed
            for (hour, event_id), found in hours.items()
            for value, n in found.items()
            if n
        ]
        self._connection.executemany(_ADD_VALUES, rows)
        self._connection.executemany(
            "DELETE FROM value_counts WHERE project_id = ? AND slot = ? AND time = ?"
            " AND event_id = ? AND value_id = ? AND n = 0",
            [row[:-1] for row in rows if row[-1] < 0],
        )

    def _write_numbers(self, numbers: Mapping[Cell, list[float]]) -> None:
        rows = []
        for cell, found in numbers.items():
            if not self._states[cell[0]].huge:
                total = fsum(found)
                low = fsum([*found, -total])
                rows.append(
                    (self._project_id, *cell, len(found), total, low, min(found), max(found))
                )
        self._connection.executemany(_ADD_NUMBERS, rows)

    def _recompute(self, cell: Cell) -> None:
        """The cell of numbers as the documents have it now; no row where they have none."""
        slot, hour, event_id = cell
        if self._states[slot].huge:
            return
        self._connection.execute(
            "DELETE FROM numbers WHERE project_id = ? AND slot = ? AND time = ? AND event_id = ?",
            (self._project_id, *cell),
        )
        column = f"d.{slot_column(slot)}"
        value = f"CASE WHEN {column} = {SEVERAL_SQL} THEN e.value ELSE {column} END"
        self._connection.execute(
            "INSERT INTO numbers SELECT :project, :slot, :hour, :event, count(*), sum(v), 0.0,"
            f" min(v), max(v) FROM (SELECT {value} AS v FROM docs d LEFT JOIN elements e ON"
            f" {column} = {SEVERAL_SQL} AND e.project_id = d.project_id AND e.key = d.key"
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


def _flags(state: SlotState) -> tuple[bool, bool, bool]:
    return state.several, state.huge, state.sealed
