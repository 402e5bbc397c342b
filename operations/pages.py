"""Pages and their figures for staff: the pipeline on the admin's first page, and the explorer."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from access.claims import Scope
from access.minting import staff_token
from access.models import Project
from operations.serializers import LagRowSerializer, StatusSerializer
from operations.status import status

TOKEN_TTL_S = 600
VIEW_PROJECTS = "access.view_project"


@never_cache
@require_safe
def pipeline_figures(request: HttpRequest) -> HttpResponse:
    """The first page's figures, asked for every few seconds; 403 when nobody is signed in."""
    if not admin.site.has_permission(request):
        return _refused("Your session has ended: sign in again.")
    found = status()
    rows = LagRowSerializer(found.rows, many=True).data
    return JsonResponse({**StatusSerializer(found).data, "lag": rows})


@never_cache
@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """Charts any query of any project that the user may see."""
    return admin.site.admin_view(_explorer)(request)


def _explorer(request: HttpRequest) -> HttpResponse:
    names = list(_projects(request))
    context = {
        **admin.site.each_context(request),
        "title": "Explorer",
        "projects": names,
    }
    return TemplateResponse(request, "admin/explorer.html", context)


@never_cache
@require_safe
def explorer_token(request: HttpRequest) -> HttpResponse:
    """A short token for one project's queries, signed by the server's own key."""
    if not admin.site.has_permission(request):
        return _refused("Your session has ended: sign in again.")
    project = request.GET.get("project", "")
    if project not in _projects(request):
        return _refused("There is no such project, or you may not see it.")
    token = staff_token(project, [Scope.QUERY], TOKEN_TTL_S)
    return JsonResponse({"token": token, "expires_in_s": TOKEN_TTL_S})


def _projects(request: HttpRequest) -> list[str]:
    """Names of the projects that the user may see; none without the permission."""
    if not request.user.has_perm(VIEW_PROJECTS):
        return []
    return list(Project.objects.values_list("name", flat=True))


def _refused(sentence: str) -> JsonResponse:
    return JsonResponse({"detail": sentence}, status=403)
