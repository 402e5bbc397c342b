"""The Django app."""

from django.apps import AppConfig


class FeedConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "feed"
