"""Topic and group names as Kafka knows them: with the prefix of the URL."""

from feed.ports import TopicPartition


class Names:
    """Puts the prefix before a name and takes it off again."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}." if prefix else ""

    def outer(self, name: str) -> str:
        """The name in Kafka of a topic or group."""
        return self._prefix + name

    def inner(self, name: str) -> str:
        """The topic's name in Weir."""
        return name[len(self._prefix) :]

    def place(self, outer: str, partition: int) -> TopicPartition:
        """A partition as the port names it."""
        return TopicPartition(self.inner(outer), partition)
