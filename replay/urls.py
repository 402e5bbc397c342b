"""Routes of the replay API."""

from django.urls import URLPattern, path, re_path

from replay.api import MoveView, OneReplayView, ReplaysView

urlpatterns: list[URLPattern] = [
    path("v1/replays", ReplaysView.as_view(), name="replays"),
    path("v1/replays/<str:replay>", OneReplayView.as_view(), name="replay"),
    re_path(
        r"^v1/replays/(?P<replay>[^/]+)/(?P<move>start|pause|resume|cancel|retry)$",
        MoveView.as_view(),
        name="replay-move",
    ),
]
