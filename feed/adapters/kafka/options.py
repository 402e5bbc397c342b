"""The parts of a `kafka://` URL: addresses, credentials, query parameters, bounds. Knows no
driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from feed.errors import WrongOption
from feed.topics import Topic

MIB = 1024 * 1024
DEFAULT_PORT = 9092


@dataclass(frozen=True, slots=True)
class Options:
    """How the feed on Kafka is reached and tuned; times in the unit that the name ends in."""

    servers: str
    """host:port, separated by commas."""
    user: str = ""
    password: str = field(default="", repr=False)
    prefix: str = ""
    """Before the name of every topic and group, with a dot."""
    partitions: int = 12
    replication: int = 0
    """Copies of every partition; 0: as many as there are brokers, 3 at most."""
    min_insync: int = 0
    """Copies that a record must have reached to count as logged; 0: one less than `replication`,
    1 at least."""
    max_record_bytes: int = MIB
    queue_bytes: int = 64 * MIB
    """Published and not yet acknowledged, in one process; beyond it `publish` raises FeedFull."""
    queue_records: int = 100_000
    lease_s: float = 10.0
    """A member that gives no sign of life for so long loses its partitions."""
    max_poll_s: float = 60.0
    """A member that does not poll for so long loses its partitions, alive or not."""
    delivery_timeout_s: float = 30.0
    """Kafka is given so long to take a record, then it counts as not logged. Above the longest
    wait of an HTTP request, so that no request hears "failed" of what may still come in."""
    linger_ms: float = 0.5
    compression: str = "lz4"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    ca: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    verify_host: bool = True
    retention_hours: Mapping[str, float] = field(default_factory=dict)


_NUMBERS: dict[str, tuple[float, float]] = {
    "partitions": (1, 1024),
    "replication": (1, 9),
    "min_insync": (1, 9),
    "max_record_bytes": (1024, 64 * MIB),
    "queue_bytes": (MIB, 1024 * MIB),
    "queue_records": (1, 5_000_000),
    "lease_s": (6, 1800),  # what brokers allow by default
    "max_poll_s": (6, 86_400),
    "delivery_timeout_s": (26, 3600),
    "linger_ms": (0, 1000),
}
_WHOLE = frozenset(
    {"partitions", "replication", "min_insync", "max_record_bytes", "queue_bytes", "queue_records"}
)
_CHOICES: dict[str, tuple[str, ...]] = {
    "compression": ("none", "lz4", "zstd", "snappy", "gzip"),
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    "verify_host": ("true", "false"),
}
_FILES = ("ca", "cert", "key")
_TEXTS = ("prefix", "sasl_username", "sasl_password", "key_password")
_RETENTION: dict[str, float] = {
    Topic.EVENTS: 168,
    Topic.HISTORY: 168,
    Topic.CHANGES: 1,
    Topic.DEAD_LETTERS: 168,
}
"""Kafka deletes by age alone, read or not: far longer than any outage of a reader."""
_RETENTION_BOUNDS = (0.1, 24 * 3660.0)
_PREFIX_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def retention_name(topic: str) -> str:
    """The option that holds how long a topic's records are kept, in hours."""
    return f"{topic.replace('-', '_')}_retention_hours"


def parse_options(url: str, given: Mapping[str, str]) -> Options:
    """Options from the URL and its query parameters. Raises WrongOption, naming the parameter and
    never a password."""
    servers, user, password = _address(url)
    topics = {retention_name(topic): topic for topic in _RETENTION}
    values: dict[str, object] = {}
    retention = dict(_RETENTION)
    for name, text in given.items():
        if name in topics:
            retention[topics[name]] = _number(name, text, _RETENTION_BOUNDS)
        else:
            values[name] = _value(name, text, [*topics])
    user = str(values.pop("sasl_username", user))
    password = str(values.pop("sasl_password", password))
    if user:
        values.setdefault("security_protocol", "SASL_SSL")
    options = Options(
        servers,
        user,
        password,
        retention_hours=retention,
        **values,  # type: ignore[arg-type]
    )
    _check_pairs(options)
    return options


def _address(url: str) -> tuple[str, str, str]:
    location = urlsplit(url).netloc
    credentials, _, hosts = location.rpartition("@")
    user, _, password = credentials.partition(":")
    servers = [_server(host.strip()) for host in hosts.split(",") if host.strip()]
    if not servers:
        raise WrongOption(
            "WEIR_FEED_URL names no broker: it takes kafka://host:9092 or kafka://host1,host2:9092"
        )
    return ",".join(servers), unquote(user), unquote(password)


def _server(host: str) -> str:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return f"{host}:{DEFAULT_PORT}"
    if not name or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65_536:
        raise WrongOption(f"WEIR_FEED_URL has the broker {host!r}: it takes host:port")
    return host


def _value(name: str, text: str, topics: list[str]) -> object:
    if name in _NUMBERS:
        number = _number(name, text, _NUMBERS[name])
        return int(number) if name in _WHOLE else number
    if name in _CHOICES:
        return _choice(name, text)
    if name in _FILES:
        if not Path(text).is_file():
            raise WrongOption(f"WEIR_FEED_URL has {name}={text!r}, where there is no file")
        return text
    if name == "prefix":
        return _prefix(text)
    if name in _TEXTS:
        return text
    known = ", ".join([*_NUMBERS, *_CHOICES, *_FILES, *_TEXTS, *topics])
    raise WrongOption(f"WEIR_FEED_URL has {name!r}, which is no option of kafka: it takes {known}")


def _choice(name: str, text: str) -> object:
    for choice in _CHOICES[name]:
        if choice.lower() == text.lower():
            return choice == "true" if name == "verify_host" else choice
    raise WrongOption(f"WEIR_FEED_URL has {name}={text!r}: it takes {', '.join(_CHOICES[name])}")


def _prefix(text: str) -> str:
    if len(text) > 100 or not _PREFIX_CHARACTERS.issuperset(text):
        raise WrongOption(
            f"WEIR_FEED_URL has prefix={text!r}: it takes up to 100 letters, digits, '-', '_', '.'"
        )
    return text


def _number(name: str, text: str, bounds: tuple[float, float]) -> float:
    low, high = bounds
    try:
        number = int(text) if name in _WHOLE else float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise WrongOption(
            f"WEIR_FEED_URL has {name}={text!r}: it takes {kind} from {low:g} to {high:g}"
        )
    return number


def _check_pairs(options: Options) -> None:
    """Raises WrongOption where two options contradict each other."""
    is_sasl = options.security_protocol.startswith("SASL")
    if is_sasl and not (options.user and options.password):
        raise WrongOption(
            f"WEIR_FEED_URL has security_protocol={options.security_protocol} and no user with "
            "password: it takes kafka://user:password@host:port, percent-encoded"
        )
    if options.user and not is_sasl:
        raise WrongOption(
            f"WEIR_FEED_URL has a user and security_protocol={options.security_protocol}, which "
            "sends none: it takes SASL_SSL or SASL_PLAINTEXT"
        )
    if options.max_poll_s < options.lease_s:
        raise WrongOption(
            f"WEIR_FEED_URL has max_poll_s={options.max_poll_s:g}: it must not be below lease_s, "
            f"{options.lease_s:g}"
        )
    if options.replication and options.min_insync > options.replication:
        raise WrongOption(
            f"WEIR_FEED_URL has min_insync={options.min_insync} of replication="
            f"{options.replication}: no record could ever be logged"
        )
