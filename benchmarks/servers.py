"""Real engines for the benchmarks: those at TEST_KAFKA_URL, TEST_CASSANDRA_URL and
TEST_ELASTICSEARCH_URL, else started here and ended with the run."""

import atexit
import os
from functools import cache
from urllib.parse import parse_qs, urlsplit

from benchmarks.figures import say
from feed.topics import Topic
from tests.servers.running import RunningEngines


def server(name: str) -> str:
    """The address of `kafka`, `cassandra` or `elasticsearch`. Raises EnginesError."""
    return os.environ.get(f"TEST_{name.upper()}_URL") or _started(name)


def topic_name(feed_url: str, topic: Topic) -> str:
    """What a topic is called on the broker of this URL, which has a prefix."""
    (prefix,) = parse_qs(urlsplit(feed_url).query)["prefix"]
    return f"{prefix}.{topic}"


@cache
def _started(name: str) -> str:
    say(f"starting {name}")
    return _running().url(name)


@cache
def _running() -> RunningEngines:
    running = RunningEngines()
    atexit.register(running.end_all)
    return running
