"""Named places where a fault test can kill the process: what no test reaches by luck it reaches by
name.

Unarmed (always, in production) `reach` does nothing. WEIR_CRASH_POINT=name or name:N arms one: this
process is killed with SIGKILL the N-th time it gets there (the first, by default).
"""

import os
import signal

_armed_name: str | None = None
_passes_left = 0


def arm(spec: str) -> None:
    """Arm one point; an empty spec disarms. Raises ValueError when N is not a positive number."""
    global _armed_name, _passes_left
    name, _, nth = spec.partition(":")
    _armed_name, _passes_left = name or None, int(nth or "1")
    if _passes_left < 1:
        raise ValueError(f"WEIR_CRASH_POINT is {spec!r}: N counts from 1")


def reach(name: str) -> None:
    """Here is the crash point `name`."""
    global _passes_left
    if name != _armed_name:
        return
    _passes_left -= 1
    if _passes_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
