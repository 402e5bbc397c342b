"""The warehouse's records in the Django database: into how many shards hours are split."""

from django.db import models

MAX_PROJECT_CHARS = 63


class ShardStep(models.Model):
    """From hour `start_ms` on (ms since the epoch) each hour of the project has `shards` shards,
    until the next step. Rows are only ever added, by `warehouse.growing`."""

    project = models.CharField(max_length=MAX_PROJECT_CHARS)
    start_ms = models.BigIntegerField()
    shards = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "start_ms"], name="warehouse_one_step_an_hour"
            ),
            models.CheckConstraint(
                condition=models.Q(shards__gte=1), name="warehouse_at_least_one_shard"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.shards} shards from {self.start_ms}"
