"""The three engines that the settings name, checked before anything starts on them."""

from feed.backends import FEED
from timeseries.backends import SERIES_STORE
from warehouse.backends import EVENT_STORE

_BACKENDS = (FEED, EVENT_STORE, SERIES_STORE)


class WrongEngine(Exception):
    """An engine's URL cannot be used; the message is one sentence."""


def check_engines() -> None:
    """Make every adapter, which connects to nothing, and drop it again. Raises WrongEngine for a
    wrong option and for a missing driver."""
    for backend in _BACKENDS:
        try:
            backend.get().close()
        except (ImportError, ValueError) as exc:
            raise WrongEngine(str(exc)) from exc
        finally:
            backend.forget()
