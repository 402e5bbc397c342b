"""The Feed port on Apache Kafka, through confluent-kafka (librdkafka).

Why the classic group protocol, and what was measured: docs/decisions/0022-kafka-adapter.md.
"""

from collections.abc import Mapping
from pathlib import Path

from feed.ports import Feed


def open_feed(url: str, options: Mapping[str, str], data_dir: Path) -> Feed:
    """The feed at `kafka://[user:password@]host:port[,host:port]`; connects to nothing yet. Raises
    WrongOption, and ImportError where the driver is missing."""
    try:
        from feed.adapters.kafka.feed import KafkaFeed
    except ModuleNotFoundError as exc:
        if exc.name is None or not exc.name.startswith("confluent_kafka"):
            raise
        raise ImportError(
            "WEIR_FEED_URL asks for Kafka, whose driver is missing: "
            "pip install -r requirements/kafka.txt"
        ) from exc
    from feed.adapters.kafka.options import parse_options

    return KafkaFeed(parse_options(url, options))
