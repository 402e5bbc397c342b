"""The Django app."""

from django.apps import AppConfig


class WarehouseConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "warehouse"
