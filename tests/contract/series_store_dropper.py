"""A process that drops a generation, for the tests that kill it."""

import sys

from feed.crash_points import arm
from tests.contract.series_store_writer import opened


def main(place: str, generation: str, crash_point: str) -> None:
    """Drop it."""
    store = opened(place)  # may set Django up, which arms what the settings say
    arm(crash_point)
    store.drop(int(generation))


if __name__ == "__main__":
    main(*sys.argv[1:])
