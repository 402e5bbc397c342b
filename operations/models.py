"""Rows that operations keeps: samples of the pipeline's positions. Data and constraints alone."""

from django.db import models

from operations.dead_letter_rows import DeadLetterRow

__all__ = ["DeadLetterRow", "PipelineSample"]


class PipelineSample(models.Model):
    """Where every partition stood at one moment.

    `slot` numbers the moment in steps of five seconds: of several processes that look at the same
    time one keeps the sample. `lags` holds the members of feed.lag.PartitionLag, row by row.
    """

    slot = models.BigIntegerField(primary_key=True)
    taken_at_ms = models.BigIntegerField()
    lags = models.JSONField()

    class Meta:
        """Oldest first."""

        ordering = ("slot",)

    def __str__(self) -> str:
        return f"sample {self.slot}"
