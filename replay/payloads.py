"""What clients send, as msgspec types: the shape is checked here, the sense in `orders`."""

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from access.problems import Code
from ingest.timestamps import parse_time
from replay.domain import DEFAULT_MAX_EPS, MAX_EPS, Mode, Rate, Source, Span
from replay.errors import InvalidReplay
from replay.orders import NO_TEXT, Order

T = TypeVar("T")
_PATH = re.compile(r"(.*) - at `\$\.?(.*)`")
_EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_Eps = Annotated[int, msgspec.Meta(ge=1, le=MAX_EPS)]


class ReplaySource(msgspec.Struct, forbid_unknown_fields=True):
    """Times of occurrence, `from ≤ t < to`: RFC 3339 with an offset, or epoch milliseconds."""

    from_: str | int = msgspec.field(name="from")
    to: str | int


class ReplayFilter(msgspec.Struct, forbid_unknown_fields=True):
    """Names of events; none for all."""

    events: list[_EventName] = []


class ReplayTarget(msgspec.Struct, forbid_unknown_fields=True):
    """The view as it is, or a generation that is being built."""

    mode: Literal["in_place", "new_generation"] = "in_place"


class ReplayRate(msgspec.Struct, forbid_unknown_fields=True):
    """At most `max_eps` events a second, null for no limit; `auto`: less while live events
    wait."""

    max_eps: _Eps | None = DEFAULT_MAX_EPS
    auto: bool = True


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A replay that somebody wants. `reason` may be left out of a dry run alone. A new generation
    covers the whole view: it takes neither `source` nor `filter`, and its rate has no limit unless
    one is given."""

    source: ReplaySource | None = None
    filter: ReplayFilter = msgspec.field(default_factory=ReplayFilter)
    target: ReplayTarget = msgspec.field(default_factory=ReplayTarget)
    rate: ReplayRate | None = None
    reason: str = ""

    def is_rebuild(self) -> bool:
        """Whether it is for a new generation."""
        return self.target.mode == Mode.NEW_GENERATION.value


class RebuildRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A generation of the whole view that somebody wants built. The rate has no limit unless one is
    given."""

    reason: str
    rate: ReplayRate = msgspec.field(default_factory=lambda: ReplayRate(max_eps=None))


class ReplayChange(msgspec.Struct, forbid_unknown_fields=True):
    """What may be changed of a replay while it runs."""

    rate: ReplayRate


def parse_replay(payload: object) -> ReplayRequest:
    """Raises InvalidReplay naming the member."""
    return convert(payload, ReplayRequest)


def order_of(asked: ReplayRequest, *, project: str, idempotency_key: str | None) -> Order:
    """The order for a replay in place. Raises InvalidReplay naming the member."""
    if asked.source is None:
        raise InvalidReplay("source", "source is required: from and to, times of occurrence")
    from_ms = time_ms(asked.source.from_, "source.from")
    to_ms = time_ms(asked.source.to, "source.to")
    return Order(
        source=Source(project, (Span(from_ms, to_ms),), tuple(dict.fromkeys(asked.filter.events))),
        rate=_rate(asked.rate or ReplayRate()),
        reason=asked.reason,
        idempotency_key=idempotency_key,
    )


def rebuild_of(asked: ReplayRequest) -> tuple[str, Rate]:
    """Reason and rate of a rebuild. Raises InvalidReplay naming the member."""
    for field, is_given in (("source", asked.source), ("filter.events", asked.filter.events)):
        if is_given:
            raise InvalidReplay(field, f"a new generation covers the whole view: leave {field} out")
    return asked.reason, _rate(asked.rate or ReplayRate(max_eps=None))


def parse_rebuild(payload: object) -> tuple[str, Rate]:
    """Reason and rate. Raises InvalidReplay naming the member."""
    asked = convert(payload, RebuildRequest)
    return asked.reason, _rate(asked.rate)


def parse_rate(payload: object) -> Rate:
    """The rate of a change. Raises InvalidReplay."""
    return _rate(convert(payload, ReplayChange).rate)


def _rate(given: ReplayRate) -> Rate:
    return Rate(given.max_eps, given.auto)


def convert(payload: object, shape: type[T]) -> T:
    """A body as this shape. Raises InvalidReplay naming the member."""
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as exc:
        found = _PATH.fullmatch(str(exc))
        reason, field = found.groups() if found else (str(exc), "")
        raise InvalidReplay(field, f"{field or 'the body'}: {reason}") from exc
    except UnicodeEncodeError as exc:  # a name, or a choice; texts are looked at in `orders`
        raise InvalidReplay("", f"the body {NO_TEXT}") from exc


def time_ms(value: str | int, field: str) -> int:
    """Milliseconds since 1970. Raises InvalidReplay naming the member."""
    parsed_ms = parse_time(value)
    if parsed_ms is None or parsed_ms < 0:
        raise InvalidReplay(
            field,
            f"{field} takes RFC 3339 with an offset, such as 2026-11-01T12:00:00Z, or epoch "
            "milliseconds, from 1970 on",
            code=Code.INVALID_TIMESTAMP,
        )
    return parsed_ms
