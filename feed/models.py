"""What whoever re-emits records tells those who read them: rows that upper apps write and that
sink and projector read."""

from django.db import models

MAX_REPLAY_CHARS = 32


class ReplayFence(models.Model):
    """From epoch `epoch` of a replay on, records of its earlier epochs count for nothing at or past
    the offsets `ends` (by partition of topic history, as text; an absent partition is 0).

    One row a takeover, never changed: whoever held the replay before may wake up late and go on
    writing.
    """

    replay = models.CharField(max_length=MAX_REPLAY_CHARS)
    epoch = models.PositiveIntegerField()
    ends = models.JSONField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["replay", "epoch"], name="feed_one_fence_an_epoch")
        ]

    def __str__(self) -> str:
        return f"replay {self.replay} from epoch {self.epoch}"


class DroppedReplay(models.Model):
    """A replay that was cancelled: readers drop what is left of it."""

    replay = models.CharField(primary_key=True, max_length=MAX_REPLAY_CHARS)
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"replay {self.replay} is dropped"


class ReplayRefusal(models.Model):
    """An event of a replay that a reader sent to the dead letters: once, however often it came."""

    replay = models.CharField(max_length=MAX_REPLAY_CHARS)
    key = models.BinaryField(max_length=16)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["replay", "key"], name="feed_one_refusal_a_key")
        ]

    def __str__(self) -> str:
        return f"a refusal in replay {self.replay}"
