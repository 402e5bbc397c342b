"""What can go wrong with the view and with queries on it."""


class SeriesError(Exception):
    """The time-series view failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class SeriesBackpressure(SeriesError):
    """The series store is full: offer the whole batch again after `retry_after_s`."""

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SeriesUnavailable(SeriesBackpressure):
    """The series store cannot be reached."""


class GenerationDropped(SeriesUnavailable):
    """This generation of the view was dropped."""


class GenerationError(SeriesError):
    """What was asked of a generation is refused: `code` is of contract section 6."""

    code = "illegal_state"


class IllegalGenerationState(GenerationError):
    """The generation's state does not allow this."""


class UnknownGeneration(GenerationError):
    """There is no such generation."""

    code = "not_found"


class QueryTimeout(SeriesError):
    """The query took longer than its limit: ask for a shorter range, a wider interval or fewer
    groups."""


class QueryRefused(SeriesError):
    """The query cannot run as asked: `code` is of contract section 6, `field` names the part of
    the query."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class RecordsUnavailable(SeriesBackpressure):
    """Whole events cannot be read now."""


def invalid_query(field: str, message: str) -> QueryRefused:
    """The refusal of a query whose part `field`, a JSON path, cannot mean anything."""
    return QueryRefused("invalid_query", message, field=field)
