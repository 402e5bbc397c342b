"""What a start depends on, checked before anything runs: the secret key and the three engines."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from feed.backends import FEED
from timeseries.backends import SERIES_STORE
from warehouse.backends import EVENT_STORE

_BACKENDS = (FEED, EVENT_STORE, SERIES_STORE)


class WrongStart(Exception):
    """A setting is missing or cannot be used; the message is one sentence."""


def check_secret_key() -> None:
    """Raises WrongStart without one."""
    try:
        _ = settings.SECRET_KEY
    except ImproperlyConfigured as exc:
        raise WrongStart(
            "WEIR_SECRET_KEY is not set: give it a long random text, the same in every process"
        ) from exc


def check_engines() -> None:
    """Make every adapter, which connects to nothing, and drop it again. Raises WrongStart for a
    wrong option and for a missing driver."""
    for backend in _BACKENDS:
        try:
            backend.get().close()
        except (ImportError, ValueError) as exc:
            raise WrongStart(str(exc)) from exc
        finally:
            backend.forget()
