"""The collector's tuning, in a process of its own: it lasts as long as the process."""

import subprocess
import sys

from tests.stack import ROOT


def test_what_lives_is_frozen_and_cycles_are_still_collected() -> None:
    script = (
        "import gc, weakref\n"
        "from feed.garbage import YOUNGEST_OBJECTS, spare_long_lived_objects\n"
        "spare_long_lived_objects()\n"
        "class Node: pass\n"
        "node = Node(); node.self = node; seen = weakref.ref(node); del node\n"
        "kept = [[] for _ in range(2 * YOUNGEST_OBJECTS)]\n"
        "print(gc.get_freeze_count() > 0, gc.isenabled(), seen() is None)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["True", "True", "True"]
