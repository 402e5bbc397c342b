"""`make bench`: every benchmark, or those named on the command line; a JSON line a figure on
standard output."""

import sys
from collections.abc import Callable, Mapping

from benchmarks import cassandra, ingest, query, workers
from benchmarks.figures import describe_machine

BENCHMARKS: Mapping[str, Callable[[], None]] = {
    "ingest": ingest.run,
    "workers": workers.run,
    "query": query.run,
    "cassandra": cassandra.run,
}


def main(names: list[str]) -> int:
    """Exit code 2 for a name that is not known."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    describe_machine()
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
