"""A wrong password in an engine's URL: what a user sees of it is one sentence that says what to
mend, in every place, and never the password."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from operations.engines.cluster import Cluster

pytestmark = pytest.mark.e2e
WRONG = "wr0ng"
READYZ_NAME = {KAFKA: "feed", CASSANDRA: "warehouse", ELASTICSEARCH: "timeseries"}
WORKERS = {KAFKA: ("sink", "projector"), CASSANDRA: ("sink",), ELASTICSEARCH: ("projector",)}
SAID = {
    KAFKA: "refuses user 'weir' with this password (SCRAM-SHA-256): correct user and password in"
    " WEIR_FEED_URL",
    CASSANDRA: "refuses the user weir or the password: correct them in WEIR_WAREHOUSE_URL",
    ELASTICSEARCH: "refuses this user or the password (401)",
}


def url_of(engine: str, cluster: "Cluster") -> str:
    """The server's URL with a password that is wrong."""
    place = cluster.layout.places[0]
    if engine == KAFKA:
        return (
            f"kafka://weir:{WRONG}@{place.host}:{place.ports['unencrypted']}"
            "?security_protocol=SASL_PLAINTEXT&sasl_mechanism=SCRAM-SHA-256"
        )
    if engine == CASSANDRA:
        return f"cassandra://weir:{WRONG}@{place.host}:{place.ports['clients']}"
    return f"elasticsearch+https://weir:{WRONG}@{place.host}:{place.ports['clients']}?verify=off"


@pytest.mark.parametrize("engine", sorted(SETTINGS))
def test_a_wrong_password_is_said_wherever_somebody_looks(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    cluster: Cluster = request.getfixturevalue(f"secured_{engine}")
    stack = Stack(tmp_path, {SETTINGS[engine]: url_of(engine, cluster)})
    with ExitStack() as ending:
        ending.push(stack)  # ends what it started; it is not entered: nothing can be made
        stack.manage("migrate", "--verbosity", "0")
        stack.manage("check")

        with pytest.raises(RuntimeError) as raised:
            stack.manage("ensure_engines")
        errors = str(raised.value).splitlines()
        (sentence,) = [line for line in errors if line.startswith("CommandError")]
        assert f"the engine of {SETTINGS[engine]} cannot be used" in sentence
        assert SAID[engine] in sentence
        assert not [line for line in errors if "Traceback" in line or WRONG in line]

        for name in ("web", *WORKERS[engine]):
            stack.start(name)
        wait_until("readyz says so", lambda: SAID[engine] in detail(stack, engine))
        if engine == CASSANDRA:  # a sink asks its store for nothing before there is an event
            send_event(stack)
        for name in WORKERS[engine]:
            wait_until(f"{name} says so", lambda name=name: SAID[engine] in stack.log(name))  # type: ignore[misc]
        for name in ("web", *WORKERS[engine]):
            assert stack.is_running(name)
            assert stack.stop(name) == 0
            assert "Traceback" not in stack.log(name)
            assert WRONG not in stack.log(name)


def send_event(stack: Stack) -> None:
    credentials = stack.create_project("shop")
    answer = httpx.post(
        f"{stack.url}/v1/events", headers=credentials.headers, json={"event": "visit"}, timeout=60
    )
    assert answer.status_code == 200, answer.text


def detail(stack: Stack, engine: str) -> str:
    """What readyz says of the engine; nothing while all is well."""
    answer = httpx.get(f"{stack.url}/readyz", timeout=20)
    assert WRONG not in answer.text
    said: str = answer.json()["engines"][READYZ_NAME[engine]].get("detail", "")
    return said
