"""The Django app."""

from django.apps import AppConfig


class TimeseriesConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "timeseries"
