"""What can go wrong with a request for a replay: all of it is the caller's to mend."""

from access.problems import Code
from replay.domain import Move, State


class ReplayError(Exception):
    """The request for a replay is refused."""

    code = Code.INVALID_QUERY

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class InvalidReplay(ReplayError):
    """What was asked can be read and cannot be run. `field` names the member."""

    def __init__(self, field: str, message: str, *, code: Code = Code.INVALID_QUERY) -> None:
        super().__init__(message)
        self.field, self.code = field, code


class IllegalMove(ReplayError):
    """The replay's state does not allow this."""

    code = Code.ILLEGAL_STATE

    def __init__(self, move: Move, state: State) -> None:
        super().__init__(f"a replay that is {state.value} takes no {move.value}")
        self.move, self.state = move, state


class UnknownReplay(ReplayError):
    """There is no such replay."""

    code = Code.NOT_FOUND


class KeyReused(ReplayError):
    """This Idempotency-Key was sent before with another request."""

    code = Code.CONFLICT


class LeaseLost(Exception):
    """Another replayer holds the replay: stop, save nothing."""
