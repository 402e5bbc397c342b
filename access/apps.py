"""The Django app."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "access"
