"""Accept rows: admit, encode, publish. Every door stands on `accept`, which never waits; whoever
called it waits for the outcome in its own way."""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import monotonic

import msgspec
from msgspec import UNSET

from access.problems import Code
from feed.codec import encode
from feed.crash_points import reach
from feed.dead_letters import to_record
from feed.errors import Backpressure, FeedError, RecordTooLarge
from feed.event import ProjectId, key_text
from feed.ports import Feed, OutgoingRecord, TopicPartition
from feed.ticket import Logged, Ticket
from feed.ticket import Outcome as RecordOutcome
from feed.topics import Topic
from ingest.dead_letters import Origin, dead_letter
from ingest.domain import Admitted, Frame, Rejected, admit
from ingest.payloads import Counts, Result, RowResult
from ingest.timestamps import format_time

MIN_RETRY_AFTER_S = 1.0
logger = logging.getLogger(__name__)

# By names of their own: to find a member of an enum costs as much as to make a record.
_OK, _WARNING, _REJECTED = Result.OK, Result.WARNING, Result.REJECTED
_EVENTS = Topic.EVENTS


class Submission(msgspec.Struct, frozen=True):
    """The rows of one request, each the JSON text of one event, and who sends them how.

    `takes_back` lets rows bring `received_at`, `sent_at` and `transport` of their first arrival:
    for the import command alone. A dry run is admitted, and published nowhere.
    """

    rows: Sequence[bytes]
    project: ProjectId
    request_id: str
    transport: str
    sent_at_ms: int | None = None
    dry_run: bool = False
    takes_back: bool = False
    first_index: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """What became of every row, in order. `logged`: the highest offset of its events by number of
    partition; empty when none is known to be logged.

    `retry_after_s` is None unless a row is to be sent again.
    """

    results: list[RowResult]
    counts: Counts
    logged: Mapping[int, int]
    retry_after_s: float | None

    def positions(self) -> Mapping[TopicPartition, int]:
        """`logged` as groups say how far they are."""
        return {TopicPartition(_EVENTS, number): top for number, top in self.logged.items()}


class _Published(msgspec.Struct, frozen=True):
    """Records offered to one topic, the rows that they stand for, and what became of them."""

    topic: Topic
    records: Sequence[OutgoingRecord]
    rows: Sequence[RowResult]
    ticket: Ticket


class Accepted:
    """Rows on their way into the feed."""

    __slots__ = ("_published", "_results", "received_at_ms")

    def __init__(
        self, results: list[RowResult], published: list[_Published], received_at_ms: int
    ) -> None:
        self._results, self._published = results, published
        self.received_at_ms = received_at_ms

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call once, from any thread, when the fate of every row is known; at once if it is."""
        if len(self._published) == 1:
            self._published[0].ticket.add_done_callback(callback)
            return
        countdown = _Countdown(len(self._published), callback)
        for part in self._published:
            part.ticket.add_done_callback(countdown.step)

    def wait(self, *, timeout_s: float) -> None:
        """Block until the fate of every row is known, or the time is up. For commands: the web
        awaits the callback."""
        end_s = monotonic() + timeout_s
        for part in self._published:
            part.ticket.wait(timeout_s=max(0.0, end_s - monotonic()))

    def retry_delay_s(self) -> float | None:
        """Seconds to wait before `offer_again`; None when nothing is left to offer."""
        outcomes = [outcome for part in self._published for outcome in part.ticket.outcomes()]
        return max((_delay_s(outcome) for outcome in outcomes if _is_open(outcome)), default=None)

    def offer_again(self, feed: Feed) -> None:
        """Publish what is not known to be logged once more: the same ids, the same bytes, so that
        it counts once however often it arrives."""
        parts, self._published = self._published, []
        for part in parts:
            outcomes = part.ticket.outcomes()
            left = [index for index, outcome in enumerate(outcomes) if _is_open(outcome)]
            records = [part.records[index] for index in left]
            self._published += _publish(
                feed, part.topic, records, [part.rows[index] for index in left]
            )
            for row, outcome in zip(part.rows, outcomes, strict=True):
                if isinstance(outcome, RecordTooLarge):
                    _fail(row, outcome)

    def outcome(self) -> Outcome:
        """What is known now. A row whose record is not known to be logged, or whose dead letter is
        not, is `retry`: sent again, it does no harm."""
        logged: dict[int, int] = {}
        retry_after_s: float | None = None
        for part in self._published:
            is_of_events = part.topic is _EVENTS
            for row, outcome in zip(part.rows, part.ticket.outcomes(), strict=True):
                if type(outcome) is Logged:
                    partition, offset = outcome.partition, outcome.offset
                    if is_of_events and offset > logged.get(partition, -1):
                        logged[partition] = offset
                elif _fail(row, outcome):
                    retry_after_s = max(retry_after_s or MIN_RETRY_AFTER_S, _delay_s(outcome))
        return Outcome(self._results, _count(self._results), logged, retry_after_s)


class _Countdown:
    """Calls back at the last of `count` steps; at once when there is none to wait for."""

    def __init__(self, count: int, callback: Callable[[], None]) -> None:
        self._left, self._callback, self._lock = count, callback, Lock()
        if count == 0:
            callback()

    def step(self) -> None:
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self._callback()


def accept(submission: Submission, feed: Feed, *, now_ms: int) -> Accepted:
    """Admit every row, publish the events and the dead letters of the rest. Never waits, raises
    nothing for any row: a feed that takes nothing shows in the outcome."""
    frame = Frame(
        submission.project,
        now_ms,
        submission.transport,
        submission.sent_at_ms,
        submission.takes_back,
    )
    events: list[OutgoingRecord] = []
    letters: list[OutgoingRecord] = []
    admitted: list[RowResult] = []
    refused: list[RowResult] = []
    results: list[RowResult] = []
    for index, row in enumerate(submission.rows, submission.first_index):
        verdict = admit(row, frame)
        if isinstance(verdict, Admitted):
            event = verdict.event
            result = _admitted_result(index, verdict)
            events.append(OutgoingRecord(event.key, encode(event)))
            admitted.append(result)
        else:
            result = _rejected_result(index, verdict)
            origin = Origin(submission.project, submission.request_id)
            letters.append(to_record(dead_letter(index, row, verdict, origin, now_ms)))
            refused.append(result)
        results.append(result)
    if submission.dry_run:
        return Accepted(results, [], now_ms)
    published = _publish(feed, _EVENTS, events, admitted)
    if letters:
        published += _publish(feed, Topic.DEAD_LETTERS, letters, refused)
    reach("ingest.after_publish")
    return Accepted(results, published, now_ms)


def _publish(
    feed: Feed, topic: Topic, records: Sequence[OutgoingRecord], rows: Sequence[RowResult]
) -> list[_Published]:
    if not records:
        return []
    try:
        ticket = feed.publish(topic, records)
    except RecordTooLarge as exc:
        if len(records) > 1:  # nothing was taken because of one of them: each by itself
            singly = zip(records, rows, strict=True)
            return [part for one, row in singly for part in _publish(feed, topic, [one], [row])]
        ticket = _settled(exc, 1)
    except Backpressure as exc:
        ticket = _settled(exc, len(records))
    return [_Published(topic, records, rows, ticket)]


def _settled(error: FeedError, count: int) -> Ticket:
    ticket = Ticket(count)
    ticket.settle_all([error] * count)
    return ticket


def _admitted_result(index: int, verdict: Admitted) -> RowResult:
    event, warnings, unknown = verdict.event, verdict.warnings, verdict.unknown
    key = key_text(event.key)
    if not warnings:
        return RowResult(index, event.id, _OK, key)
    is_weak = warnings[0] is Code.WEAK_ID
    return RowResult(
        index,
        event.id,
        Result.WARNING,
        key,
        timestamp=format_time(event.occurred_at_ms) if is_weak else UNSET,
        code=warnings[0],
        field=UNSET if is_weak or unknown is None else unknown,
        warnings=list(warnings) if len(warnings) > 1 else UNSET,
    )


def _rejected_result(index: int, verdict: Rejected) -> RowResult:
    field = UNSET if verdict.field is None else verdict.field
    return RowResult(index, verdict.event_id, Result.REJECTED, code=verdict.code, field=field)


def _is_open(outcome: RecordOutcome) -> bool:
    return not isinstance(outcome, Logged | RecordTooLarge)


def _fail(row: RowResult, outcome: RecordOutcome) -> bool:
    """Note that the row's record is not known to be logged; whether it is worth sending again."""
    if isinstance(outcome, RecordTooLarge):
        if row.result is Result.REJECTED:
            logger.warning("no dead letter: %s", outcome, extra={"action": "dead_letter_too_large"})
            return False
        row.result, row.code, row.field = Result.REJECTED, Code.EVENT_TOO_LARGE, UNSET
        row.key = row.timestamp = row.warnings = UNSET
        return False
    if row.code != Code.WEAK_ID:
        row.code, row.field = Code.LOG_UNAVAILABLE, UNSET
    row.result = Result.RETRY
    return True


def _delay_s(outcome: RecordOutcome) -> float:
    return outcome.retry_after_s if isinstance(outcome, Backpressure) else MIN_RETRY_AFTER_S


def _count(results: Sequence[RowResult]) -> Counts:
    counts = Counts()
    for row in results:  # compared, not looked up: an enum's hash is computed in Python
        result = row.result
        if result is _OK:
            counts.ok += 1
        elif result is _WARNING:
            counts.warning += 1
        elif result is _REJECTED:
            counts.rejected += 1
        else:
            counts.retry += 1
    return counts
