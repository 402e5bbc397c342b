"""The table of dead letters. Data and constraints alone."""

from django.db import models


class DeadLetterRow(models.Model):
    """A record refused for good, as feed.dead_letters.DeadLetter says it.

    Known by the letter's id, so that a letter read again is the same row. Texts that came with the
    record are cut to their column; the payload is what the letter carried, `payload_bytes` the
    record's full size.
    """

    id = models.CharField(primary_key=True, max_length=64)
    refused_at = models.DateTimeField(db_index=True)
    kept_at = models.DateTimeField(auto_now_add=True)
    project = models.CharField(max_length=63, blank=True)
    stage = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    detail = models.TextField(blank=True)
    field = models.CharField(max_length=512, blank=True)
    event_key = models.CharField(max_length=36, blank=True)
    event_id = models.CharField(max_length=128, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    request_index = models.BigIntegerField(null=True)
    topic = models.CharField(max_length=64, blank=True)
    partition = models.BigIntegerField(null=True)
    offset = models.BigIntegerField(null=True)
    headers = models.JSONField(default=dict, blank=True)
    payload = models.BinaryField()
    payload_bytes = models.BigIntegerField()

    class Meta:
        """Newest first."""

        verbose_name = "dead letter"
        ordering = ("-refused_at", "id")
        indexes = (
            models.Index(fields=("project", "-refused_at"), name="dead_letter_project"),
            models.Index(fields=("code", "-refused_at"), name="dead_letter_code"),
            models.Index(fields=("stage", "-refused_at"), name="dead_letter_stage"),
            models.Index(fields=("event_key",), name="dead_letter_event_key"),
            models.Index(fields=("event_id",), name="dead_letter_event_id"),
            models.Index(fields=("request_id",), name="dead_letter_request_id"),
        )

    def __str__(self) -> str:
        return f"{self.code} at {self.stage}, {self.id}"
