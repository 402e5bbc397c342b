"""Tunes the cyclic garbage collector for processes that make millions of short-lived objects."""

import gc

YOUNGEST_OBJECTS = 50_000
"""Objects made before the youngest are looked at. With Python's 700 every batch of a few thousand
events, whose objects reference counting frees anyway, is walked dozens of times: half of the
projector's time (docs/decisions/0018-garbage-collection.md). What is in cycles waits a little."""
MIDDLE_ROUNDS = 20
OLDEST_ROUNDS = 50


def spare_long_lived_objects() -> None:
    """Call once the process has loaded its code: what lives now is never walked again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST_OBJECTS, MIDDLE_ROUNDS, OLDEST_ROUNDS)
