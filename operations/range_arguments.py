"""The arguments of commands that work on a project's events of a range."""

from argparse import ArgumentParser

from feed.event import LAST_KEY_MS
from ingest.time_arguments import moment_ms


def add_range(parser: ArgumentParser) -> None:
    """`--project`, and `--from`, `--to` as `start_ms`, `end_ms`: all there are, where left out."""
    parser.add_argument("--project", required=True, metavar="P")
    parser.add_argument(
        "--from",
        dest="start_ms",
        type=moment_ms,
        default=0,
        metavar="T",
        help="occurred at or after this: a date or RFC 3339, UTC (default: the first event)",
    )
    parser.add_argument(
        "--to",
        dest="end_ms",
        type=moment_ms,
        default=LAST_KEY_MS,
        metavar="T",
        help="occurred before this (default: all there are)",
    )
