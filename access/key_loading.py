"""From the rows to a snapshot: the only reader of the key tables that verification depends on."""

import logging
import math
from collections.abc import Mapping
from datetime import datetime

from access.errors import BadKey
from access.key_pairs import parse_public_key
from access.keys import KeySnapshot, SigningKeyRecord, WriteKeyRecord
from access.models import ChangeStamp, Project, SigningKey, WriteKey
from access.server_key import server_key_record

logger = logging.getLogger(__name__)


def load_snapshot(known: str | None) -> KeySnapshot | None:
    """The keys as they are now, or None when the stamp is still `known`.

    The stamp is read first: rows changed after it come with a newer stamp, which the next call
    sees.
    """
    stamp = ChangeStamp.objects.values_list("stamp", flat=True).first() or ""
    if stamp == known:
        return None
    return KeySnapshot(
        stamp=stamp,
        signing_keys=_signing_keys(),
        write_keys=_write_keys(),
        origins={
            name: tuple(origins)
            for name, origins in Project.objects.values_list("name", "allowed_origins")
        },
    )


def _signing_keys() -> Mapping[str, SigningKeyRecord]:
    records: dict[str, SigningKeyRecord] = {}
    for row in SigningKey.objects.all():
        try:
            record = _signing_key(row)
        except (BadKey, ValueError):
            # A row edited by hand: it opens nothing, and must not close the doors of all others.
            logger.exception(
                "key row cannot be read", extra={"action": "key_row_bad", "kid": row.kid}
            )
            continue
        records[record.public.kid] = record
    server = server_key_record()
    return records | ({server.public.kid: server} if server else {})


def _signing_key(row: SigningKey) -> SigningKeyRecord:
    return SigningKeyRecord(
        public=parse_public_key(row.public_key),
        project=row.project_id,
        scopes=row.granted(),
        not_after_s=_seconds(row.not_after),
        is_revoked=row.revoked_at is not None,
    )


def _write_keys() -> Mapping[str, WriteKeyRecord]:
    return {
        row.digest: WriteKeyRecord(
            prefix=row.prefix,
            project=row.project_id,
            not_after_s=_seconds(row.not_after),
            is_revoked=row.revoked_at is not None,
        )
        for row in WriteKey.objects.all()
    }


def _seconds(at: datetime | None) -> float:
    return math.inf if at is None else at.timestamp()
