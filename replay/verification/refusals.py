"""Which events the view can never show: they are in the dead letters, and no replay brings them
in."""

from feed.codec import decode
from feed.errors import UndecodableRecord, UnknownSchema
from timeseries.projection import UNPROJECTABLE, flatten


def is_refused(record: bytes) -> bool:
    """Whether a projector of this code dead-letters a stored record. What only the store of the
    view refuses is not known here."""
    try:
        flatten(decode(record))
    except UnknownSchema:
        return False  # of a newer writer: the record is good
    except (UndecodableRecord, *UNPROJECTABLE):
        return True
    return False
