"""Pins of generations, when one was freed, what was served before, and one building at a time."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("timeseries", "0002_first_generation")]

    operations = [
        migrations.CreateModel(
            name="GenerationPin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("generation", models.PositiveIntegerField()),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.PositiveIntegerField()),
                ("position", models.PositiveBigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("generation", "topic", "partition"),
                        name="timeseries_one_pin_a_partition",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="generation",
            name="freed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="servedgeneration",
            name="previous",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="timeseries.generation",
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "building")),
                fields=("state",),
                name="timeseries_one_generation_building",
            ),
        ),
    ]
