"""Generations, the one served, and property slots."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Generation",
            fields=[
                ("number", models.PositiveIntegerField(primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("building", "Building"),
                            ("ready", "Ready"),
                            ("dropped", "Dropped"),
                        ],
                        max_length=16,
                    ),
                ),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="PropertySlot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("generation", models.PositiveIntegerField()),
                ("project", models.CharField(max_length=63)),
                ("name", models.CharField(max_length=512)),
                ("slot", models.PositiveSmallIntegerField(null=True)),
                ("has_strings", models.BooleanField(default=False)),
                ("has_numbers", models.BooleanField(default=False)),
                ("has_booleans", models.BooleanField(default=False)),
                ("has_arrays", models.BooleanField(default=False)),
                ("examples", models.JSONField(default=list)),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("generation", "project", "name"),
                        name="timeseries_one_slot_a_property",
                    ),
                    models.UniqueConstraint(
                        fields=("generation", "project", "slot"),
                        name="timeseries_one_property_a_slot",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServedGeneration",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                (
                    "generation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="timeseries.generation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="timeseries_one_served"
                    )
                ],
            },
        ),
    ]
