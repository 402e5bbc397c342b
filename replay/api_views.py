"""What every door of replays and generations shares: who asks, and refusals as problem
documents."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request

from access.claims import Claims, Scope
from access.drf import TokenView, claims_of
from access.problems import Code, FieldError, Problem
from access.texts import is_text
from replay import services
from replay.errors import IllegalMove, InvalidReplay, KeyReused, ReplayError, UnknownReplay
from replay.journal import Actor, Via
from replay.models import Replay
from replay.reports import report
from replay.serializers import replay_as_json
from warehouse.errors import StoreBackpressure

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_KEY_CHARS = 255
NOT_STORED = {"Cache-Control": "no-store"}
PROBLEM = "application/problem+json"
PAGED = [
    OpenApiParameter("limit", OpenApiTypes.INT, description=f"1 to {MAX_LIMIT}"),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="next_cursor as it came"),
]
WRONG_PAGE = {(422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "No such limit or cursor")}
T = TypeVar("T")


class ReplayView(TokenView):
    """What every door of replays shares."""

    required_scope = Scope.REPLAY

    def handle_exception(self, exc: Exception) -> Any:  # Any: as TokenView's
        """Refusals of the service as problem documents."""
        return super().handle_exception(as_problem(exc))

    def actor(self, request: Request) -> Actor:
        """Who asks, for the log."""
        claims = claims_of(request)
        return Actor(f"{claims.subject} (key {(claims.kid or '')[:16]})", Via.REST)


def as_problem(exc: Exception) -> Exception:
    """The problem that a refusal is; anything else as it came."""
    match exc:
        case InvalidReplay():
            errors = [FieldError(exc.code, field=exc.field or None)]
            return Problem(422, exc.code, str(exc), errors=errors)
        case IllegalMove():
            return Problem(409, exc.code, str(exc), extensions={"state": exc.state.value})
        case UnknownReplay():
            return Problem(404, exc.code, "there is no such replay in your project")
        case KeyReused():
            return Problem(409, exc.code, str(exc))
        case ReplayError():
            return Problem(422, exc.code, str(exc))
        case StoreBackpressure():
            retry_after = str(max(1, round(exc.retry_after_s)))
            detail = "the warehouse does not answer: try again"
            headers = {"Retry-After": retry_after}
            return Problem(503, Code.STORE_UNAVAILABLE, detail, headers=headers)
        case _:
            return exc


def shown(row: Replay) -> dict[str, Any]:  # Any: JSON
    """Of a replay, as of now."""
    return replay_as_json(report(row, now_ms=services.CLOCK.now_ms()))


def limit_of(given: Mapping[str, str]) -> int:
    """The parameter `limit`. Raises InvalidReplay."""
    text = given.get("limit", str(DEFAULT_LIMIT))
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidReplay("limit", f"limit takes 1 to {MAX_LIMIT}")
    return int(text)


def cursor_of(given: Mapping[str, str], read: Callable[[str], T | None]) -> T | None:
    """Where the page begins, as `read` has it, which gives None for what is no cursor of ours;
    None for the first page. Raises InvalidReplay."""
    text = given.get("cursor")
    if not text:
        return None
    place = read(text)
    if place is None:
        raise InvalidReplay("cursor", "cursor takes a next_cursor as it came")
    return place


def idempotency_parameter(what: str) -> OpenApiParameter:
    """The header, for the schema of a door that makes such a thing."""
    return OpenApiParameter(
        "Idempotency-Key",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=f"the same request under the same key is the same {what}",
    )


def idempotency_key_of(request: Request) -> str | None:
    """The header; None without one. Raises InvalidReplay."""
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and (len(key) > MAX_KEY_CHARS or not is_text(key)):
        raise InvalidReplay("Idempotency-Key", f"at most {MAX_KEY_CHARS} characters, without NUL")
    return key


def refuse_filtered(claims: Claims) -> None:
    """A replay tells of events, and writes them, that such a token does not see."""
    if claims.filter is not None:
        detail = "this token sees a part of the project alone: a replay needs one without a filter"
        raise Problem(403, Code.MISSING_SCOPE, detail)
