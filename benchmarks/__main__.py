"""`make bench`: every benchmark, or those named on the command line; a JSON line a figure on
standard output."""

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from importlib import import_module

import django

import tests.environment  # noqa: F401 - settings of this process, and a data folder of its own
from benchmarks.figures import describe_machine

BENCHMARKS: Mapping[str, tuple[str, str]] = {
    "ingest": ("benchmarks.ingest", "run"),
    "workers": ("benchmarks.workers", "run"),
    "query": ("benchmarks.query", "run"),
    "kafka": ("benchmarks.ingest", "run_on_kafka"),
    "cassandra": ("benchmarks.cassandra", "run"),
    "elasticsearch": ("benchmarks.elasticsearch", "run"),
    "replay": ("benchmarks.replay", "run"),
    "replay-live": ("benchmarks.replay_live", "run"),
    "elasticsearch-query": ("benchmarks.elasticsearch_query", "run"),
}
"""Module and function: loaded when Django is set up."""


def main(names: list[str]) -> int:
    """Exit code 2 for a name that is not known."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    os.environ["DJANGO_SETTINGS_MODULE"] = "analyticsproject.settings"
    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request hides the figures
    describe_machine()
    try:
        for name in names or BENCHMARKS:
            module, function = BENCHMARKS[name]
            getattr(import_module(module), function)()
    finally:
        shutil.rmtree(os.environ["WEIR_DATA_DIR"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
