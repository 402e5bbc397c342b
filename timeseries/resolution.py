"""From the fields of a query to the slots where a generation keeps them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from timeseries.domain import Field, Filter, Metric, PropertyField, SeriesQuery
from timeseries.errors import QueryRefused
from timeseries.filters import with_fields


class Slots(Protocol):
    """Where each generation keeps a project's properties: the registry of timeseries/slots.py."""

    def lookup(self, project: str, name: str, generation: int) -> int | None:
        """The property's slot, None when it has none."""

    def is_over_limit(self, project: str, name: str, generation: int) -> bool:
        """Whether the property was seen after every slot was given away."""


@dataclass(frozen=True, slots=True)
class QueryWarning:
    """What the asker should know about an answer: a stable code and a sentence."""

    code: str
    field: str
    detail: str


@dataclass(slots=True)
class Resolver:
    """Resolves the fields of one query in one generation; `warnings` gathers the unknown ones.

    A property that nobody ever sent is absent from every event, which is an answer. One that has no
    slot left is refused with `unknown_property`, never answered with 0.
    """

    slots: Slots
    project: str
    generation: int
    warnings: dict[str, QueryWarning] = field(default_factory=dict)

    def query(self, query: SeriesQuery) -> SeriesQuery:
        """The same query with slots. Raises QueryRefused."""
        return replace(
            query,
            filter=self.filter(query.filter),
            metrics=tuple(self._metric(metric) for metric in query.metrics),
            group_by=tuple(self.field(grouped) for grouped in query.group_by),
        )

    def filter(self, where: Filter) -> Filter:
        """The same filter with slots. Raises QueryRefused."""
        resolve: Callable[[Field], Field] = self.field
        return with_fields(where, resolve)

    def field(self, asked: Field) -> Field:
        """The same field with its slot. Raises QueryRefused."""
        if not isinstance(asked, PropertyField):
            return asked
        slot = self.slots.lookup(self.project, asked.name, self.generation)
        if slot is None:
            self._note_missing(asked.name)
        return replace(asked, slot=slot)

    def _metric(self, metric: Metric) -> Metric:
        if metric.field is None:
            return metric
        return replace(metric, field=self.field(metric.field))

    def _note_missing(self, name: str) -> None:
        if self.slots.is_over_limit(self.project, name, self.generation):
            raise QueryRefused(
                "unknown_property",
                f"{name} is stored but not queryable: the project has used up its slots for "
                "properties; /v1/meta/properties lists those that have one",
                field=name,
            )
        self.warnings[name] = QueryWarning(
            "unknown_property", name, f"no event seen so far has {name}: it counts as absent"
        )
