"""Which slot keeps which property of a project: given once in the Django database, committed before
a document uses it, known by heart in each process."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.db import IntegrityError, transaction
from django.db.models import Max

from timeseries.domain import Scalar
from timeseries.errors import GenerationDropped
from timeseries.models import Generation, PropertySlot
from timeseries.ports import Document
from timeseries.projection import Several

SLOTS_A_PROJECT = 256
"""Properties of a project that can be queried, `properties.*` and `context.*` together."""
REMEMBERED_OVER_LIMIT = 1_000
"""Names beyond the limit that are remembered, to say so in answers; later ones are not."""
_MOST_NAMES = SLOTS_A_PROJECT + REMEMBERED_OVER_LIMIT
REREAD_AFTER_S = 0.005
"""A name that is not known is looked for in the database at most so often, by project: often enough
that what was just acknowledged as projected can be asked for, and once for all fields of a
query."""
ATTEMPTS = 20
"""Of giving slots while other projectors give some too."""
MAX_EXAMPLES = 3
MAX_EXAMPLE_CHARS = 100


@dataclass(frozen=True, slots=True)
class PropertySeen:
    """A property as people see it: `slot` is None beyond the limit; `types` of string, number,
    boolean, array."""

    name: str
    slot: int | None
    types: tuple[str, ...]
    examples: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a batch saw of a property: types, as in PropertySeen, and an example."""

    types: frozenset[str]
    example: Scalar


@dataclass(slots=True)
class Kinds:
    """The slots that were seen with strings, with numbers, and with booleans."""

    strings: set[int] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    booleans: set[int] = field(default_factory=set)

    def cover(self, document: Document) -> bool:
        """Whether the document shows no slot in a new light. Cheap: it is asked of every one."""
        return (
            document.strings.keys() <= self.strings
            and document.numbers.keys() <= self.numbers
            and document.booleans.keys() <= self.booleans
        )

    def add(self, slot: int, types: frozenset[str]) -> None:
        """The slot was seen with these types."""
        for kind, slots in zip(_SCALARS, (self.strings, self.numbers, self.booleans), strict=True):
            if kind in types:
                slots.add(slot)


@dataclass(slots=True)
class _Known:
    """What one process knows of a project in a generation."""

    slots: dict[str, int] = field(default_factory=dict)
    over_limit: set[str] = field(default_factory=set)
    types: dict[str, frozenset[str]] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=Kinds)
    read_at_s: float | None = None

    def note(self, name: str, types: frozenset[str]) -> None:
        self.types[name] = self.types.get(name, frozenset()) | types
        if name in self.slots:
            self.kinds.add(self.slots[name], types)

    def has(self, name: str) -> bool:
        return name in self.slots or name in self.over_limit

    def is_full(self) -> bool:
        return len(self.over_limit) >= REMEMBERED_OVER_LIMIT


_SCALARS = ("string", "number", "boolean")
_TYPE_FIELDS = {
    "string": "has_strings",
    "number": "has_numbers",
    "boolean": "has_booleans",
    "array": "has_arrays",
}


class SlotRegistry:
    """Slots by (generation, project, property). Thread-safe; database errors pass through. Gives
    none in a generation that was dropped: raises GenerationDropped."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], _Known] = {}

    def assign(self, project: str, names: Iterable[str], generation: int) -> Mapping[str, int]:
        """The slots of a project, these names included, given and committed where they had none; a
        name beyond the limit is missing from it."""
        with self._lock:
            known = self._of(project, generation)
            missing = list(islice((name for name in names if not known.has(name)), _MOST_NAMES))
            if missing and not (known.is_full() and len(known.slots) >= SLOTS_A_PROJECT):
                self._give(project, generation, missing)
                known = self._read(project, generation)
            return known.slots

    def lookup(self, project: str, name: str, generation: int) -> int | None:
        """The slot of a property; None when nobody sent it, or it is beyond the limit."""
        return self._found(project, name, generation).slots.get(name)

    def is_over_limit(self, project: str, name: str, generation: int) -> bool:
        """Whether the property is stored but can't be queried; taken to be so of a name that is
        not known once no more names are remembered."""
        known = self._found(project, name, generation)
        return name not in known.slots and (name in known.over_limit or known.is_full())

    def listing(self, project: str, generation: int) -> Sequence[PropertySeen]:
        """Every property remembered, by name, as the database has it now."""
        rows = PropertySlot.objects.filter(generation=generation, project=project).order_by("name")
        return [
            PropertySeen(row.name, row.slot, tuple(sorted(_types(row))), tuple(row.examples))
            for row in rows
        ]

    def observe(
        self, project: str, observations: Mapping[str, Observation], generation: int
    ) -> None:
        """Note types that were not seen before; writes nothing when there are none."""
        with self._lock:
            known = self._of(project, generation)
            news = {
                name: seen
                for name, seen in observations.items()
                if known.has(name) and not seen.types <= known.types.get(name, frozenset())
            }
            if news:
                _note(project, generation, news)
                for name, seen in news.items():
                    known.note(name, seen.types)

    def forget(self) -> None:
        """Read anew what is asked for next: another database, or a test's."""
        with self._lock:
            self._known.clear()

    def kinds(self, project: str, generation: int) -> Kinds:
        """The types seen, as far as this process knows: what they cover needs no `observe`."""
        with self._lock:
            return self._of(project, generation).kinds

    def _found(self, project: str, name: str, generation: int) -> _Known:
        with self._lock:
            known = self._of(project, generation)
            age_s = self._monotonic_s() - (known.read_at_s or 0.0)
            if not known.has(name) and age_s >= REREAD_AFTER_S:
                known = self._read(project, generation)
            return known

    def _of(self, project: str, generation: int) -> _Known:
        return self._known.get((generation, project)) or self._read(project, generation)

    def _read(self, project: str, generation: int) -> _Known:
        known = _Known(read_at_s=self._monotonic_s())
        for row in PropertySlot.objects.filter(generation=generation, project=project):
            if row.slot is None:
                known.over_limit.add(row.name)
            else:
                known.slots[row.name] = row.slot
            known.note(row.name, _types(row))
        self._known[generation, project] = known
        return known

    def _give(self, project: str, generation: int, names: Sequence[str]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    _take_turns(generation)
                    _insert(project, generation, names)
            except IntegrityError:  # another projector was first: look at what it gave
                if attempt == ATTEMPTS:
                    raise
            else:
                return


def _note(project: str, generation: int, news: Mapping[str, Observation]) -> None:
    """In one transaction, since a batch can bring hundreds of names."""
    with transaction.atomic():
        rows = list(
            PropertySlot.objects.select_for_update()
            .filter(generation=generation, project=project, name__in=list(news))
            .order_by("pk")  # every projector locks in one order, or two might wait for each other
        )
        for row in rows:
            seen = news[row.name]
            for kind in seen.types:
                setattr(row, _TYPE_FIELDS[kind], True)
            if len(row.examples) < MAX_EXAMPLES and seen.example not in row.examples:
                row.examples = [*row.examples, seen.example]
        PropertySlot.objects.bulk_update(rows, [*_TYPE_FIELDS.values(), "examples"])


def _take_turns(generation: int) -> None:
    """Until the transaction's end no other projector gives slots of this generation: two that give
    the same names in another order would wait for each other's rows."""
    rows = Generation.objects.select_for_update(no_key=True).filter(number=generation)
    if any(row.state == Generation.State.DROPPED for row in rows):
        raise GenerationDropped(f"generation {generation} of the view was dropped")


def _insert(project: str, generation: int, names: Sequence[str]) -> None:
    """The next free slots to the names that have none; beyond the limit, remember the first
    names."""
    rows = PropertySlot.objects.filter(generation=generation, project=project)
    present = set(rows.values_list("name", flat=True))
    highest = rows.aggregate(highest=Max("slot"))["highest"]
    free = 0 if highest is None else highest + 1
    room = REMEMBERED_OVER_LIMIT - rows.filter(slot=None).count()
    new: list[PropertySlot] = []
    for name in dict.fromkeys(names):
        if name in present:
            continue
        slot = free if free < SLOTS_A_PROJECT else None
        if slot is None:
            if room <= 0:
                break
            room -= 1
        free += 1
        new.append(PropertySlot(generation=generation, project=project, name=name, slot=slot))
    PropertySlot.objects.bulk_create(new)


_TYPE_OF: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    float: frozenset({"number"}),
    bool: frozenset({"boolean"}),
}


def types_of(value: Scalar | Several) -> frozenset[str]:
    """The types of a flattened value, as in PropertySeen."""
    if isinstance(value, Several):
        return frozenset({"array"}).union(*(_TYPE_OF[type(each)] for each in value))
    return _TYPE_OF[type(value)]


def example_of(value: Scalar | Several) -> Scalar:
    """One value, short enough to be shown."""
    first = value[0] if isinstance(value, Several) else value
    return first[:MAX_EXAMPLE_CHARS] if isinstance(first, str) else first


def _types(row: PropertySlot) -> frozenset[str]:
    return frozenset(kind for kind, field in _TYPE_FIELDS.items() if getattr(row, field))


_REGISTRY = SlotRegistry()


def get_slots() -> SlotRegistry:
    """This process's registry."""
    return _REGISTRY
