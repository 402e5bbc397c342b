"""A benchmark's figure: printed as one JSON line, beside the raw loop of the same run."""

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """`limit` is the raw loop's figure in the same run, or the bound that holds; `ratio` = value /
    limit."""

    bench: str
    value: float
    unit: str
    limit: float
    engines: str = "embedded"

    def print(self) -> None:
        """One line on standard output."""
        line = {
            "bench": self.bench,
            "engines": self.engines,
            "value": round(self.value, 1),
            "unit": self.unit,
            "limit": round(self.limit, 1),
            "ratio": round(self.value / self.limit, 3) if self.limit else None,
        }
        print(json.dumps(line), flush=True)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def describe_machine() -> None:
    """What the figures were taken on, on standard error."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    say(f"commit {commit or '?'}, Python {platform.python_version()}, {model}")


def resident_mb(pid: int) -> float:
    """Peak resident memory of a process so far, in MB; 0 when it has just ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
