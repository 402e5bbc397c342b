"""What `dev` installs, and what it says where it cannot."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from analyticsproject import drivers, extras
from analyticsproject.drivers import Driver, driver_of, missing_drivers
from analyticsproject.extras import NotInstalled, install_missing

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "requirements"
ABSENT = Driver("kafka", ("no_such_driver_anywhere",))
ASKED = {"WEIR_FEED_URL": "absent://u:s3cret@host"}


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs of scheme `absent:` need a driver that is not there."""
    monkeypatch.setattr(drivers, "BY_SCHEME", {"absent": ABSENT})


class Pip:
    """Keeps the commands, ends as told."""

    def __init__(self, code: int = 0, errors: str = "") -> None:
        self.commands: list[Sequence[str]] = []
        self._code, self._errors = code, errors

    def __call__(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self._code, "", self._errors)


@pytest.mark.parametrize(
    "url",
    ["", "embedded:", "sqlite:///x", "kafka://h", "cassandra://h", "elasticsearch+https://h"],
)
def test_nothing_is_missing_where_the_drivers_are_or_are_not_needed(url: str) -> None:
    assert missing_drivers(dict.fromkeys(drivers.URL_SETTINGS, url)) == {}


@pytest.mark.parametrize("scheme", sorted(drivers.BY_SCHEME))
def test_every_extra_has_a_lock_file_that_holds_its_driver(scheme: str) -> None:
    driver = driver_of(f"{scheme}://host")
    assert driver is not None
    lock = (REQUIREMENTS / f"{driver.extra}.txt").read_text()
    source = (REQUIREMENTS / f"{driver.extra}.in").read_text()

    assert "--hash=sha256:" in lock
    assert "docs/decisions/0020-drivers.md" in source


@pytest.mark.usefixtures("absent")
def test_a_missing_driver_is_installed_once_with_hashes_and_said() -> None:
    pip, said = Pip(), list[str]()

    install_missing(
        ASKED | {"WEIR_WAREHOUSE_URL": "absent://h"}, REQUIREMENTS, said.append, run=pip
    )

    (command,) = pip.commands
    assert list(command[-3:]) == ["--require-hashes", "-r", str(REQUIREMENTS / "kafka.txt")]
    assert said == [
        "installing the driver that WEIR_FEED_URL and WEIR_WAREHOUSE_URL asks for "
        "(requirements/kafka.txt)"
    ]


def test_nothing_is_run_or_said_where_nothing_is_missing() -> None:
    pip, said = Pip(), list[str]()

    install_missing({"WEIR_FEED_URL": "kafka://h"}, REQUIREMENTS, said.append, run=pip)

    assert (pip.commands, said) == ([], [])


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ("WARNING: Retrying\nERROR: No matching distribution found\n\n", "No matching distr"),
        ("/bin/python: No module named pip\n", "No module named pip"),
        ("", "pip did not say why"),
    ],
)
def test_without_a_network_it_is_one_sentence_with_the_command(errors: str, reason: str) -> None:
    with pytest.raises(NotInstalled, match=f"WEIR_FEED_URL .*{reason}") as failed:
        install_missing(ASKED, REQUIREMENTS, lambda said: None, run=Pip(1, errors))

    assert "pip install -r requirements/kafka.txt" in str(failed.value)
    assert "s3cret" not in str(failed.value)
    assert "\n" not in str(failed.value)


@pytest.mark.usefixtures("absent")
def test_a_pip_that_hangs_is_one_sentence_too() -> None:
    def hang(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        raise subprocess.TimeoutExpired("pip", extras.LIMIT_S)

    with pytest.raises(NotInstalled, match="could not be installed"):
        install_missing(ASKED, REQUIREMENTS, lambda said: None, run=hang)


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name in {blocked!r} else real(name, package))
sys.meta_path.insert(0, Blocker())
sys.argv = ["manage.py", *{arguments!r}]
import manage
manage.main()
"""


@pytest.mark.parametrize(
    ("name", "url", "blocked", "extra"),
    [
        ("WEIR_TIMESERIES_URL", "elasticsearch+http://h:1", "elasticsearch", "elasticsearch"),
        (
            "WEIR_TIMESERIES_URL",
            "elasticsearch+http://h:1",
            "django_elasticsearch_dsl",
            "elasticsearch",
        ),
        ("DATABASE_URL", "postgres://u:s3cret@h:1/db", "psycopg", "postgresql"),
    ],
)
def test_without_dev_a_missing_driver_says_which_extra_to_install(
    tmp_path: Path, name: str, url: str, blocked: str, extra: str
) -> None:
    outer = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(blocked={blocked}, arguments=["ensure_engines"])],
        cwd=ROOT,
        env=outer | {"WEIR_DATA_DIR": str(tmp_path), "WEIR_SECRET_KEY": "s" * 50, name: url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 1
    assert f"pip install -r requirements/{extra}.txt" in done.stderr
    assert "s3cret" not in done.stderr
    assert done.stderr.count("\n") == 1
