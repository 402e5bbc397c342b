"""The Django app."""

from django.apps import AppConfig
from django.conf import settings

from feed import crash_points


class FeedConfig(AppConfig):
    """Named so that migrations and admin find it."""

    name = "feed"

    def ready(self) -> None:
        """Arm the crash point that a fault test asked for; none in production."""
        crash_points.arm(settings.CRASH_POINT)
