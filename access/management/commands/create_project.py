"""`create_project NAME [--scope S…] [--json]`."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence

from django.core.management.base import BaseCommand, CommandError

from access.arguments import scope
from access.claims import Scope
from access.errors import AccessError
from access.services import CreatedProject, create_project


class Command(BaseCommand):
    """Make a project with a write key and a signing key; the secrets are shown once."""

    help = "Make a project with its first keys. The private key is shown once and never stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The name, and what its key grants beyond ingest and query."""
        parser.add_argument("name", help="1 to 63 of the characters a-z, 0-9 and the dash")
        parser.add_argument(
            "--scope",
            dest="scopes",
            type=scope,
            nargs="+",
            action="extend",
            default=[],
            metavar="S",
            help=f"also grant: {', '.join(Scope)} (ingest and query are always granted)",
        )
        parser.add_argument(
            "--origin",
            dest="origins",
            nargs="+",
            action="extend",
            default=[],
            metavar="O",
            help="web pages that may send and query, such as https://shop.example",
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(
        self, *, name: str, scopes: Sequence[Scope], origins: Sequence[str], **options: object
    ) -> None:
        """Create and print."""
        try:
            created = create_project(name, scopes, allowed_origins=origins)
        except AccessError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(_as_json(created) if options["json"] else _as_text(created))


def _as_json(created: CreatedProject) -> str:
    return json.dumps(
        {
            "project": created.project,
            "write_key": created.write_key,
            "kid": created.kid,
            "private_key": created.private_key_pem,
        }
    )


def _as_text(created: CreatedProject) -> str:
    return (
        f"project    {created.project}\n"
        f"write key  {created.write_key}\n"
        f"key id     {created.kid}\n"
        "private key, which is stored nowhere; keep it, then sign tokens with mint_token:\n"
        f"{created.private_key_pem}"
    )
