"""`revoke_key KEY`."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from access.errors import AccessError
from access.keys import WRITE_KEY_MARK
from access.services import revoke_signing_key, revoke_write_key


class Command(BaseCommand):
    """End a key for good, within seconds, in every process."""

    help = "Revoke a signing key or a write key: it opens nothing from 5 s on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which key."""
        parser.add_argument(
            "key",
            help="a signing key's kid (after -- if it begins with a dash), or a write key or its "
            "beginning (wk_…)",
        )

    def handle(self, *, key: str, **options: object) -> None:
        """Revoke and say so."""
        try:
            revoked = (
                revoke_write_key(key) if key.startswith(WRITE_KEY_MARK) else revoke_signing_key(key)
            )
        except AccessError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"revoked: {revoked}; no process takes it 5 s from now")
