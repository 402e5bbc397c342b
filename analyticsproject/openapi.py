"""One OpenAPI document of every door: drf-spectacular's for the DRF views, the contexts' own
fragments for the plain ASGI doors, made from their msgspec types."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

import access.openapi
import ingest.openapi
import operations.openapi
import operations.urls
import replay.openapi
import replay.urls
import timeseries.openapi
from access.openapi import problem_response
from analyticsproject import health_openapi

Document = dict[str, Any]  # Any: JSON


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How drf-spectacular describes access.drf's tokens: as access itself does."""

    target_class = "access.drf.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> Document:
        """The scheme of access."""
        scheme: Document = access.openapi.fragment()["components"]["securitySchemes"]["token"]
        return scheme


class ConflictingParts(Exception):
    """Two parts describe one path, or give one name to different schemas."""


@cache
def document() -> Document:
    """The whole document, whichever parts this process serves."""
    patterns = [*operations.urls.urlpatterns, *replay.urls.urlpatterns]
    generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
    whole: Document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    _add_problems(whole)
    whole["paths"] = dict(whole["paths"])
    for part in (
        access.openapi.fragment(),
        ingest.openapi.fragment(),
        operations.openapi.fragment(),
        replay.openapi.fragment(),
        timeseries.openapi.fragment(),
        health_openapi.fragment(),
    ):
        _merge(whole, part)
    whole["paths"] = dict(sorted(whole["paths"].items()))
    return whole


def _merge(whole: Document, part: Mapping[str, Any]) -> None:
    _add(whole["paths"], part.get("paths", {}))
    components = whole.setdefault("components", {})
    for kind, named in part.get("components", {}).items():
        _add(components.setdefault(kind, {}), named)


def _add(into: dict[str, Any], named: Mapping[str, Any]) -> None:
    for name, value in named.items():
        if into.get(name, value) != value:
            raise ConflictingParts(f"{name} is described twice, differently")
        into[name] = value


def _add_problems(whole: Document) -> None:
    """The DRF views' security and refusals, which are the same for all of them."""
    for path in whole["paths"].values():
        for operation in path.values():
            operation["security"] = [{"token": []}]
            operation["responses"] |= {
                "401": problem_response("No credential, or one that proves nothing"),
                "403": problem_response("The credential lacks the scope"),
                "503": problem_response("The keys are not loaded yet"),
            }
