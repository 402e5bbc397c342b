"""Bad lines to the real engines: answers come late, connections break in the middle of whatever
they carry; the oracle says that nothing was lost or doubled (F6, F12). A gate is the line."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.under_load import Run, under_load
from tests.engine_fixtures import fresh_name, tools_or_skip
from tests.engine_names import (
    CASSANDRA,
    ELASTICSEARCH,
    KAFKA,
    SETTINGS,
    address_of,
    own_settings,
    url_of,
)
from tests.gate import Gate
from tests.stack import free_port

if TYPE_CHECKING:
    from tests.servers.running import RunningEngines

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
LATE_S: Mapping[str, tuple[float, float]] = {
    KAFKA: (0.2, 0.8),
    CASSANDRA: (2.5, 3.5),
    ELASTICSEARCH: (0.2, 0.8),
}
REACHES = {KAFKA: "logged", CASSANDRA: "stored", ELASTICSEARCH: "projected"}
LATE_WHEN_CUT_S = (0.1, 0.5)
"""A new connection to Cassandra needs two answers within 5 s."""
AT_ONCE = (0.0, 0.0)
SLOW_ROUNDS = 3
CUTS = 5


@contextmanager
def line_to(
    request: pytest.FixtureRequest, engine: str
) -> Iterator[tuple[Gate, Mapping[str, str]]]:
    """An open gate to an engine, and the settings of a stack that reaches it through there."""
    if engine == KAFKA:
        with line_to_kafka(request) as (gate, settings):
            yield gate, settings
        return
    server = address_of(request.getfixturevalue(f"{engine}_url"))
    with (
        Gate(server) as gate,
        own_settings(request, [engine], **{engine: gate.address}) as settings,
    ):
        gate.open()
        yield gate, settings


@contextmanager
def line_to_kafka(request: pytest.FixtureRequest) -> Iterator[tuple[Gate, Mapping[str, str]]]:
    """A broker of its own: it must tell its clients to come through the gate."""
    from tests.servers.strained import GatedKafka

    port = free_port()
    running: RunningEngines = request.getfixturevalue("real_engines")
    with tools_or_skip():
        broker = running.cluster(GatedKafka(gate_port=port))
    (place,) = broker.layout.places
    try:
        with Gate((place.host, place.ports["gated"]), port) as gate:
            gate.open()
            yield gate, {SETTINGS[KAFKA]: url_of(KAFKA, gate.address, fresh_name())}
    finally:
        running.end(broker)


def goes_on(run: Run, engine: str) -> None:
    """Load goes on, and new events get as far as the engine."""
    run.wait_for_progress()
    run.wait_for_an_event(REACHES[engine])


@pytest.mark.parametrize("engine", LATE_S)
def test_a_slow_line_that_breaks_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int, engine: str
) -> None:
    rng = random.Random(fault_seed)
    with (
        line_to(request, engine) as (gate, settings),
        under_load(tmp_path, fault_seed, settings, is_crowded=engine == KAFKA) as run,
    ):
        goes_on(run, engine)  # connected before the line gets slow
        gate.late_s = LATE_S[engine]
        for _ in range(SLOW_ROUNDS):
            goes_on(run, engine)
        gate.late_s = LATE_WHEN_CUT_S
        for _ in range(CUTS):
            time.sleep(rng.uniform(0.1, 3))
            gate.cut()
            goes_on(run, engine)
        gate.late_s = AT_ONCE
