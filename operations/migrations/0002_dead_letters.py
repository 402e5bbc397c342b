from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0001_pipeline_samples"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeadLetterRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("refused_at", models.DateTimeField(db_index=True)),
                ("kept_at", models.DateTimeField(auto_now_add=True)),
                ("project", models.CharField(blank=True, max_length=63)),
                ("stage", models.CharField(max_length=64)),
                ("code", models.CharField(max_length=64)),
                ("detail", models.TextField(blank=True)),
                ("field", models.CharField(blank=True, max_length=512)),
                ("event_key", models.CharField(blank=True, max_length=36)),
                ("event_id", models.CharField(blank=True, max_length=128)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("request_index", models.BigIntegerField(null=True)),
                ("topic", models.CharField(blank=True, max_length=64)),
                ("partition", models.BigIntegerField(null=True)),
                ("offset", models.BigIntegerField(null=True)),
                ("headers", models.JSONField(blank=True, default=dict)),
                ("payload", models.BinaryField()),
                ("payload_bytes", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "dead letter",
                "ordering": ("-refused_at", "id"),
                "indexes": [
                    models.Index(fields=["project", "-refused_at"], name="dead_letter_project"),
                    models.Index(fields=["code", "-refused_at"], name="dead_letter_code"),
                    models.Index(fields=["stage", "-refused_at"], name="dead_letter_stage"),
                    models.Index(fields=["event_key"], name="dead_letter_event_key"),
                    models.Index(fields=["event_id"], name="dead_letter_event_id"),
                    models.Index(fields=["request_id"], name="dead_letter_request_id"),
                ],
            },
        ),
    ]
