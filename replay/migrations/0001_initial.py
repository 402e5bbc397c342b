import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Replay",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("project", models.CharField(max_length=63)),
                ("from_ms", models.BigIntegerField()),
                ("to_ms", models.BigIntegerField()),
                ("spans", models.JSONField(default=list)),
                ("events", models.JSONField(default=list)),
                (
                    "mode",
                    models.CharField(
                        choices=[("in_place", "in_place"), ("new_generation", "new_generation")],
                        default="in_place",
                        max_length=16,
                    ),
                ),
                ("generation", models.PositiveIntegerField(null=True)),
                ("max_eps", models.PositiveIntegerField(default=2000, null=True)),
                ("auto", models.BooleanField(default=True)),
                ("reason", models.TextField()),
                ("requested_by", models.CharField(max_length=150)),
                ("idempotency_key", models.CharField(max_length=255, null=True)),
                ("request_digest", models.CharField(blank=True, max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("estimating", "estimating"),
                            ("ready", "ready"),
                            ("running", "running"),
                            ("paused", "paused"),
                            ("draining", "draining"),
                            ("verifying", "verifying"),
                            ("completed", "completed"),
                            ("completed_with_errors", "completed_with_errors"),
                            ("cancelling", "cancelling"),
                            ("cancelled", "cancelled"),
                            ("failed", "failed"),
                        ],
                        max_length=24,
                    ),
                ),
                ("error_code", models.CharField(blank=True, max_length=64)),
                ("error_detail", models.TextField(blank=True)),
                ("created_at_ms", models.BigIntegerField()),
                ("started_at_ms", models.BigIntegerField(null=True)),
                ("finished_at_ms", models.BigIntegerField(null=True)),
                ("worker", models.CharField(blank=True, max_length=100)),
                ("epoch", models.PositiveIntegerField(default=0)),
                ("lease_until_ms", models.BigIntegerField(default=0)),
                ("estimated", models.BigIntegerField(null=True)),
                ("estimated_bytes", models.BigIntegerField(null=True)),
                ("first_ms", models.BigIntegerField(null=True)),
                ("last_ms", models.BigIntegerField(null=True)),
                ("cursor", models.JSONField(null=True)),
                ("read", models.BigIntegerField(default=0)),
                ("emitted", models.BigIntegerField(default=0)),
                ("projected", models.BigIntegerField(default=0)),
                ("suppressed", models.BigIntegerField(default=0)),
                ("marks", models.JSONField(default=list)),
                ("eps", models.FloatField(default=0.0)),
                ("throttled_by", models.CharField(blank=True, max_length=16)),
            ],
            options={
                "ordering": ("-id",),
                "permissions": [
                    ("request_replay", "Can request a replay"),
                    ("start_replay", "Can start a replay"),
                    (
                        "control_replay",
                        "Can pause, resume, cancel and retry a replay, and change its rate",
                    ),
                ],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["state"], name="replay_state"),
                    models.Index(fields=["project", "-id"], name="replay_project"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "idempotency_key"), name="replay_one_an_idempotency_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_ms__lte", models.F("to_ms"))),
                        name="replay_start_before_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReplayLogEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at_ms", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("via", models.CharField(max_length=16)),
                ("action", models.CharField(max_length=24)),
                ("from_state", models.CharField(blank=True, max_length=24)),
                ("to_state", models.CharField(blank=True, max_length=24)),
                ("detail", models.TextField(blank=True)),
                (
                    "replay",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="log",
                        to="replay.replay",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": ("view",),
            },
        ),
    ]
