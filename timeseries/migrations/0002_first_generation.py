"""The first generation, served from the start."""

from typing import Any

from django.db import migrations


def make_first(apps: Any, schema_editor: Any) -> None:  # Any: Django's historical models
    """Generation 1, ready, and the pointer to it; nothing where they are there."""
    generation, _ = apps.get_model("timeseries", "Generation").objects.get_or_create(
        number=1, defaults={"state": "ready"}
    )
    apps.get_model("timeseries", "ServedGeneration").objects.get_or_create(
        id=1, defaults={"generation": generation}
    )


class Migration(migrations.Migration):
    dependencies = [("timeseries", "0001_initial")]

    operations = [migrations.RunPython(make_first, migrations.RunPython.noop)]
