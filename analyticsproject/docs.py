"""The documentation pages: the API, drawn from the served document, and a page for every error
code."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access.problems import Code
from analyticsproject import error_views
from analyticsproject.error_guide import GUIDE
from analyticsproject.openapi import document

READING = ("GET", "HEAD")


@require_safe
def api_page(request: HttpRequest) -> HttpResponse:
    """The API's reference, by Swagger UI from our own static files."""
    return render(request, "docs/api.html")


@csrf_exempt  # other methods are answered here, as a problem document
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document of every part, whichever this process serves."""
    if request.method not in READING:
        return error_views.method_not_allowed(request, READING)
    return JsonResponse(document(), headers={"Cache-Control": "max-age=60"})


@require_safe
def error_list(request: HttpRequest) -> HttpResponse:
    """Every error code with its meaning."""
    return render(request, "docs/errors.html", {"guide": GUIDE})


@require_safe
def error_page(request: HttpRequest, code: str) -> HttpResponse:
    """What one error code means and what to do; 404 for a code that does not exist."""
    try:
        known = Code(code)
    except ValueError as exc:
        raise Http404 from exc
    return render(request, "docs/error.html", {"code": known, "entry": GUIDE[known]})
