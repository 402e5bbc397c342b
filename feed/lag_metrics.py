"""Lag as gauges, read from the feed when a scrape asks, so that nobody pays for it in between."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from feed import metrics
from feed.clock import Clock
from feed.errors import FeedError
from feed.lag import PartitionLag, partition_lags
from feed.ports import Feed

_LABELS = ("group", "topic", "partition")


class LagCollector(Collector):
    """Gauges of the (group, topic) pairs that it was told to watch."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._watched: tuple[Feed, Sequence[tuple[str, str]]] | None = None

    def watch(self, feed: Feed, pairs: Sequence[tuple[str, str]]) -> None:
        """From now on read these. `feed` stays open until `forget`."""
        self._watched = (feed, pairs)

    def forget(self) -> None:
        """Read nothing: the feed is about to be closed."""
        self._watched = None

    def collect(self) -> Iterator[Metric]:
        """The gauges; without samples while nothing is watched or the feed can't be reached."""
        lags = self._read()
        yield _gauge(metrics.LAG_RECORDS, lags, lambda lag: lag.lag)
        yield _gauge(metrics.LAG_SECONDS, lags, lambda lag: lag.lag_seconds)
        yield _gauge(metrics.COMMITTED_POSITION, lags, lambda lag: lag.committed or 0)

    def _read(self) -> list[PartitionLag]:
        if self._watched is None:
            return []
        feed, pairs = self._watched
        now_ms = self._clock.now_ms()
        try:
            return [
                lag
                for group, topic in pairs
                for lag in partition_lags(feed, group, topic, now_ms=now_ms)
            ]
        except FeedError:
            return []


def _gauge(
    named: tuple[str, str], lags: Sequence[PartitionLag], value: Callable[[PartitionLag], float]
) -> Metric:
    name, cause = named
    gauge = GaugeMetricFamily(name, cause, labels=_LABELS)
    for lag in lags:
        gauge.add_metric((lag.group, lag.topic, str(lag.partition)), value(lag))
    return gauge
