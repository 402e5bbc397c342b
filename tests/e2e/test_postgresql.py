"""PostgreSQL as Django's database: the suites that touch it, processes side by side, a restart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.postgresql_server import PostgresqlServer
from tests.stack import ROOT, Credentials, Stack, wait_until
from tests.unit.timeseries.generation_mover import check_movers
from tests.unit.timeseries.slot_giver import NAMES

pytestmark = pytest.mark.e2e
SUITES = (
    "tests/unit/access/test_services.py",
    "tests/unit/access/test_commands.py",
    "tests/unit/operations/test_dead_letters.py",
    "tests/unit/operations/test_dead_letters_admin.py",
    "tests/unit/operations/test_dead_letters_keeper.py",
    "tests/unit/operations/test_dev_first_run.py",
    "tests/unit/operations/test_pipeline.py",
    "tests/unit/replay/test_generations.py",
    "tests/unit/replay/test_rebuild.py",
    "tests/unit/timeseries/test_generations.py",
    "tests/unit/timeseries/test_lifecycle.py",
    "tests/unit/timeseries/test_pins.py",
    "tests/unit/timeseries/test_run_projector.py",
    "tests/unit/timeseries/test_slots.py",
    "tests/api/test_export_import.py",
)
LIMIT_S = 600.0


@pytest.fixture
def stack(tmp_path: Path, postgresql: PostgresqlServer) -> Iterator[Stack]:
    """Migrated, nothing running."""
    with Stack(tmp_path, settings={"DATABASE_URL": postgresql.create_database()}) as made:
        yield made


def test_the_suites_that_touch_the_database_pass_on_it(postgresql: PostgresqlServer) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST_", "DJANGO_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES],
        cwd=ROOT,
        env=environment | {"TEST_DATABASE_URL": postgresql.create_database()},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:]


def test_projectors_side_by_side_give_each_name_one_slot(stack: Stack) -> None:
    module = "tests.unit.timeseries.slot_giver"
    givers = [
        subprocess.Popen(
            [sys.executable, "-m", module, "shop", str(offset)],
            cwd=ROOT,
            env=stack.environment(DJANGO_SETTINGS_MODULE="analyticsproject.settings"),
            stdout=subprocess.PIPE,
        )
        for offset in range(3)
    ]
    found = [json.loads(giver.communicate(timeout=LIMIT_S)[0]) for giver in givers]

    complete = max(found, key=len)
    assert [giver.returncode for giver in givers] == [0, 0, 0]
    assert sorted(complete) == sorted(NAMES)
    assert sorted(complete.values()) == list(range(len(NAMES)))


def test_processes_that_move_generations_side_by_side_keep_them_in_order(stack: Stack) -> None:
    check_movers(stack.environment(DJANGO_SETTINGS_MODULE="analyticsproject.settings"))


def test_the_pipeline_goes_on_by_itself_after_a_restart_of_the_database(
    stack: Stack, postgresql: PostgresqlServer
) -> None:
    credentials = stack.create_project("shop")
    stack.start_all()
    assert send(stack, credentials, {"event": "before", "properties": {"a": 1}}) == "projected"
    assert count_letters(stack, postgresql) == 0

    postgresql.stop()
    wait_until("readyz names the database", lambda: "database" in unwell(stack))
    # Keys are known by heart, the feed does not need the database: nothing is turned away.
    assert send(stack, credentials, {"event": "during", "properties": {"b": 2}}, "logged")
    refused = {"event": ""}
    assert post(stack, credentials, refused, "logged").status_code == 400
    wait_until("queries say so", lambda: ask(stack, credentials, "count").status_code == 503)
    assert "Retry-After" in ask(stack, credentials, "count").headers
    postgresql.start()

    wait_until("readyz is well again", lambda: unwell(stack) == {})
    assert send(stack, credentials, {"event": "after", "properties": {"c": 3}}) == "projected"
    wait_until("the dead letter is kept", lambda: count_letters(stack, postgresql) == 1)
    assert {name: stack.is_running(name) for name in stack.processes} == {
        "web": True,
        "sink": True,
        "projector": True,
    }
    assert total(stack, credentials, "count") == 3
    assert total(stack, credentials, "sum", "properties.b") == 2
    fresh = stack.create_project("another")
    wait_until("a new key is known", lambda: is_known(stack, fresh))
    assert httpx.get(f"{stack.url}/admin/login/").status_code == 200
    for name in ("sink", "projector", "web"):
        assert "Traceback" not in stack.log(name)


@pytest.mark.parametrize(
    ("part", "other", "sentence"),
    [
        ("postgres:", "nobody:", "password authentication failed"),
        ("127.0.0.1:", "127.0.0.1:1", "does not answer"),
    ],
)
def test_a_database_that_refuses_is_one_sentence(
    tmp_path: Path, postgresql: PostgresqlServer, part: str, other: str, sentence: str
) -> None:
    url = postgresql.url("postgres")
    if part == "127.0.0.1:":
        part, other = f"127.0.0.1:{postgresql.port}", "127.0.0.1:1"
    url = url.replace(f"//{part}", f"//{other}").replace(f"@{part}", f"@{other}")
    stack = Stack(tmp_path, settings={"DATABASE_URL": url})

    with pytest.raises(RuntimeError, match=sentence) as failed:
        stack.manage("migrate")

    said = str(failed.value)
    assert "Traceback" not in said
    assert postgresql.password not in said
    assert "p%40" not in said


def post(stack: Stack, credentials: Credentials, event: object, ack: str) -> httpx.Response:
    return httpx.post(
        f"{stack.url}/v1/events?ack={ack}&wait=20",
        headers=credentials.headers,
        json=event,
        timeout=60,
    )


def send(stack: Stack, credentials: Credentials, event: object, ack: str = "projected") -> str:
    answer = post(stack, credentials, event, ack)
    assert answer.status_code == 200, answer.text
    reached: str = answer.json()["ack"]
    return reached


def ask(
    stack: Stack, credentials: Credentials, agg: str, field: str | None = None
) -> httpx.Response:
    metric = {"name": "m", "agg": agg} | ({"field": field} if field else {})
    return httpx.post(
        f"{stack.url}/v1/query/total",
        headers=credentials.headers,
        json={"range": "24h", "metrics": [metric]},
        timeout=60,
    )


def total(stack: Stack, credentials: Credentials, agg: str, field: str | None = None) -> float:
    answer = ask(stack, credentials, agg, field)
    figure: float = answer.json()["series"][0]["total"][0]
    return figure


def is_known(stack: Stack, credentials: Credentials) -> bool:
    answer = httpx.get(f"{stack.url}/v1/whoami", headers=credentials.headers, timeout=20)
    return answer.status_code == 200


def unwell(stack: Stack) -> dict[str, str]:
    """Engines that readyz finds unwell, and why."""
    engines = httpx.get(f"{stack.url}/readyz", timeout=20).json()["engines"]
    return {name: said["detail"] for name, said in engines.items() if said["status"] != "ok"}


def count_letters(stack: Stack, postgresql: PostgresqlServer) -> int:
    name = stack.settings["DATABASE_URL"].rpartition("/")[2]
    try:
        with postgresql.connect(name) as connection:
            found = connection.execute("SELECT count(*) FROM operations_deadletterrow").fetchone()
    except psycopg.OperationalError:
        return -1
    assert found is not None
    return int(str(found[0]))
