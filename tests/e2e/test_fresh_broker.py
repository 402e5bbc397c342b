"""A broker that has just come up for the first time: no group has a coordinator yet."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine_fixtures import fresh_name, tools_or_skip
from tests.engine_names import KAFKA, SETTINGS, address_of, url_of
from tests.stack import Stack

if TYPE_CHECKING:
    from tests.servers.running import RunningEngines

pytestmark = pytest.mark.e2e
# In a process of its own: what is held here is that the driver does not end the process.
ASK_ALL = """
import django
django.setup()
from feed.backends import get_feed
from feed.topics import Group, Topic
feed = get_feed()
held = [feed.committed(group, topic) for group in Group for topic in Topic]
feed.close()
print(len(held), sum(len(each) for each in held))
"""


def test_positions_are_asked_for_before_any_group_was_there(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from tests.servers.running import KINDS

    running: RunningEngines = request.getfixturevalue("real_engines")
    with tools_or_skip():
        broker = running.cluster(KINDS[KAFKA]())
    host, port = address_of(broker.url)
    url = url_of(KAFKA, f"{host}:{port}", fresh_name())
    with Stack(tmp_path, {SETTINGS[KAFKA]: url}) as stack:
        said = stack.run_python("-c", ASK_ALL, DJANGO_SETTINGS_MODULE="analyticsproject.settings")
    running.end(broker)

    assert said.split() == ["16", "0"]
