"""A process that gives slots while others do, in the database that the environment names: for
tests/unit/timeseries/test_slots.py. Prints the slots that it ends with, as JSON."""

import json
import sys

import django

NAMES = [f"properties.p{index}" for index in range(40)]
STEP = 8


def main(project: str, offset: str) -> None:
    """Assign the names a few at a time, starting at another place than the others."""
    django.setup()
    from timeseries.slots import Observation, SlotRegistry

    registry = SlotRegistry()
    for start in range(0, len(NAMES), STEP):
        at = (start + int(offset) * STEP) % len(NAMES)
        names = NAMES[at : at + STEP]
        registry.assign(project, names, 1)
        for types in ({"string"}, {"number"}, {"boolean", "array"}):
            seen = Observation(frozenset(types), f"example of {offset}")
            registry.observe(project, dict.fromkeys(reversed(NAMES), seen), 1)
    sys.stdout.write(json.dumps(dict(SlotRegistry().assign(project, (), 1))))


if __name__ == "__main__":
    main(*sys.argv[1:])
