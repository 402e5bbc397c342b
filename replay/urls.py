"""Routes of the replay API."""

from django.urls import URLPattern, path, re_path

from replay.api import ReplaysView
from replay.generation_api import DiffView, GenerationMoveView, GenerationsView, OneGenerationView
from replay.one_api import MoveView, OneReplayView

urlpatterns: list[URLPattern] = [
    path("v1/replays", ReplaysView.as_view(), name="replays"),
    path("v1/replays/<str:replay>", OneReplayView.as_view(), name="replay"),
    re_path(
        r"^v1/replays/(?P<replay>[^/]+)/(?P<move>start|pause|resume|cancel|retry)$",
        MoveView.as_view(),
        name="replay-move",
    ),
    path("v1/generations", GenerationsView.as_view(), name="generations"),
    path("v1/generations/<int:generation>", OneGenerationView.as_view(), name="generation"),
    path("v1/generations/<int:generation>/diff", DiffView.as_view(), name="generation-diff"),
    re_path(
        r"^v1/generations/(?P<generation>[0-9]{1,9})/(?P<move>verify|swap|rollback|drop)$",
        GenerationMoveView.as_view(),
        name="generation-move",
    ),
]
