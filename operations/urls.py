"""Routes of what operations shows: pages for staff, and the API with scope operate."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from operations import pages, trace_api
from operations.api import LagView, StatusView
from operations.reconcile import api as reconcile_api
from operations.reconcile import pages as reconcile_pages

_page = admin.site.admin_view

urlpatterns: list[URLPattern | URLResolver] = [
    *trace_api.urlpatterns,
    *reconcile_api.urlpatterns,
    path("v1/lag", LagView.as_view(), name="lag"),
    path("v1/status", StatusView.as_view(), name="status"),
    path("admin/pipeline.json", pages.pipeline_figures, name="pipeline-figures"),
    path("admin/explorer/", pages.explorer, name="explorer"),
    path("admin/reconcile/", _page(reconcile_pages.reconcile), name="reconcile-page"),
    path("admin/reconcile/hours", reconcile_pages.reconcile_hours, name="reconcile-hours"),
    path(
        "admin/reconcile/replay", _page(reconcile_pages.reconcile_replay), name="reconcile-replay"
    ),
    path("admin/explorer/token", pages.explorer_token, name="explorer-token"),
]
