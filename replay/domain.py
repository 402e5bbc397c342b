"""What a replay is: its source, its rate, its states and the moves between them. Pure; knows no
framework and no engine."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_REASON_CHARS = 1_000
MAX_EVENT_NAMES = 100
MAX_SPANS = 10_000
MAX_EPS = 1_000_000
DEFAULT_MAX_EPS = 2_000
GENERATION_DIFFERS = "generation_differs"
"""The code of a rebuild that was verified and is not what the warehouse holds."""
EMITTED_AT_LEAST = "emitted_at_least"
"""The code of a cancelled replay that may have emitted more than it says."""
ID_CHARS = 32
_TIME_DIGITS = 12


class State(StrEnum):
    """Where a replay stands. The words are the contract's, section 6."""

    DRAFT = "draft"
    ESTIMATING = "estimating"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Move(StrEnum):
    """What a person may ask of a replay."""

    ESTIMATE = "estimate"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    RATE = "rate"


FINAL = frozenset({State.COMPLETED, State.COMPLETED_WITH_ERRORS, State.CANCELLED})
"""Nothing moves from here. A failed replay is not final: it can be tried again."""
WORKED_ON = frozenset({State.ESTIMATING, State.RUNNING, State.VERIFYING, State.CANCELLING})
"""A replayer takes these and holds a lease on them."""

LEGAL: Mapping[Move, frozenset[State]] = {
    Move.ESTIMATE: frozenset({State.DRAFT}),
    Move.START: frozenset({State.DRAFT, State.READY}),
    Move.PAUSE: frozenset({State.RUNNING}),
    Move.RESUME: frozenset({State.PAUSED}),
    Move.CANCEL: frozenset(State) - FINAL - {State.CANCELLING},
    Move.RETRY: frozenset({State.FAILED}),
    Move.RATE: frozenset(State) - FINAL - {State.CANCELLING},
}


class Mode(StrEnum):
    """What a replay writes: the view as it is, or a generation that is being built."""

    IN_PLACE = "in_place"
    NEW_GENERATION = "new_generation"


class Throttle(StrEnum):
    """Why a replay is not faster than it is."""

    RATE = "rate"
    LIVE_LAG = "live_lag"
    PROJECTION = "projection"
    FEED = "feed"
    WAREHOUSE = "warehouse"
    VIEW = "view"
    PINS = "pins"
    SINK = "sink"
    PROJECTOR = "projector"


THROTTLE_WORDS: Mapping[Throttle, str] = {
    Throttle.RATE: "as fast as its rate allows",
    Throttle.LIVE_LAG: "slower, since live events wait",
    Throttle.PROJECTION: "the projector is 30 seconds of work behind it",
    Throttle.FEED: "the feed does not answer, or takes no records now",
    Throttle.WAREHOUSE: "the warehouse does not answer",
    Throttle.VIEW: "the view does not answer",
    Throttle.PINS: "no projector has said yet, for every partition, from where it writes the new "
    "generation",
    Throttle.SINK: "the sink has not stored yet what the feed holds",
    Throttle.PROJECTOR: "the projector has not shown yet what the feed holds",
}

_NO_PROJECTOR = "waits for a projector: none runs"
_OTHERWISE: Mapping[tuple[State, Throttle], str] = {
    (State.RUNNING, Throttle.PROJECTOR): _NO_PROJECTOR,
    (State.DRAINING, Throttle.PROJECTOR): _NO_PROJECTOR,
    (State.DRAINING, Throttle.LIVE_LAG): "live events come first",
}
"""What of these is said otherwise, in which state."""


def throttle_words(throttle: Throttle, state: State) -> str:
    """Why a replay in this state is not faster."""
    return _OTHERWISE.get((state, throttle), THROTTLE_WORDS[throttle])


class Worker(StrEnum):
    """Whether a replayer that lives works on it; lost: it held the replay and died, another goes
    on."""

    ALIVE = "alive"
    LOST = "lost"


class Span(NamedTuple):
    """Times of occurrence in [from_ms, to_ms)."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Source:
    """Which events: those of `project` that occurred in one of the spans, which ascend and do not
    touch; `events` names, empty for all."""

    project: str
    spans: tuple[Span, ...]
    events: tuple[str, ...] = ()

    @property
    def from_ms(self) -> int:
        """The start of the first span."""
        return self.spans[0].from_ms

    @property
    def to_ms(self) -> int:
        """The end of the last one."""
        return self.spans[-1].to_ms


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `max_eps` events a second, None for as fast as it goes; `auto` slows down further
    while live events wait."""

    max_eps: int | None = DEFAULT_MAX_EPS
    auto: bool = True


WHOLE_VIEW = Source("", (Span(0, 0),))
"""Of a rebuild: all projects and all times, for which no name and no span stands."""


def is_replay_id(text: str) -> bool:
    """Whether it looks like one; anything else is not asked for, since PostgreSQL takes no NUL."""
    return len(text) == ID_CHARS and set(text) <= set("0123456789abcdef")


def new_replay_id(now_ms: int) -> str:
    """32 hex digits that ascend with time: a list by id is a list by age."""
    return f"{now_ms:0{_TIME_DIGITS}x}{secrets.token_hex((ID_CHARS - _TIME_DIGITS) // 2)}"
