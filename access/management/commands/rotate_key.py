"""`rotate_key KEY [--overlap SECONDS] [--json]`."""

import json
from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError

from access.arguments import seconds
from access.errors import AccessError
from access.keys import WRITE_KEY_MARK
from access.services import OVERLAP, rotate_signing_key, rotate_write_key


class Command(BaseCommand):
    """Issue a successor with the same rights; the old key retires after the overlap."""

    help = "Replace a key: the new one works at once, the old one for the overlap."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which key, and how long the old one still works."""
        parser.add_argument(
            "key",
            help="a signing key's kid (after -- if it begins with a dash), or a write key or its "
            "beginning (wk_…)",
        )
        parser.add_argument(
            "--overlap",
            type=seconds,
            default=OVERLAP,
            metavar="SECONDS",
            help="how long the old key still works (default 86400; 0: it ends now)",
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *, key: str, overlap: timedelta, **options: object) -> None:
        """Rotate and print the new secret, once."""
        try:
            rotated = _rotate(key, overlap)
        except AccessError as exc:
            raise CommandError(str(exc)) from exc
        if options["json"]:
            self.stdout.write(json.dumps(rotated))
            return
        self.stdout.write(
            "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in rotated.items())
        )


def _rotate(key: str, overlap: timedelta) -> dict[str, str]:
    if key.startswith(WRITE_KEY_MARK):
        written = rotate_write_key(key, overlap=overlap)
        return {"project": written.project, "write_key": written.write_key}
    signing = rotate_signing_key(key, overlap=overlap)
    return {
        "project": signing.project,
        "kid": signing.kid,
        "private_key": signing.private_key_pem,
    }
