"""What the writer of a file knows by heart: ids of projects and events, states of slots.

True within a write transaction only: call `refresh` at its start, and `forget` when it fails.
"""

from dataclasses import dataclass, field

from feed.sqlite import Connection
from timeseries.adapters.embedded.schema import add_slot_columns, slot_columns
from timeseries.adapters.embedded.values import Value

MAX_EVENTS_KNOWN = 100_000
"""Event names kept in memory, of all projects together: about 20 MB."""


@dataclass(slots=True)
class SlotState:
    """What was ever seen in a slot: see table `slots`. `values` are the distinct ones by id, while
    not sealed."""

    several: bool = False
    huge: bool = False
    sealed: bool = False
    values: dict[Value, int] = field(default_factory=dict)


class Catalog:
    """The names and slots of one file, on the writer's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen_version: int | None = None
        self.forget()

    def forget(self) -> None:
        """What is known may have been rolled back."""
        self._projects: dict[str, int] = {}
        self._events: dict[tuple[int, str], int] = {}
        self._slots: dict[int, dict[int, SlotState]] = {}
        self._columns = 0

    def refresh(self) -> None:
        """Forget everything if another connection has changed the file."""
        version = int(self._connection.pragma("data_version"))
        if version != self._seen_version:
            self._seen_version = version
            self.forget()

    def project_id(self, name: str) -> int:
        """The project's id, given now if it has none."""
        if name not in self._projects:
            self._connection.execute(
                "INSERT INTO projects (name, version) VALUES (?, 0) ON CONFLICT DO NOTHING", (name,)
            )
            found = self._connection.execute("SELECT id FROM projects WHERE name = ?", (name,))
            self._projects[name] = int(found.get)
        return self._projects[name]

    def event_id(self, project_id: int, name: str) -> int:
        """The event name's id, given now if it has none."""
        known = self._events.get((project_id, name))
        if known is not None:
            return known
        if len(self._events) >= MAX_EVENTS_KNOWN:
            self._events.clear()
        self._connection.execute(
            "INSERT INTO event_names (project_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (project_id, name),
        )
        found = self._connection.execute(
            "SELECT id FROM event_names WHERE project_id = ? AND name = ?", (project_id, name)
        )
        self._events[project_id, name] = int(found.get)
        return self._events[project_id, name]

    def slots(self, project_id: int) -> dict[int, SlotState]:
        """The states of every slot that the project has used; the caller keeps them true."""
        if project_id not in self._slots:
            self._slots[project_id] = read_states(self._connection, project_id)
            self._read_values(project_id)
        return self._slots[project_id]

    def _read_values(self, project_id: int) -> None:
        states = self._slots[project_id]
        for slot, value, value_id in self._connection.execute(
            "SELECT slot, value, id FROM slot_values WHERE project_id = ?", (project_id,)
        ):
            states[slot].values[value] = value_id

    def columns(self, at_least: int) -> int:
        """How many slots have a column, after adding those that are missing."""
        if self._columns == 0:
            self._columns = slot_columns(self._connection)
        if self._columns < at_least:
            add_slot_columns(self._connection, self._columns, at_least)
            self._columns = at_least
        return self._columns


def read_states(connection: Connection, project_id: int) -> dict[int, SlotState]:
    """The state of every slot that the project has used, without the values."""
    rows = connection.execute(
        "SELECT slot, several, huge, sealed FROM slots WHERE project_id = ?", (project_id,)
    )
    return {
        slot: SlotState(bool(several), bool(huge), bool(sealed))
        for slot, several, huge, sealed in rows
    }
