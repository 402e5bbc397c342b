from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="DroppedReplay",
            fields=[
                ("replay", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="ReplayFence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("replay", models.CharField(max_length=32)),
                ("epoch", models.PositiveIntegerField()),
                ("ends", models.JSONField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("replay", "epoch"), name="feed_one_fence_an_epoch"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReplayRefusal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("replay", models.CharField(max_length=32)),
                ("key", models.BinaryField(max_length=16)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("replay", "key"), name="feed_one_refusal_a_key")
                ],
            },
        ),
    ]
