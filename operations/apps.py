"""The Django app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "operations"
