"""Looks at the engines of a stack, in a process with the stack's own settings, whatever they are.

`python -m tests.look verdict PROJECT FILE` pickles what every part holds of a project;
`python -m tests.look members GROUP=COUNT …` returns once each group has so many living members.
"""

import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import django

from feed.backends import get_feed
from tests.oracle import Verdict, judge
from tests.stack import Stack, wait_until
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store

LIMIT_S = 300.0


def verdict_of(stack: Stack, project: str) -> Verdict:
    """What feed, warehouse and view of the stack hold of the project."""
    file = stack.data_dir / "verdict.pickle"
    _run(stack, "verdict", project, str(file))
    verdict: Verdict = pickle.loads(file.read_bytes())  # noqa: S301  # our own child wrote it
    return verdict


def wait_for_members(stack: Stack, counts: Mapping[str, int]) -> None:
    """Return once each group has as many living members: those started have joined, the killed
    are expelled."""
    _run(stack, "members", *(f"{group}={count}" for group, count in counts.items()))


def _run(stack: Stack, *arguments: str) -> None:
    stack.run_python(
        *("-m", "tests.look", *arguments),
        limit_s=LIMIT_S,
        DJANGO_SETTINGS_MODULE="analyticsproject.settings",
    )


def _write_verdict(project: str, file: str) -> None:
    found = judge(get_feed(), get_event_store(), get_series_store(), project=project)
    Path(file).write_bytes(pickle.dumps(found))


def _await_members(wanted: Sequence[str]) -> None:
    feed = get_feed()
    counts = {group: int(count) for group, count in (pair.split("=") for pair in wanted)}
    wait_until(
        f"the groups have {counts} members",
        lambda: all(len(feed.members(group)) == count for group, count in counts.items()),
    )


def _main(command: str, *arguments: str) -> None:
    django.setup()
    if command == "verdict":
        _write_verdict(*arguments)
    else:
        _await_members(arguments)


if __name__ == "__main__":
    _main(*sys.argv[1:])
