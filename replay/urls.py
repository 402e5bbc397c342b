"""Routes of the API of replays and generations, and of the pages of generations."""

from django.contrib import admin
from django.urls import URLPattern, path, re_path

from replay import generation_admin as pages
from replay.api import ReplaysView
from replay.generation_api import DiffView, GenerationMoveView, GenerationsView, OneGenerationView
from replay.one_api import MoveView, OneReplayView

_page = admin.site.admin_view

urlpatterns: list[URLPattern] = [
    path("admin/generations/", _page(pages.generations), name="generations-page"),
    path("admin/generations/rebuild/", _page(pages.rebuild), name="generation-rebuild"),
    path("admin/generations/<int:generation>/", _page(pages.one), name="generation-page"),
    path("admin/generations/<int:generation>/diff", pages.diff, name="generation-page-diff"),
    path(
        "admin/generations/<int:generation>/<str:move>/",
        _page(pages.move),
        name="generation-page-move",
    ),
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
