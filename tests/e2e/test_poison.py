"""Records that can never be handled, put into the feed by hand under load: they become dead
letters, their neighbours are stored, and too many of them stop the line (F22, F23)."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from feed.codec import decode, encode
from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter
from feed.event import Event
from feed.refusals import MAX_A_MINUTE
from feed.topics import Group
from tests.builders import make_event
from tests.e2e.under_load import Run, assert_nothing_lost_or_doubled, under_load
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, own_settings
from tests.look import letters_of, publish_by_hand, wait_for_members
from tests.oracle import FIRST_MS, Journal
from tests.stack import Stack, wait_until

pytestmark = pytest.mark.e2e
EMBEDDED: Sequence[str] = ()
REAL = (KAFKA, CASSANDRA, ELASTICSEARCH)
ENGINES = [
    pytest.param(EMBEDDED, id="embedded"),
    pytest.param(REAL, id="real", marks=pytest.mark.faults),
]
READERS = {"sink": Group.SINK, "projector": Group.PROJECTOR}
UNKNOWN_SCHEMA = b"\xc3\x01" + b"\x5a" * 8 + b"a datum"
GARBAGE = b"no event at all"
UNREADABLE, NOT_PROJECTABLE = "undecodable_record", "invalid_properties"
FLOOD, POISON_ONE_IN = 12_000, 10


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int) -> Iterator[Run]:
    """A stack under load on the engines that the test names."""
    with (
        own_settings(request, request.param) as settings,
        under_load(tmp_path, fault_seed, settings) as running,
    ):
        yield running


def by_hand(run: Run, properties: Mapping[str, str]) -> list[Event]:
    """Events of the run's project with these properties, by id; the journal knows them."""
    events = [
        make_event(
            project=run.credentials.project,
            id=id,
            event="visit",
            occurred_at_ms=FIRST_MS + 1,
            properties=text,
        )
        for id, text in properties.items()
    ]
    run.journal.sent |= {bytes(event.key): event.event for event in events}
    return events


def publish(run: Run, events: Iterable[Event]) -> None:
    """Into the feed, which from then on owes them to every store."""
    events = list(events)
    publish_by_hand(run.stack, [encode(event) for event in events])
    run.journal.answers |= {bytes(event.key): "ok" for event in events}


def wait_for_letters(run: Run, count: int) -> list[DeadLetter]:
    """The dead letters of the readers, once there are so many different ones."""
    found: dict[str, DeadLetter] = {}

    def are_there() -> bool:
        found.update(
            {each.id: each for each in letters_of(run.stack) if each.stage in READERS.values()}
        )
        return len(found) >= count

    wait_until(f"{count} dead letters", are_there, limit_s=180)
    return list(found.values())


@pytest.mark.parametrize("run", ENGINES, indirect=True)
def test_poison_becomes_dead_letters_and_its_neighbours_are_stored(
    run: Run, fault_seed: int
) -> None:
    good = by_hand(
        run,
        {
            "nul": r'{"amount": "a\u0000b", "\u0000": 1}',
            "text": '{"amount": "text"}',
            "nested": '{"amount": {"of": {"it": [1, "a", null, true]}}}',
            "big": '{"amount": "' + "x" * 900_000 + '"}',
        },
    )
    bad = by_hand(run, {"array": "[1]", "surrogate": r'{"amount": "\ud800"}', "torn": '{"amount"'})
    unreadable = [
        GARBAGE,
        encode(good[0])[:-3],
        random.Random(fault_seed).randbytes(1_000_000),
        b"",
    ]

    publish_by_hand(run.stack, unreadable)
    publish(run, [*good, *bad])

    letters = wait_for_letters(run, 2 * len(unreadable) + len(bad))
    said = sorted((letter.stage, letter.code, letter.payload) for letter in letters)
    assert said == sorted(
        [
            (stage.value, UNREADABLE, value[:MAX_PAYLOAD_BYTES])
            for stage in READERS.values()
            for value in unreadable
        ]
        + [(Group.PROJECTOR.value, NOT_PROJECTABLE, encode(event)) for event in bad]
    )
    # Mended and sent again they count: from here on the oracle asks for them in the view as well.
    refused = [decode(letter.payload) for letter in letters if letter.code == NOT_PROJECTABLE]
    publish(
        run,
        [
            replace(event, properties="{}", received_at_ms=event.received_at_ms + 1)
            for event in refused
        ],
    )
    run.wait_for_an_event("projected")


@pytest.mark.faults
@pytest.mark.parametrize("run", ENGINES, indirect=True)
def test_a_flood_of_poison_stops_the_line_until_an_operator_starts_it_again(run: Run) -> None:
    events = by_hand(run, {f"flood-{number}": "{}" for number in range(FLOOD)})
    poisoned = [
        GARBAGE + str(number).encode() if number % POISON_ONE_IN == 0 else encode(event)
        for number, event in enumerate(events)
    ]
    owed = [event for number, event in enumerate(events) if number % POISON_ONE_IN]

    publish_by_hand(run.stack, poisoned)
    run.journal.answers |= {bytes(event.key): "ok" for event in owed}

    for name, group in READERS.items():
        wait_until_it_ends(run.stack, name)
        assert f"more than {MAX_A_MINUTE}: the line stops here" in run.stack.log(name)
        letters = [letter for letter in letters_of(run.stack) if letter.stage == group]
        assert len({letter.id for letter in letters}) <= MAX_A_MINUTE
    with pytest.raises(RuntimeError, match=r"'pipeline_status'.*: 1"):
        run.stack.manage("pipeline_status")
    run.wait_for_progress()  # ingest goes on all the same
    for name in READERS:
        restart(run.stack, name)
    wait_for_letters(run, len(READERS) * (FLOOD - len(owed)))
    run.wait_for_an_event("projected")


@pytest.mark.faults
@pytest.mark.parametrize("engines", ENGINES)
def test_an_unknown_schema_stops_the_readers_before_it_until_an_operator_skips_it(
    request: pytest.FixtureRequest, tmp_path: Path, engines: Sequence[str]
) -> None:
    with own_settings(request, engines) as settings, Stack(tmp_path, settings) as stack:
        run = Run(stack, stack.create_project("shop"), Journal(tmp_path / "journal.ndjson"))
        stack.start_all()
        run.wait_for_an_event("projected")
        publish_by_hand(stack, [UNKNOWN_SCHEMA])
        for name in READERS:
            wait_until_it_ends(stack, name)
            assert "schema 5a5a5a5a5a5a5a5a is unknown here" in stack.log(name)
        assert letters_of(stack) == []
        behind_it_ms = time.time_ns() // 1_000_000
        for _ in range(20):
            run.wait_for_an_event("logged")
        for name in READERS:  # one that is no newer stops again, at the same record
            restart(stack, name)
            wait_until_it_ends(stack, name)

        wait_for_members(stack, dict.fromkeys(READERS.values(), 0))
        for group in READERS.values():
            stack.manage("feed_offsets", "--group", group, "--to", str(behind_it_ms))
        for name in READERS:
            restart(stack, name)
        run.wait_for_an_event("projected")
        stack.drain()
        assert_nothing_lost_or_doubled(run)


def wait_until_it_ends(stack: Stack, name: str) -> None:
    """A worker that an operator must look after has ended with code 1."""
    wait_until(f"{name} ends", lambda: not stack.is_running(name), limit_s=180)
    assert stack.processes[name].returncode == 1


def restart(stack: Stack, name: str) -> None:
    """Start a worker again that has ended."""
    stack.kill(name)
    stack.start(name)
