"""The tables of a generation's file, and how they come to be. One file a generation.

The key begins with 48 bits of time, so that a time range is a key range: documents lie in order of
time, and every bucket is one seek and a scan. Property slots are columns s0, s1, … of `docs`, added
as they are first used.
"""

from feed.event import HOUR_MS
from feed.sqlite import Connection, writing
from timeseries.errors import SeriesError

QUARTER_MS = 900_000
TIERS_MS = (HOUR_MS, QUARTER_MS)
"""Widths of the rollups of `counts`, widest first. Zones at half and quarter hours need the second.
`value_counts` and `numbers` have the hour alone: with sparse events a finer tier is as big as the
documents."""
MAX_VALUES = 100
"""Distinct values of a property up to which they are counted one by one."""
FORMAT = 1
FIXED_COLUMNS = (
    "project_id",
    "key",
    "version",
    "event_id",
    "hash24",
    "omitted",
    "type",
    "user_id",
    "anonymous_id",
    "session_id",
)

_TABLES = (
    # `version` of a project changes with every change of its documents.
    "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " version INTEGER NOT NULL)",
    "CREATE TABLE event_names (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL,"
    " name TEXT NOT NULL, UNIQUE (project_id, name))",
    # Columns of values have no type, hence no affinity: nothing is converted.
    "CREATE TABLE docs (project_id INTEGER, key BLOB, version INTEGER NOT NULL,"
    " event_id INTEGER NOT NULL, hash24 INTEGER NOT NULL, omitted INTEGER NOT NULL,"
    " type, user_id, anonymous_id, session_id, PRIMARY KEY (project_id, key)) WITHOUT ROWID",
    # The n-th repetition of a value has again = n: sums take all rows, all else those with 0.
    "CREATE TABLE elements (project_id INTEGER, key BLOB, slot INTEGER, value, again INTEGER,"
    " PRIMARY KEY (project_id, key, slot, value, again)) WITHOUT ROWID",
    # several: arrays were seen. huge: numbers beyond HUGE were seen; no rows in `numbers`.
    # sealed: too many distinct values, or arrays; no rows in `value_counts`.
    "CREATE TABLE slots (project_id INTEGER, slot INTEGER, several INTEGER NOT NULL,"
    " huge INTEGER NOT NULL, sealed INTEGER NOT NULL, PRIMARY KEY (project_id, slot))"
    " WITHOUT ROWID",
    "CREATE TABLE slot_values (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL,"
    " slot INTEGER NOT NULL, value, UNIQUE (project_id, slot, value))",
    # Rollups: `time` is where the tier's span begins, in ms.
    "CREATE TABLE counts (project_id INTEGER, tier INTEGER, time INTEGER, event_id INTEGER,"
    " n INTEGER NOT NULL, PRIMARY KEY (project_id, tier, time, event_id)) WITHOUT ROWID",
    "CREATE TABLE value_counts (project_id INTEGER, slot INTEGER, time INTEGER, event_id INTEGER,"
    " value_id INTEGER, n INTEGER NOT NULL,"
    " PRIMARY KEY (project_id, slot, time, event_id, value_id)) WITHOUT ROWID",
    # The sum is total + low: low holds what rounding took from total.
    "CREATE TABLE numbers (project_id INTEGER, slot INTEGER, time INTEGER, event_id INTEGER,"
    " n INTEGER NOT NULL, total REAL NOT NULL, low REAL NOT NULL, least REAL NOT NULL,"
    " most REAL NOT NULL, PRIMARY KEY (project_id, slot, time, event_id)) WITHOUT ROWID",
    "CREATE TABLE file (nonce BLOB NOT NULL)",
    "INSERT INTO file VALUES (randomblob(6))",
)


def ensure_tables(connection: Connection) -> bool:
    """Make the tables of an empty file; whether it did. Raises SeriesError for a file of another
    format."""
    if _format(connection) == FORMAT:
        return False
    with writing(connection):
        found = _format(connection)
        if found not in (0, FORMAT):
            raise SeriesError(
                f"{connection.db_filename('main')} has format {found}, this Weir reads {FORMAT}: "
                "move the file away and rebuild the view"
            )
        if found == 0:
            for statement in _TABLES:
                connection.execute(statement)
            connection.pragma("user_version", FORMAT)
    return found == 0


def _format(connection: Connection) -> int:
    return int(connection.pragma("user_version"))


def slot_column(slot: int) -> str:
    """The column of a slot."""
    return f"s{int(slot)}"


def slot_columns(connection: Connection) -> int:
    """How many slots have a column now: s0 up to one less than this."""
    columns = connection.execute("SELECT count(*) FROM pragma_table_info('docs')").get
    return int(columns) - len(FIXED_COLUMNS)


def add_slot_columns(connection: Connection, first: int, end: int) -> None:
    """Add the columns of slots in [first, end), inside the caller's transaction."""
    for slot in range(first, end):
        connection.execute(f"ALTER TABLE docs ADD COLUMN {slot_column(slot)}")
