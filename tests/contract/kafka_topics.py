"""Topics of one test's own on a shared broker, gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from confluent_kafka.admin import AdminClient

from feed.topics import Topic
from tests.engine_fixtures import fresh_name

QUICK = {"partitions": "4", "lease_s": "6", "max_poll_s": "6", "replication": "1"}


def admin_of(kafka_url: str) -> AdminClient:
    """An administrative client of the broker."""
    return AdminClient({"bootstrap.servers": urlsplit(kafka_url).netloc})


@contextmanager
def fresh_prefix(kafka_url: str) -> Iterator[str]:
    """A prefix that no other test has; what was made under it is deleted at the end."""
    prefix = fresh_name()
    yield prefix
    admin = admin_of(kafka_url)
    held = admin.list_topics(timeout=30).topics
    names = [name for name in (f"{prefix}.{topic}" for topic in Topic) if name in held]
    for deleted in admin.delete_topics(names).values() if names else ():
        deleted.result(30)
