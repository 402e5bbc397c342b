"""`POST /v1/events` and `GET /v1/limits`: thin doors onto `accept`."""

import asyncio
import math
from collections.abc import Callable

from access.authentication import Authenticator
from access.claims import Claims, Credential, Scope
from access.http import Request, json_reply
from access.problems import Code, FieldError, Problem, Reply
from feed.clock import Clock
from feed.crash_points import reach
from feed.event import ProjectId
from feed.ports import Feed
from ingest.acknowledgement import LOG_DEADLINE_S, Progress, Settling, reach_level
from ingest.api.bodies import Body, read_rows
from ingest.api.limits import limits_in_force
from ingest.api.parameters import Parameters, parse_parameters
from ingest.payloads import EventsAnswer, Level, Result, RowResult
from ingest.services import Accepted, Outcome, Submission, accept
from ingest.timestamps import format_time

TRANSPORT = "rest"
_LOGGED = Level.LOGGED  # by names of their own: to find a member of an enum is dear
_INGEST = Scope.INGEST
_OK = Result.OK


class EventsDoor:
    """Takes events over plain requests. Feed and progress are asked for at the first request, so
    that nothing connects before the server has forked; an event loop keeps its feed."""

    def __init__(
        self,
        authenticator: Authenticator,
        feed: Callable[[], Feed],
        progress: Callable[[], Progress],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._authenticator, self._feed, self._progress = authenticator, feed, progress
        self._clock = clock or Clock()
        self._settling: Settling | None = None

    async def __call__(self, request: Request) -> Reply:
        """Raises Problem 400, 401, 403, 408, 413, 415; 503 is an answer with rows to retry."""
        claims = self._authenticator.authenticate(request, scope=_INGEST, write_key=True)
        parameters = parse_parameters(request.query_string)
        body = await read_rows(request)
        submission = Submission(
            rows=body.rows,
            project=ProjectId(claims.project),
            request_id=request.request_id,
            transport=TRANSPORT,
            sent_at_ms=body.sent_at_ms,
            dry_run=parameters.dry_run,
        )
        settling = self._settling_here()
        accepted = accept(submission, settling.feed, now_ms=self._clock.now_ms())
        if not parameters.dry_run:
            await settling.wait(accepted)
        outcome = accepted.outcome()
        level = _LOGGED if outcome.logged else None
        if _may_wait(outcome, claims, parameters):
            level = await reach_level(
                parameters.ack, outcome.positions(), self._progress(), wait_s=parameters.wait_s
            )
        reach("ingest.before_answer")
        return _reply(_answer(request, accepted, outcome, level, body, parameters), outcome)

    def _settling_here(self) -> Settling:
        loop = asyncio.get_running_loop()
        if self._settling is None or self._settling.loop is not loop:
            self._settling = Settling(loop, self._feed(), deadline_s=LOG_DEADLINE_S)
        return self._settling


def _may_wait(outcome: Outcome, claims: Claims, parameters: Parameters) -> bool:
    """For a higher level than logged. A write key learns of `logged` at most; rows to send again
    are answered without delay."""
    if parameters.ack is _LOGGED or claims.credential is Credential.WRITE_KEY:
        return False
    return bool(outcome.logged) and not outcome.counts.retry


def _answer(
    request: Request,
    accepted: Accepted,
    outcome: Outcome,
    level: Level | None,
    body: Body,
    parameters: Parameters,
) -> EventsAnswer:
    results = outcome.results
    if parameters.summary:
        results = [row for row in results if row.result is not _OK]
    answer = EventsAnswer(
        request_id=request.request_id,
        received_at=format_time(accepted.received_at_ms),
        ack=level,
        counts=outcome.counts,
        results=results,
    )
    if outcome.counts.retry:
        answer.code = Code.LOG_UNAVAILABLE
    if body.notices:
        answer.warnings = list(body.notices)
    return answer


def _reply(answer: EventsAnswer, outcome: Outcome) -> Reply:
    if outcome.retry_after_s is not None:
        headers = {"Retry-After": str(math.ceil(outcome.retry_after_s))}
        return json_reply(answer, status=503, headers=headers)
    if outcome.counts.rejected == len(outcome.results):
        raise _all_rejected(answer, outcome.results)
    return json_reply(answer)


def _all_rejected(answer: EventsAnswer, results: list[RowResult]) -> Problem:
    errors = [
        FieldError(row.code, row.field if isinstance(row.field, str) else None, row.index)
        for row in results
        if isinstance(row.code, str)
    ]
    return Problem(
        400,
        Code.ALL_REJECTED,
        "no row of the request is an event: see results, one code and field a row",
        errors=errors,
        extensions={
            "received_at": answer.received_at,
            "counts": answer.counts,
            "results": answer.results,
        },
    )


async def limits_door(request: Request) -> Reply:
    """The limits in force, for anyone who asks: they are no secret."""
    return json_reply(limits_in_force(), headers={"Cache-Control": "public, max-age=300"})
