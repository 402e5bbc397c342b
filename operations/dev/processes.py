"""Keeps the parts of `dev` running: starts them, restarts what crashed with a growing pause, stops
them all within seconds."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from feed.backoff import Backoff

STOP_LIMIT_S = 9.0  # all parts together; after that they are killed, so that Ctrl-C takes < 10 s
STEADY_S = 60.0  # a part that ran this long has recovered: the next pause is the first one again
FIRST_PAUSE_S = 1.0
PAUSE_CAP_S = 30.0

Say = Callable[[str], None]


@dataclass
class Part:
    """One child process. `may_end`: ending with 0 is its end, not a crash."""

    name: str
    command: Sequence[str]
    may_end: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    start_again_at_s: float | None = None
    pauses: Backoff = field(
        default_factory=lambda: Backoff(first_s=FIRST_PAUSE_S, cap_s=PAUSE_CAP_S)
    )

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process in a session of its own: Ctrl-C reaches `dev` alone, which stops its
        parts in order."""
        self.start_again_at_s = None
        self.started_at_s = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and command names
            [sys.executable, "-m", "operations.dev.child", *self.command],
            stdin=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )

    def forget(self) -> None:
        """Let go of a process that has ended."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None


class Parts:
    """All of them. Used from one thread."""

    def __init__(self, environment: Mapping[str, str], say: Say) -> None:
        self._parts: list[Part] = []
        self._environment = environment
        self._say = say

    def start(self, *parts: Part) -> None:
        """Start more parts."""
        for part in parts:
            self._parts.append(part)
            part.start(self._environment)

    def tend(self) -> None:
        """Look after every part once: say which ended, start again those whose pause is over."""
        for part in self._parts:
            if part.start_again_at_s is not None:
                if time.monotonic() >= part.start_again_at_s:
                    part.start(self._environment)
            elif part.process is not None and not part.is_running():
                self._ended(part, part.process.returncode)

    def _ended(self, part: Part, code: int) -> None:
        part.forget()
        if part.may_end and code == 0:
            return
        if time.monotonic() - part.started_at_s >= STEADY_S:
            part.pauses.reset()
        pause_s = part.pauses.next_s()
        part.start_again_at_s = time.monotonic() + pause_s
        self._say(f"{part.name} ended with {_in_words(code)}: it starts again in {pause_s:.1f} s")

    def stop(self) -> None:
        """SIGTERM to all at once; those that have not ended in time are killed, and named."""
        running = [(part, part.process) for part in self._parts if part.process is not None]
        for _, process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for part, process in running:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{part.name} did not stop within {STOP_LIMIT_S:g} s: killed")
                process.kill()
                process.wait()
            part.forget()


def _in_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"
