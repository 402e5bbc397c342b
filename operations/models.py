"""Rows that operations keeps: samples of the pipeline's positions. Data and constraints alone."""

from django.db import models


class PipelineSample(models.Model):
    """Where every partition stood at one moment, so that a page, a command and a restarted process
    know how it moves.

    `slot` numbers the moment in steps of five seconds: of several processes that look at the same
    time one keeps the sample. `positions` is what operations/samples.py wrote.
    """

    slot = models.BigIntegerField(primary_key=True)
    taken_at_ms = models.BigIntegerField()
    positions = models.JSONField()

    class Meta:
        """Oldest first."""

        ordering = ("slot",)

    def __str__(self) -> str:
        return f"sample {self.slot}"
