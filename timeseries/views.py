"""The view that a query runs on: one generation, resolved once and used for all of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timeseries.errors import GenerationDropped, QueryRefused, invalid_query
from timeseries.generations import READER, GenerationReader
from timeseries.ports import SeriesStore
from timeseries.queries import View
from timeseries.resolution import Slots

MOST_DIGITS = 9


class Views:
    """Gives each query its view."""

    def __init__(
        self,
        store: Callable[[], SeriesStore],
        slots: Callable[[], Slots],
        reader: GenerationReader = READER,
    ) -> None:
        self._store, self._slots, self._reader = store, slots, reader

    @contextmanager
    def on(self, generation: int | None) -> Iterator[View]:
        """The view in this generation, None for the one that is served.

        Raises QueryRefused `not_found` for one that is not there, and at the end GenerationDropped
        when it was dropped meanwhile: what was read may lack documents that went, and counts for
        nothing. The rows may be KEPT_S old here, and a drop frees nothing before that.
        """
        current = self._reader.current()
        number = current.served if generation is None else generation
        if number not in current.written:
            raise QueryRefused(
                "not_found",
                f"there is no generation {number} of the view: {_listed(current.written)}",
                field="generation",
            )
        yield View(self._store(), self._slots(), number, is_building=number == current.building)
        if number not in self._reader.current().written:
            raise GenerationDropped(f"generation {number} of the view was dropped meanwhile")


def parse_generation(text: str | None) -> int | None:
    """The number of the generation that is asked for. Raises QueryRefused."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS:
        return int(text)
    raise invalid_query("generation", "generation takes a whole number from 1")


def _listed(generations: tuple[int, ...]) -> str:
    return f"ask for one of {', '.join(map(str, generations))}, or for none to get what is served"
