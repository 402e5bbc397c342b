"""deploy/: what can be checked without containers. Compose against its published schema, and every
name in it against the product."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from analyticsproject import drivers
from analyticsproject.env import KNOWN
from tests.architecture.test_house import OURS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OF_WEIR = sorted(name for name, service in SERVICES.items() if "build" in service)
ENGINES = sorted(SERVICES.keys() - set(OF_WEIR))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
A_VERSION = re.compile(r"[a-z/-]+:\d+\.\d+(\.\d+)?[a-z0-9.-]*")
SECRETS = {
    "weir_secret_key": "s" * 50,
    "database_url": "postgres://weir:p%40ss@postgresql:5432/weir",
    "postgres_password": "p@ss",
}


def check_schema(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_compose_keeps_to_its_published_schema() -> None:
    done = check_schema(DEPLOY / "compose.yml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_find_a_fault(tmp_path: Path) -> None:
    wrong = (DEPLOY / "compose.yml").read_text().replace("restart:", "restarts:", 1)
    (tmp_path / "compose.yml").write_text(wrong)

    assert check_schema(tmp_path / "compose.yml").returncode == 1


def test_the_parts_and_the_engines_are_there() -> None:
    assert [
        *("admin", "ensure-engines", "ingest", "migrate", "projector", "query", "replayer", "sink"),
    ] == OF_WEIR
    assert ENGINES == ["cassandra", "elasticsearch", "kafka", "postgresql"]


@pytest.mark.parametrize("name", OF_WEIR)
def test_a_services_command_exists_and_takes_its_arguments(name: str) -> None:
    command, *arguments = SERVICES[name]["command"]

    assert command in get_commands()
    app = get_commands()[command]
    parser = load_command_class(app if isinstance(app, str) else "", command).create_parser(
        "manage.py", command
    )
    parser.parse_args(arguments)


@pytest.mark.parametrize("name", OF_WEIR)
def test_a_services_environment_is_one_that_weir_starts_with(name: str, tmp_path: Path) -> None:
    service = SERVICES[name]
    given = dict(service["environment"])
    for setting, path in given.items():
        assert setting.removesuffix("_FILE") in KNOWN | {"DATABASE_URL"}
        if setting.endswith("_FILE"):
            secret = path.removeprefix("/run/secrets/")
            assert secret in service["secrets"]
            (tmp_path / secret).write_text(SECRETS[secret] + "\n")
            given[setting] = str(tmp_path / secret)
    outer = {key: os.environ[key] for key in os.environ if not key.startswith(("WEIR_", "DATABA"))}
    code = "from django.conf import settings as s; print(s.FEED['BACKEND'], s.DATABASES['default'])"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=outer
        | {"DJANGO_SETTINGS_MODULE": "analyticsproject.settings"}
        | given
        | {"WEIR_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "feed.adapters.kafka" in done.stdout
    assert "'HOST': 'postgresql'" in done.stdout


def test_hosts_and_ports_are_those_of_services() -> None:
    environment = SERVICES["ingest"]["environment"]
    hosts = [
        re.split(r"[:/?]", environment[name].partition("://")[2])[0]
        for name in ("WEIR_FEED_URL", "WEIR_WAREHOUSE_URL", "WEIR_TIMESERIES_URL")
    ]

    assert hosts == ["kafka", "cassandra", "elasticsearch"]
    assert sorted(SERVICES[name]["environment"]["WEIR_SERVE"] for name in hosts_of_web()) == [
        *("admin", "ingest", "query"),
    ]


def hosts_of_web() -> list[str]:
    return [name for name in OF_WEIR if SERVICES[name]["command"][0] == "serve"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_a_pinned_version_and_a_health_check_or_an_end(name: str) -> None:
    service = SERVICES[name]

    assert A_VERSION.fullmatch(service["image"]), service["image"]
    assert ("healthcheck" in service) != (service.get("restart") == "no")
    assert name in OF_WEIR or service["user"] != "root"
    for needed in service.get("depends_on", {}):
        is_job = SERVICES[needed].get("restart") == "no"
        wanted = "service_completed_successfully" if is_job else "service_healthy"
        assert service["depends_on"][needed]["condition"] == wanted


def test_no_secret_stands_in_the_file() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    assert COMPOSE["secrets"].keys() == SECRETS.keys()
    named = [
        key
        for service in SERVICES.values()
        for key in service["environment"]
        if re.search("PASSWORD|SECRET|DATABASE_URL", key)
    ]
    assert [key for key in named if not key.endswith("_FILE")] == []


def test_the_image_is_slim_pinned_not_root_and_has_every_part_and_driver() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    copied = re.findall(r"^COPY (\S+) \S+$", DOCKERFILE, re.MULTILINE)
    parts = [name for name in copied if not name.startswith("requirements")]

    assert all(A_VERSION.fullmatch(base) for base in bases)
    assert all("slim" in base for base in bases)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert {"manage.py", "static", "templates", *OURS} == set(parts)
    assert all((ROOT / name).exists() for name in parts)
    assert "--require-hashes" in DOCKERFILE
    extras = {driver.extra for driver in drivers.BY_SCHEME.values()}
    (installed,) = re.findall(r"for extra in ([a-z ]+);", DOCKERFILE)
    assert set(installed.split()) == extras | {"base"}


def test_what_the_image_copies_is_let_through_and_nothing_else() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    copied = set(re.findall(r"^COPY (\S+) \S+$", DOCKERFILE, re.MULTILINE))

    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
