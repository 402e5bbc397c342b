"""Runs Maven, shows that it works, and puts what it complains about into one sentence."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from operations.engines.child import Orders
from operations.engines.errors import EnginesError, MissingTool
from operations.engines.places import Say

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_TELL_EVERY_S = 5.0
_ROOT = Path(__file__).parents[2]


def run_maven(
    options: Sequence[str],
    goal: Sequence[str],
    name: str,
    environment: Mapping[str, str],
    java: Path,
    say: Say,
) -> None:
    """Run a goal of the dependency plugin. Maven dies with this process. Raises MissingTool,
    EnginesError."""
    maven = shutil.which("mvn", path=environment.get("PATH"))
    if maven is None:
        raise MissingTool(
            f"{name} is fetched by Maven and there is no mvn here: install it (on Debian as root: "
            "apt-get install maven)"
        )
    say(f"fetching {name}, once")
    plugin, *arguments = goal
    orders = Orders(
        commands=[[maven, "--batch-mode", *options, f"{PLUGIN}:{plugin}", *arguments]],
        folder=os.getcwd(),
        environment={**environment, "JAVA_HOME": str(java)},
    )
    with (
        subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "operations.engines.child", orders.text()],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
        _Progress(name, say) as progress,
    ):
        for line in process.stdout or ():
            progress.read(line)
        code = process.wait()
    if code:
        why = progress.complaint or f"mvn ended with status {code}"
        raise EnginesError(
            f"Maven could not fetch {name} ({why}): look at the network, or at the mirrors in "
            "~/.m2/settings.xml, and run the command again"
        )


class _Progress:
    """Says now and then how far Maven is, whether or not it prints anything."""

    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say
        self._file_count, self.complaint = 0, ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="fetching", daemon=True)

    def __enter__(self) -> "_Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def read(self, line: str) -> None:
        """Take in a line of Maven's output."""
        self._file_count += "Downloaded from" in line
        if "[ERROR]" in line and not self.complaint:
            self.complaint = line.partition("[ERROR]")[2].strip()

    def _tell(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(_TELL_EVERY_S):
            spent_s = time.monotonic() - began
            self._say(f"fetching {self._name}: {self._file_count} files after {spent_s:.0f} s")
