"""Every metric of Weir by name: what kind it is, its unit, and what makes it move.

Served where a worker is given `--metrics-port`, and by the web process with scope operate.
"""

from prometheus_client import Counter, Gauge, Histogram

RECORDS_HANDLED = Counter(
    "weir_records_handled",
    "Records handled and committed. Rises with every committed batch.",
    ("group", "topic"),
)
DEAD_LETTERS = Counter(
    "weir_dead_letters",
    "Records refused for good and acknowledged by topic dead-letters. Rises with poison records.",
    ("group", "code"),
)
BATCH_SECONDS = Histogram(
    "weir_batch_seconds",
    "Seconds from decoding a batch to its commit. Grows with batch size and a slow store.",
    ("group",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_RECORDS = Histogram(
    "weir_batch_records",
    "Records in a committed batch. Near the maximum when the group is behind.",
    ("group",),
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 5000),
)
BACKPRESSURE = Counter(
    "weir_backpressure",
    "Batches put back because the store or the feed said: not now.",
    ("group",),
)
WAITING = Gauge(
    "weir_waiting",
    "1 while a group waits for its store or the feed, else 0.",
    ("group",),
)
FENCED = Counter(
    "weir_fenced",
    "Commits refused because another member owns the partition. Rises with rebalances.",
    ("group",),
)
ASSIGNED_PARTITIONS = Gauge(
    "weir_assigned_partitions",
    "Partitions that this process reads. Changes with rebalances.",
    ("group",),
)
LOOP_FAILURES = Counter(
    "weir_loop_failures",
    "Rounds of the consume loop that an unexpected error ended.",
    ("worker",),
)
REPLAY_EMITTED = Counter(
    "weir_replay_emitted",
    "Events that a replayer put into topic history, acknowledged. Rises while a replay runs.",
)
REPLAY_RECORDS_DROPPED = Counter(
    "weir_replay_records_dropped",
    "Records of a cancelled replay, or of a replayer that another took over from, left out.",
    ("group",),
)
ANNOUNCEMENTS_DROPPED = Counter(
    "weir_announcements_dropped",
    "Announcements that topic changes did not take: live views wake later, nothing is lost.",
    ("group",),
)

LAG_RECORDS = (
    "weir_consumer_lag_records",
    "Records between the log's end and the committed position. Read at scrape time.",
)
LAG_SECONDS = (
    "weir_consumer_lag_seconds",
    "Seconds that the oldest unhandled record has waited. Read at scrape time.",
)
COMMITTED_POSITION = (
    "weir_consumer_committed_position",
    "The next offset that the group has not handled. Read at scrape time.",
)
"""Gauges by group, topic and partition: names and causes; feed/lag_metrics.py fills them."""
