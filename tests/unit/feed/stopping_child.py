"""A process under StopSignals: says `ready`, then echoes lines of standard input until it ends.
Run by test_stop_signals.py: `python stopping_child.py DEADLINE_S`."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from feed.stop_signals import StopSignals

logging.basicConfig(level=logging.INFO, format="%(message)s")
with StopSignals(drain_deadline_s=float(sys.argv[1])) as signals:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
sys.exit(0 if signals.requested.is_set() else 9)
