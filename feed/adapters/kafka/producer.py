"""Publishing: one driver handle and one polling thread a process; delivery reports settle tickets,
in that thread or in one that takes them itself.
"""

import threading
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as DriverProducer

from feed import crash_points
from feed.adapters.kafka.client import (
    OUTDATED,
    Config,
    Contact,
    base_config,
    missing,
    outdated,
)
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options
from feed.adapters.kafka.pending import Pending
from feed.errors import FeedError, FeedFull, FeedUnavailable, RecordTooLarge
from feed.ports import OutgoingRecord
from feed.ticket import Ticket

POLL_S = 0.1
LEFT_S = 0.05
"""How long the polling thread looks away while another thread takes the reports. If that one took
none in the meantime the reports are the polling thread's again."""
PROBE_EVERY_S = 0.5
PROBE_S = 0.5
GRACE_S = 1.0
"""A feed that nobody reaches for so long refuses what is offered, and gives back what was never
sent: callers hear "retry" at once instead of at their deadline."""
MOST_TAKEN = 5_000
"""Records on their way, above which nobody takes reports but the polling thread: it shares the
interpreter while it settles them, one who takes them settles all at once."""
OVERHEAD_BYTES = 64 * 1024
"""Room for headers and framing over key and value."""
CLOSED = "this process's handle on the feed is closed"

_ANY = -1  # the partition that the key gives
_MISSING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


def producer_config(options: Options, contact: Contact) -> Config:
    """Every record acknowledged by `min_insync` copies, written once and in order."""
    return base_config(options, contact) | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "consistent",  # CRC-32 of the key, as in the embedded feed
        "compression.type": options.compression,
        "linger.ms": options.linger_ms,
        "message.timeout.ms": int(options.delivery_timeout_s * 1000),
        "message.max.bytes": options.max_record_bytes + OVERHEAD_BYTES,
        "topic.metadata.propagation.max.ms": 2_000,
        # the bounds that hold are ours, on whole publishes: these must never be met halfway
        "queue.buffering.max.messages": min(10_000_000, 2 * options.queue_records + 100_000),
        "queue.buffering.max.kbytes": min(2_097_151, 2 * options.queue_bytes // 1024 + 65_536),
    }


class Producer:
    """Made at the first publish of a process. `publish` may be called from any thread."""

    def __init__(self, options: Options, names: Names) -> None:
        self._options, self._names = options, names
        self._contact = Contact(options)
        self.client = DriverProducer(producer_config(options, self._contact))
        self._pending: set[Pending] = set()
        self._queued_bytes = self._queued_records = 0
        self._lock = threading.Lock()
        self._closing = False
        self._stopped = False
        self._takes = 0
        self._are_reports_left = threading.Event()
        self._are_reports_left.set()
        self._probed_s = 0.0
        self._topic: str | None = None
        self._thread = threading.Thread(target=self._run, name="feed-kafka", daemon=True)
        self._thread.start()

    @property
    def is_broken(self) -> bool:
        """Whether a new one must take its place."""
        return self._contact.is_broken

    # -- in the publishing threads --

    def publish(self, topic: str, records: Sequence[OutgoingRecord], size: int) -> Ticket:
        """As the port's `publish`; `size` is that of all keys and values."""
        pending = Pending(self, topic, records, size)
        self._reserve(pending)
        outer = self._topic = self._names.outer(topic)
        produce = self.client.produce
        callbacks = pending.callbacks()
        for index, record in enumerate(records):
            callback = callbacks[index]
            try:
                if record.headers:
                    headers: list[tuple[str, str | bytes | None]] = [*record.headers]
                    produce(outer, record.value, record.key, _ANY, callback, headers=headers)
                else:  # without a name to look up the driver reads its arguments faster
                    produce(outer, record.value, record.key, _ANY, callback)
            except (KafkaException, BufferError) as exc:
                self._not_taken(pending, index, topic, exc)
        return pending

    def _reserve(self, pending: Pending) -> None:
        """Raises FeedFull when it does not fit (into an empty queue anything does), and
        FeedUnavailable."""
        if self._contact.is_down(for_s=GRACE_S):
            raise FeedUnavailable(self._contact.reason())
        with self._lock:
            if self._closing:
                raise FeedUnavailable(CLOSED)
            size = self._queued_bytes + pending.size
            count = self._queued_records + pending.count
            if self._queued_records and (
                size > self._options.queue_bytes or count > self._options.queue_records
            ):
                raise FeedFull(f"{self._queued_records} records wait for Kafka in this process")
            self._queued_bytes, self._queued_records = size, count
            self._pending.add(pending)

    def _not_taken(
        self, pending: Pending, index: int, topic: str, exc: KafkaException | BufferError
    ) -> None:
        error: FeedError
        if isinstance(exc, KafkaException):
            error = self.failure(topic, exc.args[0])
        else:
            error = FeedFull(str(exc))
        pending.settle(index, error)

    def failure(self, topic: str, error: KafkaError | None) -> FeedError:
        """The port's error for a record that is not known to be logged."""
        if error is None:
            return FeedUnavailable("Kafka has the record, and does not say where: send it again")
        code = error.code()
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return RecordTooLarge(
                f"a record for topic {topic} is over Kafka's limit with its headers; the "
                f"feed takes {self._options.max_record_bytes} bytes of key and value"
            )
        if code in _MISSING:
            return FeedUnavailable(missing(self._options, topic))
        if code in OUTDATED:
            return FeedUnavailable(outdated(self._options, error))
        if code in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            return FeedUnavailable(CLOSED if self._closing else self._contact.reason())
        if code in (KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT):
            return FeedUnavailable(
                f"Kafka at {self._options.servers} did not acknowledge a record in time"
            )
        return FeedUnavailable(f"Kafka did not take a record for topic {topic}: {error.str()}")

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything published so far is settled; False at the time limit."""
        deadline_s = time.monotonic() + timeout_s
        with self._lock:
            waiting = list(self._pending)
        return all(
            ticket.wait(timeout_s=max(0.0, deadline_s - time.monotonic())) for ticket in waiting
        )

    def close(self, *, timeout_s: float) -> None:
        """Settle what is open within the time limit, fail the rest. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        if not self._contact.is_down():
            self.flush(timeout_s=timeout_s)
        self._stopped = True
        self._thread.join(timeout_s)

    # -- in a thread that takes the reports --

    def take_reports(self, *, timeout_s: float) -> bool:
        """As the port's."""
        if self._queued_records > MOST_TAKEN:
            self.leave_reports()
            return False
        self._takes += 1
        self._are_reports_left.clear()
        return self.client.poll(timeout_s) > 0

    def leave_reports(self) -> None:
        """As the port's."""
        self._are_reports_left.set()

    # -- in whichever of the two --

    def release(self, pending: Pending) -> None:
        """Every record of it has been reported."""
        crash_points.reach("publish.reported")
        with self._lock:
            self._pending.discard(pending)
            self._queued_bytes -= pending.size
            self._queued_records -= pending.count

    # -- in the polling thread --

    def _run(self) -> None:
        poll = self.client.poll
        while not self._stopped:
            poll(POLL_S if self._may_wait_for_reports() else 0)
            if self._contact.down_since_s is not None:
                self._probe()
            if self._contact.is_broken:
                break
        self._give_back()

    def _may_wait_for_reports(self) -> bool:
        """True at once, unless another thread takes them; False after looking away."""
        takes = self._takes
        if self._are_reports_left.wait(LEFT_S):
            return True
        if self._takes == takes:
            self._are_reports_left.set()
        return False

    def _probe(self) -> None:
        """While nobody answers: ask, and give back what waited too long to be sent."""
        now_s = time.monotonic()
        if now_s - self._probed_s < PROBE_EVERY_S:
            return
        self._probed_s = now_s
        try:
            self.client.list_topics(self._topic, timeout=PROBE_S)
        except KafkaException:
            if self._contact.is_down(for_s=GRACE_S):
                self.client.purge(in_queue=True, in_flight=False, blocking=False)
        else:
            self._contact.note_answer()

    def _give_back(self) -> None:
        """At the end: what Kafka has not acknowledged is not known to be logged."""
        self.client.purge(in_queue=True, in_flight=True, blocking=False)
        self.client.poll(0)
        with self._lock:
            left = list(self._pending)
        error = FeedUnavailable(CLOSED if self._closing else self._contact.reason())
        for pending in left:
            for index, outcome in enumerate(pending.outcomes()):
                if outcome is None:
                    pending.settle(index, error)
