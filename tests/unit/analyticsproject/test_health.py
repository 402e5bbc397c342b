"""Readiness: what is asked, how long for, and what it means for which part."""

import threading

import pytest

from analyticsproject.health import Finding, Prober, readiness

WELL = Finding(None, 1)
ILL = Finding("gone", 1)


@pytest.mark.parametrize(
    ("served", "failed", "expected"),
    [
        (("ingest",), "feed", (503, "unavailable")),
        (("ingest",), "timeseries", (200, "degraded")),
        (("ingest",), "database", (200, "degraded")),
        (("query",), "timeseries", (503, "unavailable")),
        (("query",), "feed", (200, "degraded")),
        (("admin",), "database", (503, "unavailable")),
        (("admin",), "feed", (200, "degraded")),
        (("ingest", "query", "admin"), "warehouse", (200, "degraded")),
        (("ingest", "query", "admin"), "nothing", (200, "ready")),
    ],
)
def test_only_an_engine_that_this_process_needs_makes_it_unready(
    served: tuple[str, ...], failed: str, expected: tuple[int, str]
) -> None:
    engines = ("feed", "warehouse", "timeseries", "database")
    findings = {name: ILL if name == failed else WELL for name in engines}

    assert readiness(findings, served) == expected


async def test_an_engine_that_fails_is_said_with_its_reason() -> None:
    def fail() -> None:
        raise ConnectionError("the log is down")

    findings = await Prober({"feed": fail, "database": lambda: None}).probe()

    assert findings["feed"].failure == "the log is down"
    assert findings["database"].failure is None


async def test_a_hanging_engine_costs_one_thread_however_often_it_is_asked() -> None:
    released = threading.Event()
    calls: list[int] = []

    def hang() -> None:
        calls.append(1)
        released.wait(30)

    prober = Prober({"feed": hang, "database": lambda: None}, limit_s=0.05)
    try:
        for _ in range(3):
            prober._found = None  # as if the last answer had grown old
            findings = await prober.probe()
            assert findings["feed"].failure == "no answer within 0.05 s"
            assert findings["database"].failure is None
    finally:
        released.set()

    assert len(calls) == 1


async def test_engines_are_asked_once_a_second_at_most() -> None:
    calls: list[int] = []
    prober = Prober({"feed": lambda: calls.append(1)})

    await prober.probe()
    await prober.probe()

    assert len(calls) == 1
