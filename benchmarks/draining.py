"""A feed is filled, and the product's own commands drain it: how long, and with how much memory."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from benchmarks.figures import ROOT, resident_mb
from feed.adapters import embedded, kafka
from feed.ports import Feed, OutgoingRecord
from feed.topics import Topic
from tests.stack import Stack

BATCH = 2_000


def open_feed(url: str, data_dir: Path) -> Feed:
    """The feed of this URL, without settings."""
    opener = kafka.open_feed if url.startswith("kafka:") else embedded.open_feed
    return opener(url, dict(parse_qsl(urlsplit(url).query)), data_dir)


def fill_feed(stack: Stack, records: Sequence[OutgoingRecord]) -> None:
    """Publish to the stack's feed and wait until all is logged."""
    feed = open_feed(stack.settings.get("WEIR_FEED_URL", "embedded:"), stack.data_dir)
    try:
        for start in range(0, len(records), BATCH):
            ticket = feed.publish(Topic.EVENTS, records[start : start + BATCH])
            if not ticket.wait(timeout_s=60):
                raise RuntimeError("the feed did not take the records within 60 s")
    finally:
        feed.close()


def drain(stack: Stack, command: str, processes: int = 1) -> tuple[float, float]:
    """Seconds of so many `--once` runs side by side, and the peak MB of one. The peak is read while
    they run: what `wait4` tells would include this process's own memory, which the child had before
    it became another."""
    started = time.monotonic()
    running = [
        subprocess.Popen(
            [sys.executable, "manage.py", command, "--once"],
            cwd=ROOT,
            env=stack.environment(),
            stderr=subprocess.DEVNULL,
        )
        for _ in range(processes)
    ]
    try:
        peak_mb = _peak_mb(running)
    finally:
        for process in running:
            process.kill()  # nobody else ends it when this run is interrupted
            process.wait()
    if any(each.returncode for each in running):
        raise RuntimeError(f"{command} ended with {[each.returncode for each in running]}")
    return time.monotonic() - started, peak_mb


def _peak_mb(running: Sequence["subprocess.Popen[bytes]"]) -> float:
    """The greatest peak of any, when all have ended."""
    peak_mb = 0.0
    while living := [each for each in running if each.poll() is None]:
        peak_mb = max(peak_mb, *(resident_mb(each.pid) for each in living))
        time.sleep(0.02)
    return peak_mb
