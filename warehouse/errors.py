"""What can go wrong with the event store."""


class StoreError(Exception):
    """The event store failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class StoreBackpressure(StoreError):
    """The event store is full: offer the whole batch again after `retry_after_s`."""

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailable(StoreBackpressure):
    """The event store cannot be reached."""


class UnsafeStore(StoreError):
    """What lies in the event store would lose events as it is."""
