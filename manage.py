#!/usr/bin/env python
"""Entry point of every command: see docs/operations.md."""

import os
import sys


def main() -> None:
    """Run the command of the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analyticsproject.settings")
    from analyticsproject.command_line import run

    run(sys.argv)


if __name__ == "__main__":
    main()
