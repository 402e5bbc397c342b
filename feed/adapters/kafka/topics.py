"""Makes Weir's topics, and refuses existing ones that would lose data, with the command that mends
them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from feed.adapters.kafka.client import Contact, unavailable
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options, retention_name
from feed.adapters.kafka.producer import OVERHEAD_BYTES
from feed.errors import FeedError, FeedUnavailable, UnsafeTopic
from feed.topics import Topic

ASK_S = 5.0
LEADERS_S = 30.0
"""A busy broker takes seconds to lead its new partitions."""
HOUR_MS = 3_600_000
MAX_REPLICATION = 3


class TopicMaker:
    """One round of `ensure_topics`."""

    def __init__(
        self, admin: AdminClient, options: Options, names: Names, contact: Contact
    ) -> None:
        self._admin, self._options, self._names = admin, options, names
        self._contact = contact

    def ensure(self) -> Sequence[str]:
        """Make what is missing, add partitions; one sentence for each. Raises UnsafeTopic before
        anything is made, and FeedUnavailable."""
        try:
            cluster = self._admin.list_topics(timeout=ASK_S)
        except KafkaException as exc:
            self._admin.poll(0)
            raise self._error("cannot list the topics", exc) from exc
        self._replication = self._options.replication or min(MAX_REPLICATION, len(cluster.brokers))
        self._min_insync = self._options.min_insync or max(1, self._replication - 1)
        there = [topic for topic in Topic if self._names.outer(topic) in cluster.topics]
        self._refuse_unsafe({topic: cluster.topics[self._names.outer(topic)] for topic in there})
        made = [self._make(topic) for topic in Topic if topic not in there]
        if made:
            self._refuse_unsafe(self._led(at_least=1))  # one may have come from elsewhere meanwhile
        counts = {topic: len(found.partitions) for topic, found in self._led(at_least=1).items()}
        grown = [self._grow(topic, count) for topic, count in counts.items()]
        if any(grown):
            self._led(at_least=self._options.partitions)
        return [sentence for sentence in (*made, *grown) if sentence]

    def _led(self, *, at_least: int) -> Mapping[Topic, Any]:
        """The four topics, once every partition has a leader: brokers learn of a new topic later
        than they say that it was made. What comes is the driver's metadata, untyped."""
        deadline_s = time.monotonic() + LEADERS_S
        while True:
            found = {topic: self._find(topic) for topic in Topic}
            if all(_is_led(each, at_least=at_least) for each in found.values()):
                return found
            if time.monotonic() > deadline_s:
                raise FeedUnavailable(
                    "topics were made, and have no leaders yet: run manage.py ensure_engines again"
                )
            time.sleep(0.1)

    def _find(self, topic: Topic) -> Any:
        outer = self._names.outer(topic)
        try:
            return self._admin.list_topics(outer, timeout=ASK_S).topics[outer]
        except KafkaException as exc:
            raise self._error(f"cannot ask about topic {outer}", exc) from exc

    # -- making --

    def _settings(self, topic: Topic) -> dict[str, str]:
        return {
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "delete",
            "retention.ms": str(self._retention_ms(topic)),
            "retention.bytes": "-1",
            "min.insync.replicas": str(self._min_insync),
            "max.message.bytes": str(self._max_message_bytes()),
            "unclean.leader.election.enable": "false",
        }

    def _retention_ms(self, topic: Topic) -> int:
        return int(self._options.retention_hours[topic] * HOUR_MS)

    def _max_message_bytes(self) -> int:
        return self._options.max_record_bytes + OVERHEAD_BYTES

    def _make(self, topic: Topic) -> str | None:
        outer = self._names.outer(topic)
        new = NewTopic(
            outer,
            num_partitions=self._options.partitions,
            replication_factor=self._replication,
            config=self._settings(topic),
        )
        try:
            self._admin.create_topics([new], operation_timeout=ASK_S)[outer].result(2 * ASK_S)
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return None  # another process made it at the same moment
            raise self._error(f"cannot make topic {outer}", exc) from exc
        return (
            f"topic {outer} made: {self._options.partitions} partitions, "
            f"{self._replication} copies, {self._min_insync} of them in sync"
        )

    def _grow(self, topic: Topic, count: int) -> str | None:
        if count >= self._options.partitions:
            return None
        outer = self._names.outer(topic)
        more = [NewPartitions(outer, self._options.partitions)]
        try:
            self._admin.create_partitions(more)[outer].result(2 * ASK_S)
        except KafkaException as exc:
            raise self._error(f"cannot add partitions to topic {outer}", exc) from exc
        return f"topic {outer} grown from {count} to {self._options.partitions} partitions"

    # -- refusing --

    def _refuse_unsafe(self, existing: Mapping[Topic, Any]) -> None:
        if not existing:
            return
        resources = {
            topic: ConfigResource(ConfigResource.Type.TOPIC, self._names.outer(topic))
            for topic in existing
        }
        try:
            answers = self._admin.describe_configs(list(resources.values()))
            by_name = {found.name: answer.result(2 * ASK_S) for found, answer in answers.items()}
        except KafkaException as exc:
            raise self._error("cannot read the settings of the topics", exc) from exc
        for topic, found in existing.items():
            outer = self._names.outer(topic)
            held = {name: entry.value for name, entry in by_name[outer].items()}
            self._check(topic, found, held)

    def _check(self, topic: Topic, found: Any, held: Mapping[str, str]) -> None:
        outer = self._names.outer(topic)
        copies = min(len(partition.replicas) for partition in found.partitions.values())
        if copies < self._replication:
            raise UnsafeTopic(
                f"topic {outer} would lose records with a broker: it has {copies} copies, "
                f"{self._replication} are asked for; add copies with: "
                f"kafka-reassign-partitions.sh --bootstrap-server {self._options.servers}"
            )
        wrong = dict(self._wrong(topic, held, copies=copies))
        if wrong:
            why = "; ".join(
                f"{name} is {held.get(name)}: {why}" for name, (_, why) in wrong.items()
            )
            good = ",".join(f"{name}={value}" for name, (value, _) in wrong.items())
            raise UnsafeTopic(
                f"topic {outer} would lose records ({why}); mend it with: kafka-configs.sh "
                f"--bootstrap-server {self._options.servers} --alter --entity-type topics "
                f"--entity-name {outer} --add-config {good}"
            )

    def _wrong(
        self, topic: Topic, held: Mapping[str, str], *, copies: int
    ) -> Iterator[tuple[str, tuple[str, str]]]:
        """(setting, (what it must be, why it must not stay))."""
        asked = self._settings(topic)

        def wrong(name: str, why: str) -> tuple[str, tuple[str, str]]:
            return name, (asked[name], why)

        if held["message.timestamp.type"] != "LogAppendTime":
            yield wrong(
                "message.timestamp.type", "records would be deleted by the clock of producers"
            )
        if held["cleanup.policy"] != "delete":
            yield wrong("cleanup.policy", "records of the same key would be deleted unread")
        if 0 <= int(held["retention.ms"]) < self._retention_ms(topic):
            yield wrong(
                "retention.ms",
                f"shorter than {retention_name(topic)}="
                f"{self._options.retention_hours[topic]:g} of WEIR_FEED_URL",
            )
        if int(held["retention.bytes"]) >= 0:
            yield wrong("retention.bytes", "records would be deleted by size, read or not")
        if int(held["min.insync.replicas"]) < self._min_insync:
            yield wrong("min.insync.replicas", "too few copies would count as logged")
        if int(held["min.insync.replicas"]) > copies:
            yield wrong("min.insync.replicas", f"no record could be logged with {copies} copies")
        if int(held["max.message.bytes"]) < self._max_message_bytes():
            yield wrong("max.message.bytes", "admitted records would be refused")
        if held.get("unclean.leader.election.enable", "false") != "false":
            yield wrong(
                "unclean.leader.election.enable", "a broker that lacks records could take over"
            )

    def _error(self, doing: str, exc: KafkaException) -> FeedError:
        return unavailable(doing, exc, self._options, self._contact)


def _is_led(found: Any, *, at_least: int) -> bool:
    leaders = [partition.leader for partition in found.partitions.values()]
    return len(leaders) >= at_least and min(leaders) >= 0
