"""Looks at the engines of a stack, in a process with the stack's own settings, whatever they are.

`python -m tests.look verdict PROJECT GENERATION FILE` pickles what every part holds of a project;
`python -m tests.look members GROUP=COUNT …` returns once each group has so many living members;
`python -m tests.look ahead GROUP OTHER` returns once the one has committed more than the other;
`python -m tests.look letters FILE` pickles the dead letters;
`python -m tests.look publish FILE` puts pickled values into topic events, past ingest.
"""

import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import django

from feed.backends import get_feed
from feed.dead_letters import DeadLetter, from_record
from feed.ports import OutgoingRecord
from feed.ticket import Logged
from feed.topics import Group, Topic
from tests.oracle import Verdict, judge, read_topic
from tests.stack import Stack, wait_until
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store

LIMIT_S = 300.0
PUBLISHED_AT_A_TIME = 1_000


def verdict_of(stack: Stack, project: str, *, generation: int = 1) -> Verdict:
    """What feed, warehouse and a generation of the view of the stack hold of the project, which
    agree by hour."""
    file = stack.data_dir / "verdict.pickle"
    _run(stack, "verdict", project, str(generation), str(file))
    verdict: Verdict = pickle.loads(file.read_bytes())  # noqa: S301  # our own child wrote it
    return verdict


def wait_for_members(stack: Stack, counts: Mapping[str, int]) -> None:
    """Return once each group has as many living members: those started have joined, the killed
    are expelled."""
    _run(stack, "members", *(f"{group}={count}" for group, count in counts.items()))


def wait_until_ahead(stack: Stack, group: Group, *, of: Group) -> None:
    """Return once the group has committed events that the other, which does not run, has not."""
    _run(stack, "ahead", group, of)


def letters_of(stack: Stack) -> list[DeadLetter]:
    """The dead letters in the feed of the stack."""
    file = stack.data_dir / "letters.pickle"
    _run(stack, "letters", str(file))
    letters: list[DeadLetter] = pickle.loads(file.read_bytes())  # noqa: S301  # as above
    return letters


def publish_by_hand(stack: Stack, values: Sequence[bytes]) -> None:
    """Put values into topic events, whatever they are; return once they are in the log."""
    file = stack.data_dir / "values.pickle"
    file.write_bytes(pickle.dumps(list(values)))
    _run(stack, "publish", str(file))


def _run(stack: Stack, *arguments: str) -> None:
    stack.run_python(
        *("-m", "tests.look", *arguments),
        limit_s=LIMIT_S,
        DJANGO_SETTINGS_MODULE="analyticsproject.settings",
    )


def _write_verdict(project: str, generation: str, file: str) -> None:
    engines = get_feed(), get_event_store(), get_series_store()
    found = judge(*engines, project=project, generation=int(generation))
    Path(file).write_bytes(pickle.dumps(found))


def _await_members(*wanted: str) -> None:
    feed = get_feed()
    counts = {group: int(count) for group, count in (pair.split("=") for pair in wanted)}
    wait_until(
        f"the groups have {counts} members",
        lambda: all(len(feed.members(group)) == count for group, count in counts.items()),
    )


def _await_ahead(group: str, other: str) -> None:
    feed = get_feed()

    def passed(group: str) -> int:
        return sum(each.position for each in feed.committed(group, Topic.EVENTS).values())

    wait_until(f"{group} is ahead of {other}", lambda: passed(group) > passed(other))


def _write_letters(file: str) -> None:
    found = [from_record(record.value) for record in read_topic(get_feed(), Topic.DEAD_LETTERS)]
    Path(file).write_bytes(pickle.dumps(found))


def _publish(file: str) -> None:
    values: list[bytes] = pickle.loads(Path(file).read_bytes())  # noqa: S301  # our parent wrote it
    feed = get_feed()
    for first in range(0, len(values), PUBLISHED_AT_A_TIME):
        records = [
            OutgoingRecord(str(first + index).encode(), value)
            for index, value in enumerate(values[first : first + PUBLISHED_AT_A_TIME])
        ]
        ticket = feed.publish(Topic.EVENTS, records)
        assert ticket.wait(timeout_s=LIMIT_S)
        assert all(isinstance(outcome, Logged) for outcome in ticket.outcomes())


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "verdict": _write_verdict,
    "members": _await_members,
    "ahead": _await_ahead,
    "letters": _write_letters,
    "publish": _publish,
}


def _main(command: str, *arguments: str) -> None:
    django.setup()
    _COMMANDS[command](*arguments)


if __name__ == "__main__":
    _main(*sys.argv[1:])
