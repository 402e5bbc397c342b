"""The Django app."""

from django.apps import AppConfig


class ReplayConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "replay"
