"""The Django app."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "ingest"
