"""A replay as lines: a bar that moves on a terminal, one JSON document a line elsewhere."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from replay.domain import FINAL, State, Throttle, Worker, throttle_words
from replay.reports import Report
from replay.serializers import replay_as_json

BAR_CHARS = 30
LOOK_S = 1.0
AT_REST = FINAL | {State.PAUSED, State.FAILED, State.READY, State.DRAFT}
"""Nothing moves by itself here: whoever watches is done."""


def watch(
    look: Callable[[], Report], out: TextIO, *, sleep: Callable[[float], object] = time.sleep
) -> Report:
    """Show the replay until it is at rest, and return it as it is then."""
    last = ""
    while True:
        found = look()
        is_at_rest = State(found.row.state) in AT_REST
        line = bar(found) if out.isatty() else json.dumps(replay_as_json(found))
        if out.isatty():
            out.write(f"\r{line:<{len(last)}}")
            if is_at_rest:
                out.write("\n")
        elif line != last:
            out.write(f"{line}\n")
        out.flush()
        if is_at_rest:
            return found
        last = line
        sleep(LOOK_S)


def bar(found: Report) -> str:
    """`running  [#####-----]  emitted 500  projected 400 of 1000  2000/s  until 12:30:10 UTC`"""
    row = found.row
    parts = [row.state.replace("_", " ")]
    if row.estimated:
        share = min(1.0, row.projected / row.estimated)
        filled = round(share * BAR_CHARS)
        parts.append(f"[{'#' * filled}{'-' * (BAR_CHARS - filled)}]")
    whole = "" if row.estimated is None else f" of {row.estimated}"
    parts.append(f"emitted {row.emitted}, projected {row.projected}{whole}")
    if row.eps:
        parts.append(f"{row.eps:.0f}/s")
    if found.eta_ms is not None:
        parts.append(f"until {datetime.fromtimestamp(found.eta_ms / 1000, UTC):%H:%M:%S} UTC")
    if found.worker is Worker.LOST:
        parts.append("stalled, will resume: no replayer works on it")
    elif found.is_waiting:
        parts.append("waits for a replayer: none works on it")
    if row.throttled_by and found.worker is not Worker.LOST:
        parts.append(throttle_words(Throttle(row.throttled_by), State(row.state)))
    if row.error_detail:
        parts.append(row.error_detail)
    return "  ".join(parts)
