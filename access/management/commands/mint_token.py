"""`mint_token --project P --scope S… [--ttl 3600] [--filter JSON] [--private-key FILE]`."""

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from access.arguments import json_list, scope, seconds
from access.claims import Scope
from access.errors import AccessError
from access.services import mint_token


class Command(BaseCommand):
    """Print one token, and nothing else, on standard output."""

    help = "Sign a token with a project's private key and print it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose token, for what, for how long."""
        parser.add_argument("--project", required=True, metavar="P")
        parser.add_argument(
            "--scope",
            dest="scopes",
            type=scope,
            nargs="+",
            action="extend",
            required=True,
            metavar="S",
            help=", ".join(Scope),
        )
        parser.add_argument(
            "--ttl",
            type=seconds,
            default=timedelta(hours=1),
            metavar="SECONDS",
            help="its life; at most 86400, or 7776000 for the scope ingest alone (default 3600)",
        )
        parser.add_argument(
            "--filter", type=json_list, metavar="JSON", help="a filter ANDed to its every query"
        )
        parser.add_argument("--subject", default="mint_token", metavar="NAME", help="its sub claim")
        parser.add_argument(
            "--private-key",
            type=Path,
            metavar="FILE",
            help="PEM; by default the demo project's, which `dev` keeps in $WEIR_DATA_DIR",
        )

    def handle(
        self,
        *,
        project: str,
        scopes: Sequence[Scope],
        ttl: timedelta,
        subject: str,
        private_key: Path | None,
        **options: Any,  # Any: argparse's own type
    ) -> None:
        """Mint and print."""
        pem = _read(private_key or settings.DATA_DIR / "keys" / "demo.pem")
        try:
            token = mint_token(
                project,
                scopes,
                private_key_pem=pem,
                ttl_s=int(ttl.total_seconds()),
                token_filter=options["filter"],
                subject=subject,
            )
        except AccessError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(token)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise CommandError(
            f"the private key {path} cannot be read ({reason}): name another by --private-key"
        ) from exc
