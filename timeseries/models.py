"""The view's records in the Django database: generations, the one served, and property slots."""

from django.db import models

from timeseries.projection import MAX_NAME_CHARS

MAX_PROJECT_CHARS = 63


class Generation(models.Model):
    """One build of the whole view. Every generation that is not dropped gets live writes, in-place
    replays and erasures. `freed_at` is when all that a dropped one held was given back."""

    class State(models.TextChoices):
        """`building` until it is verified, `ready` when it may be served, `dropped` for good."""

        BUILDING = "building"
        READY = "ready"
        DROPPED = "dropped"

    number = models.PositiveIntegerField(primary_key=True)
    state = models.CharField(max_length=16, choices=State.choices)
    made_at = models.DateTimeField(auto_now_add=True)
    freed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=models.Q(state="building"),
                name="timeseries_one_generation_building",
            )
        ]

    def __str__(self) -> str:
        return f"generation {self.number} ({self.state})"


class ServedGeneration(models.Model):
    """The pointer that queries follow: one row. `previous` is what was served before, as long as
    one can go back to it."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    generation = models.ForeignKey(Generation, on_delete=models.PROTECT)
    previous = models.ForeignKey(Generation, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="timeseries_one_served")
        ]

    def __str__(self) -> str:
        return f"generation {self.generation_id} is served"


class GenerationPin(models.Model):
    """From `position` on everything in this partition of the feed is written into the generation,
    whoever owns the partition. Given once, never moved."""

    generation = models.PositiveIntegerField()
    topic = models.CharField(max_length=249)
    partition = models.PositiveIntegerField()
    position = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "topic", "partition"], name="timeseries_one_pin_a_partition"
            )
        ]

    def __str__(self) -> str:
        return f"generation {self.generation}: {self.topic}[{self.partition}] from {self.position}"


class PropertySlot(models.Model):
    """Where a generation keeps one property of a project: a slot given once, never taken back.

    `slot` is null for a property beyond the limit: stored in the warehouse, not queryable. The
    types are those seen, `examples` a few short values, for people to read.
    """

    generation = models.PositiveIntegerField()
    project = models.CharField(max_length=MAX_PROJECT_CHARS)
    name = models.CharField(max_length=MAX_NAME_CHARS)
    slot = models.PositiveSmallIntegerField(null=True)
    has_strings = models.BooleanField(default=False)
    has_numbers = models.BooleanField(default=False)
    has_booleans = models.BooleanField(default=False)
    has_arrays = models.BooleanField(default=False)
    examples = models.JSONField(default=list)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "project", "name"], name="timeseries_one_slot_a_property"
            ),
            models.UniqueConstraint(
                fields=["generation", "project", "slot"], name="timeseries_one_property_a_slot"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.name}: slot {self.slot}"
