"""Replays and their log as rows of the Django database. Data and constraints; every change goes
through `services` (people) or `leases` (the replayer), as an update that names the state or the
epoch that it expects."""

from typing import Any

from django.db import models

from replay.domain import DEFAULT_MAX_EPS, ID_CHARS, Mode, State

MAX_PROJECT_CHARS = 63
MAX_ACTOR_CHARS = 150
_STATE_CHARS = 24


class Replay(models.Model):
    """One replay. Times of occurrence are in ms since the epoch, UTC, as everywhere.

    `spans` narrows [from_ms, to_ms) to parts of it, as [[from_ms, to_ms], ...];
    empty for the whole.
    `generation` is the target of a rebuild, null in place: a rebuild replays all times of all
    projects, and its `project` is empty. `estimated` is null until counted.
    `cursor` is where the scan stands, as [span, hour_ms, shard, last key in hex, project], null at
    the start: everything up to it was emitted.
    `emitted`, `read` and `cursor` change together, fenced by `epoch`; `marks` says how far the
    history group must come for how many of them to be projected (see `progress`).
    """

    id = models.CharField(primary_key=True, max_length=ID_CHARS)
    project = models.CharField(max_length=MAX_PROJECT_CHARS)
    from_ms = models.BigIntegerField()
    to_ms = models.BigIntegerField()
    spans = models.JSONField(default=list)
    events = models.JSONField(default=list)
    mode = models.CharField(
        max_length=16,
        choices=[(mode.value, mode.value) for mode in Mode],
        default=Mode.IN_PLACE.value,
    )
    generation = models.PositiveIntegerField(null=True)
    max_eps = models.PositiveIntegerField(null=True, default=DEFAULT_MAX_EPS)
    auto = models.BooleanField(default=True)
    reason = models.TextField()
    requested_by = models.CharField(max_length=MAX_ACTOR_CHARS)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - many have none
    request_digest = models.CharField(max_length=64, blank=True)

    state = models.CharField(
        max_length=_STATE_CHARS, choices=[(state.value, state.value) for state in State]
    )
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    created_at_ms = models.BigIntegerField()
    started_at_ms = models.BigIntegerField(null=True)
    finished_at_ms = models.BigIntegerField(null=True)

    worker = models.CharField(max_length=100, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    lease_until_ms = models.BigIntegerField(default=0)

    estimated = models.BigIntegerField(null=True)
    estimated_bytes = models.BigIntegerField(null=True)
    first_ms = models.BigIntegerField(null=True)
    last_ms = models.BigIntegerField(null=True)
    cursor = models.JSONField(null=True)
    read = models.BigIntegerField(default=0)
    emitted = models.BigIntegerField(default=0)
    projected = models.BigIntegerField(default=0)
    suppressed = models.BigIntegerField(default=0)
    marks = models.JSONField(default=list)
    eps = models.FloatField(default=0.0)
    throttled_by = models.CharField(max_length=16, blank=True)

    class Meta:
        """Newest first."""

        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["project", "idempotency_key"], name="replay_one_an_idempotency_key"
            ),
            models.CheckConstraint(
                condition=models.Q(from_ms__lte=models.F("to_ms")), name="replay_start_before_end"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], name="replay_state"),
            models.Index(fields=["project", "-id"], name="replay_project"),
        ]
        permissions = [
            ("request_replay", "Can request a replay"),
            ("start_replay", "Can start a replay"),
            ("control_replay", "Can pause, resume, cancel and retry a replay, and change its rate"),
            ("serve_generation", "Can verify, swap, roll back and drop generations of the view"),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"replay {self.id} of {self.project or 'the whole view'} ({self.state})"


class ReplayLogEntry(models.Model):
    """Who did what to a replay, when, why, through what: written once, never changed."""

    replay = models.ForeignKey(Replay, on_delete=models.PROTECT, related_name="log")
    at_ms = models.BigIntegerField()
    actor = models.CharField(max_length=MAX_ACTOR_CHARS)
    via = models.CharField(max_length=16)
    action = models.CharField(max_length=24)
    from_state = models.CharField(max_length=_STATE_CHARS, blank=True)
    to_state = models.CharField(max_length=_STATE_CHARS, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        """Oldest first."""

        ordering = ("id",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        """Append. Raises TypeError for an entry that is there already."""
        if not self._state.adding:
            raise TypeError("the log of a replay is only appended to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: as save
        """Refused: raises TypeError."""
        raise TypeError("the log of a replay is only appended to")
