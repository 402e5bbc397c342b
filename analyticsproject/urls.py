"""Django's own routes: the admin and whatever is not hot. The plain ASGI doors are mounted in
composition.py."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from analyticsproject import docs

urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}weir/icon.svg")),
    path("docs/", docs.api_page, name="docs"),
    path("docs/errors/", docs.error_list, name="docs-errors"),
    path("docs/errors/<slug:code>", docs.error_page, name="docs-error"),
    path("v1/openapi.json", docs.openapi, name="openapi"),
]
if "admin" in settings.SERVE:
    admin.site.site_header = admin.site.site_title = "Weir"
    admin.site.index_title = "Pipeline"
    admin.site.site_url = None
    urlpatterns += [
        path("", RedirectView.as_view(pattern_name="admin:index")),
        path("", include("operations.urls")),
        path("", include("replay.urls")),
        path("admin/", admin.site.urls),
    ]

handler400 = "analyticsproject.error_views.bad_request"
handler403 = "analyticsproject.error_views.forbidden"
handler404 = "analyticsproject.error_views.not_found"
handler500 = "analyticsproject.error_views.server_error"
