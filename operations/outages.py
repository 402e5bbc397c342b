"""Says once that something cannot be done for now, and once that it can be again, however often it
is tried in between."""

import logging


class Outage:
    """What one thread tries again and again: `what` begins both sentences. Used from it alone."""

    def __init__(self, logger: logging.Logger, what: str, *, action: str) -> None:
        self._logger, self._what, self._action = logger, what, action
        self._is_on = False

    def begin(self, reason: object) -> None:
        """It failed: say why, unless it failed the last time too."""
        if not self._is_on:
            self._is_on = True
            words = " ".join(str(reason).split())
            self._logger.warning("%s: waiting: %s", self._what, words, extra=self._extra())

    def end(self) -> None:
        """It went well: say so if it had failed."""
        if self._is_on:
            self._is_on = False
            self._logger.info("%s: going on", self._what, extra=self._extra())

    def _extra(self) -> dict[str, str]:
        return {"action": self._action}
