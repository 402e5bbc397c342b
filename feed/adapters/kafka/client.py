"""What every handle of the driver has in common: addresses, security, and its noise.

The driver reports a broker that is down every few milliseconds, to a logger and to a callback.
Here that becomes one plain sentence, and the sentence that the port's errors give as their reason.
"""

import logging
import threading
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from feed.adapters.kafka.options import Options
from feed.errors import FeedUnavailable

TESTED_VERSION = "4.2.0"
SAY_EVERY_S = 60.0
PROBE_S = 0.5
QUEUE_BACKOFF_MS = 20
"""How soon a full queue is looked at again: the driver's own second is longer than a worker takes
for all that is in it."""
FETCH_WAIT_MS = 100
"""How long a broker holds an empty fetch: a new assignment, a seek and a resume wait for the fetch
that is under way."""
QUEUE_KB = 4 * 1024
"""What a consumer holds ahead, without what each message costs the driver beside its bytes: of
small ones several times as much. With records of 200 bytes four times this is no faster and takes
a worker 45 MB more; of the largest events this holds 128."""
Config = dict[str, Any]  # Any: the driver takes text, numbers, callables

_said_s: dict[str, float] = {}
_saying = threading.Lock()
"""Once a minute for the whole process, however many handles meet the same."""

logger = logging.getLogger(__name__)
driver_logger = logging.getLogger(f"{__name__}.driver")
driver_logger.addHandler(logging.NullHandler())
driver_logger.setLevel(logging.CRITICAL + 1)  # one who debugs the driver lowers it

_REFUSED = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)
OUTDATED = (KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION)
"""Brokers that do not know a request that Weir makes."""
_NO_LOGIN = "mechanism handshake failed"
_IN_HANDSHAKE = "in state SSL_HANDSHAKE"
_UNTRUSTED = "certificate verify failed"


class Contact:
    """Whether the brokers answer one handle, and why not. Told wherever the driver is polled."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._reason: str | None = None
        self.down_since_s: float | None = None
        self.is_broken = False
        """Fatal: this handle never works again, a new one does."""

    def note_error(self, error: KafkaError) -> None:
        """The driver's error callback. Must not raise: the driver could not carry it."""
        if error.fatal():
            self.is_broken = True
            given_up = f"the driver gave up this connection ({error.str()})"
            self._reason = _reason_in(error, self._options) or given_up
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._reason = _reason_in(error, self._options)  # the last word counts
            if self._reason is None:
                return
        with self._lock:
            self.down_since_s = self.down_since_s or time.monotonic()
        self._say()

    def note_answer(self) -> None:
        """A broker answered."""
        self.down_since_s, self._reason = None, None

    def probe(self, driver: Any) -> None:
        """Ask a broker through `driver`, one of this handle. Raises FeedUnavailable."""
        try:
            driver.list_topics(timeout=PROBE_S)
        except KafkaException as exc:
            raise FeedUnavailable(self.reason()) from exc
        self.note_answer()

    def is_down(self, *, for_s: float = 0.0) -> bool:
        """Whether no broker has been reached for so long."""
        since_s = self.down_since_s
        return since_s is not None and time.monotonic() - since_s >= for_s

    def reason(self) -> str:
        """Why it does not answer, in words that say what to do."""
        return self._reason or silent(self._options)

    def _say(self) -> None:
        now_s, sentence = time.monotonic(), self.reason()
        with _saying:
            if now_s - _said_s.get(sentence, float("-inf")) < SAY_EVERY_S:
                return
            _said_s[sentence] = now_s
        logger.warning("%s", sentence, extra={"action": "kafka_away"})


def _reason_in(error: KafkaError, options: Options) -> str | None:
    """What somebody must mend, if the error says so: the driver has one code for several."""
    code, words = error.code(), error.str()
    if code in OUTDATED:
        return outdated(options, error)
    if code in _REFUSED:
        return without_login(options) if _NO_LOGIN in words else refused(options)
    if code != KafkaError._SSL and _IN_HANDSHAKE not in words:
        return None
    return untrusted(options) if _UNTRUSTED in words else insecure(options, error)


def refused(options: Options) -> str:
    """The sentence for a wrong user or password."""
    return (
        f"Kafka at {options.servers} refuses user {options.user!r} with this password "
        f"({options.sasl_mechanism}): correct user and password in WEIR_FEED_URL"
    )


def silent(options: Options) -> str:
    """The sentence for no answer. A broker that hears another protocol than its port's hangs up,
    as one that stops does."""
    return (
        f"Kafka at {options.servers} does not answer: is it running, and does this port of it "
        f"speak {options.security_protocol} (security_protocol in WEIR_FEED_URL)?"
    )


def without_login(options: Options) -> str:
    """The sentence for a port that knows no such login."""
    return (
        f"Kafka at {options.servers} takes no login by {options.sasl_mechanism} on this port: "
        "correct sasl_mechanism, security_protocol or the port in WEIR_FEED_URL"
    )


def untrusted(options: Options) -> str:
    """The sentence for a certificate of nobody who is trusted, or of another host."""
    return (
        f"Kafka at {options.servers} shows a certificate that cannot be verified: name the file of "
        "the authority that signed it with ca=, and the broker as the certificate does, in "
        "WEIR_FEED_URL"
    )


def insecure(options: Options, error: KafkaError) -> str:
    """The sentence for a failed TLS handshake."""
    detail = error.str().partition(" (after")[0]
    return (
        f"Kafka at {options.servers} and this process do not agree on TLS ({detail}): correct "
        "security_protocol, ca, cert and key in WEIR_FEED_URL"
    )


def outdated(options: Options, error: KafkaError) -> str:
    """The sentence for brokers of another version."""
    return (
        f"Kafka at {options.servers} does not speak a version of its protocol that Weir needs "
        f"({error.str()}): upgrade its brokers; Weir is tested with {TESTED_VERSION}"
    )


def missing(options: Options, topic: str) -> str:
    """The sentence for a topic that is not there."""
    return (
        f"topic {topic} does not exist in Kafka at {options.servers}: make it with manage.py "
        "ensure_engines"
    )


def base_config(options: Options, contact: Contact) -> Config:
    """Addresses, security and noise."""
    config: Config = {
        "bootstrap.servers": options.servers,
        "client.id": "weir",
        "security.protocol": options.security_protocol,
        "error_cb": contact.note_error,
        "logger": driver_logger,
        "log.connection.close": False,
        "socket.timeout.ms": 10_000,
        "socket.keepalive.enable": True,
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "allow.auto.create.topics": False,
    }
    if options.security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = options.sasl_mechanism
        config["sasl.username"] = options.user
        config["sasl.password"] = options.password
    if options.security_protocol.endswith("SSL"):
        config |= _tls_config(options)
    return config


def _tls_config(options: Options) -> Config:
    files = {
        "ssl.ca.location": options.ca,
        "ssl.certificate.location": options.cert,
        "ssl.key.location": options.key,
        "ssl.key.password": options.key_password,
    }
    config: Config = {name: value for name, value in files.items() if value}
    config["ssl.endpoint.identification.algorithm"] = "https" if options.verify_host else "none"
    return config


def reading_config(options: Options, contact: Contact, *, group: str) -> Config:
    """What consumers and readers share: nothing is committed by itself."""
    return base_config(options, contact) | {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": False,
        "fetch.queue.backoff.ms": QUEUE_BACKOFF_MS,
        "check.crcs": True,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
        "fetch.message.max.bytes": max(1024 * 1024, options.max_record_bytes),
        "queued.max.messages.kbytes": max(QUEUE_KB, 2 * options.max_record_bytes // 1024),
    }


def unavailable(
    doing: str, exc: KafkaException | KafkaError, options: Options, contact: Contact
) -> FeedUnavailable:
    """The port's error for the driver's, in words that say what to do."""
    error = exc.args[0] if isinstance(exc, KafkaException) else exc
    code = error.code()
    if code in _REFUSED:
        return FeedUnavailable(f"{doing}: {refused(options)}")
    if code in OUTDATED:
        return FeedUnavailable(f"{doing}: {outdated(options, error)}")
    if code in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ):
        return FeedUnavailable(
            f"{doing}: Kafka does not allow user {options.user!r} to do it ({error.str()}): "
            "grant it, see docs/operations.md"
        )
    if code in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
        return FeedUnavailable(f"{doing}: {contact.reason()}")
    return FeedUnavailable(f"{doing}: {error.str()}")
