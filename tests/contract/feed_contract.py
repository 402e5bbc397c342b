"""What every adapter of the Feed port must do. An adapter's test subclasses FeedContract and
overrides the four fixtures; nothing here knows an engine or its timings."""

from collections.abc import Iterator

import pytest

from tests.contract.feed_consume_contract import ConsumeContract
from tests.contract.feed_driver import DeleteBefore, OpenFeed, close_members
from tests.contract.feed_group_contract import GroupContract
from tests.contract.feed_look_contract import LookContract
from tests.contract.feed_publish_contract import PublishContract


class FeedContract(PublishContract, ConsumeContract, GroupContract, LookContract):
    """Every sentence of the port, as tests."""

    @pytest.fixture(autouse=True)
    def members_are_closed(self, open_feed: OpenFeed) -> Iterator[None]:
        """Whatever a test left open."""
        yield
        close_members()

    @pytest.fixture
    def open_feed(self) -> OpenFeed:
        """Opens one more handle on the same log, whose topics exist; closes it at the test's end.

        The log takes records of up to 1 MiB, and a member that does not poll for a few seconds
        loses its partitions.
        """
        raise NotImplementedError

    @pytest.fixture
    def topic(self) -> str:
        """A topic with four partitions that holds nothing and that no other test uses."""
        raise NotImplementedError

    @pytest.fixture
    def other_topic(self) -> str:
        """Another such topic."""
        raise NotImplementedError

    @pytest.fixture
    def delete_before(self) -> DeleteBefore:
        """Deletes the records of one partition before an offset, as retention would."""
        raise NotImplementedError
