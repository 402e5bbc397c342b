"""`python -m benchmarks.make_tokens N`: projects `bench-0` to `bench-(N-1)`, and on standard output
a token to send events of each. One process for all: each `manage.py` costs a second."""

import os
import sys

import django


def main(count: int) -> None:
    """Make and print."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "analyticsproject.settings"
    django.setup()
    from access.claims import Scope
    from access.services import create_project, mint_token

    for number in range(count):
        made = create_project(f"bench-{number}")
        pem = made.private_key_pem
        print(mint_token(made.project, [Scope.INGEST], private_key_pem=pem))


if __name__ == "__main__":
    main(int(sys.argv[1]))
