"""The server's own key, which signs the tokens of staff pages.

Derived from SECRET_KEY, so that every web process on every machine agrees and no file is kept.
"""

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from access.claims import Scope
from access.errors import NoServerKey
from access.key_pairs import KeyPair, derive_key_pair
from access.keys import SigningKeyRecord

_PURPOSE = b"weir: key of staff-page tokens, version 1"


def server_key_pair() -> KeyPair:
    """The pair of this installation. Raises NoServerKey without a SECRET_KEY: one derived from
    nothing would be everybody's."""
    try:
        secret: str = settings.SECRET_KEY
    except ImproperlyConfigured as exc:  # Django's way to say that it is empty
        raise NoServerKey(
            "WEIR_SECRET_KEY is not set, so no token for staff pages can be signed: set it"
        ) from exc
    return _derived(secret)


@lru_cache(maxsize=4)
def _derived(secret: str) -> KeyPair:
    return derive_key_pair(secret.encode(), purpose=_PURPOSE)


def server_key_record() -> SigningKeyRecord | None:
    """The server's key as verifiers know it: every scope, any project; None without a
    SECRET_KEY."""
    try:
        return SigningKeyRecord(server_key_pair().public, None, frozenset(Scope))
    except NoServerKey:
        return None
