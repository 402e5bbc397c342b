"""Into how many shards the hours of a project are split."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ShardStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project", models.CharField(max_length=63)),
                ("start_ms", models.BigIntegerField()),
                ("shards", models.PositiveIntegerField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "start_ms"), name="warehouse_one_step_an_hour"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("shards__gte", 1)), name="warehouse_at_least_one_shard"
                    ),
                ],
            },
        ),
    ]
