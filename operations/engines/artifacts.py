"""Fetches the servers, once, by Maven: pinned versions, checksums checked, kept in a cache.

A folder of the cache is there whole or not at all: it is made under another name and renamed.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from operations.engines.errors import EnginesError
from operations.engines.jdks import JDK_17, Jdk, JdkNeed, find_jdk
from operations.engines.maven import run_maven
from operations.engines.places import Account, Say, is_open, locked, make_folder

POMS = Path(__file__).parent / "poms"


@dataclass(frozen=True)
class Jars:
    """A server as the dependencies of a pom: its folder in the cache holds them all. Maven checks
    each against the checksum of the repository."""

    name: str
    pom: str

    def fetch(self, folder: Path, environment: Mapping[str, str], java: Path, say: Say) -> None:
        """Fill the folder. Raises EnginesError."""
        goal = ["copy-dependencies", f"-DoutputDirectory={folder}"]
        run_maven(["-C", "-f", str(POMS / self.pom)], goal, self.name, environment, java, say)


@dataclass(frozen=True)
class Zip:
    """A server as one zip; its folder in the cache holds what is inside. The repository offers no
    checksum, so that Maven cannot check one: the pinned one decides."""

    name: str
    coordinates: str
    sha256: str

    def fetch(self, folder: Path, environment: Mapping[str, str], java: Path, say: Say) -> None:
        """Fill the folder. Raises EnginesError."""
        download = folder / "download"
        goal = ["copy", f"-Dartifact={self.coordinates}", f"-DoutputDirectory={download}"]
        run_maven(["-c"], goal, self.name, environment, java, say)
        (path,) = download.iterdir()
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise EnginesError(
                f"{self.name} was fetched with SHA-256 {found} instead of {self.sha256}: delete "
                f"{self.coordinates} from Maven's local repository and run the command again"
            )
        _unzip(path, folder)
        shutil.rmtree(download)


Artifact = Jars | Zip
KAFKA = Jars("kafka-4.2.0", "kafka.xml")
CASSANDRA = Jars("cassandra-5.0.5", "cassandra.xml")
ELASTICSEARCH = Zip(
    "elasticsearch-9.2.4",
    "org.elasticsearch.distribution.integ-test-zip:elasticsearch:9.2.4:zip",
    "af7b81fe31627c7523b2546351cd4e47310faa6a72c8db8dc8f7a191e871cfaf",
)


@dataclass(frozen=True)
class Supplies:
    """Servers and JDKs, from this machine or from afar, where the engines' user gets to them."""

    cache: Path
    environment: Mapping[str, str]
    account: Account | None
    say: Say

    def server(self, artifact: Artifact) -> Path:
        """The folder of a server, fetched when the cache has none. Raises EnginesError."""
        ready = self.cache / artifact.name
        if ready.is_dir():
            return ready
        make_folder(self.cache)
        waiting = "another command fetches servers: waiting for it"
        with locked(self.cache / "fetching.lock", waiting, self.say):
            if not ready.is_dir():
                java = find_jdk(JDK_17, self.environment).home
                with _part(ready) as part:
                    artifact.fetch(Path(part), self.environment, java, self.say)
                    _publish(Path(part), ready)
        return ready

    def jdk(self, need: JdkNeed) -> Jdk:
        """A JDK, copied into the cache when the engines' user does not get to it where it lies.
        Raises MissingTool, EnginesError."""
        jdk = find_jdk(need, self.environment)
        if self.account is None or is_open(jdk.home.resolve()):
            return jdk
        key = hashlib.sha256(str(jdk.home.resolve()).encode()).hexdigest()[:8]
        copy = make_folder(self.cache) / f"jdk-{jdk.major}-{key}"
        with locked(self.cache / "fetching.lock", "waiting for another command", self.say):
            if not copy.is_dir():
                self.say(f"copying the JDK {jdk.major} of {jdk.home} to where the engines reach it")
                with _part(copy) as part:
                    shutil.copytree(jdk.home, part, dirs_exist_ok=True)
                    _publish(Path(part), copy)
        return Jdk(copy, jdk.major, jdk.modules)

    def hand_over(self, path: Path) -> None:
        """Give a file or folder to the engines' user."""
        if self.account is not None:
            os.chown(path, self.account.user, self.account.group)


def _part(ready: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder beside the ready one, for what is under way; those of killed runs go."""
    for left in ready.parent.glob(f"{ready.name}.part-*"):
        shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(
        prefix=f"{ready.name}.part-", dir=ready.parent, ignore_cleanup_errors=True
    )


def _publish(part: Path, ready: Path) -> None:
    for path in (part, *part.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
    os.sync()  # the name must not outlive a power cut that its content did not
    part.rename(ready)


def _unzip(path: Path, folder: Path) -> None:
    """What lies in the zip's only folder, with the rights to run that Python's own unzip drops."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if mode and not member.is_dir():
                (folder / member.filename).chmod(mode & 0o777)
    (top,) = (entry for entry in folder.iterdir() if entry.is_dir() and entry != path.parent)
    for entry in list(top.iterdir()):
        entry.rename(folder / entry.name)
    top.rmdir()
