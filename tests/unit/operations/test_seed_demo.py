"""`seed_demo` on embedded engines."""

import pytest
from django.core.management import CommandError, call_command

from access.services import create_project
from feed.topics import Topic
from operations.management.commands import seed_demo
from operations.shop import events_between
from tests.builders import NOON_MS, make_project_name
from tests.local_pipeline import LocalPipeline

DAY_MS = 86_400_000


@pytest.fixture
def project(pipeline: LocalPipeline) -> str:
    return create_project(make_project_name()).project


def logged(pipeline: LocalPipeline) -> int:
    return sum(bounds.end for bounds in pipeline.feed.bounds(Topic.EVENTS).values())


def test_the_past_is_sent_once_however_often_it_is_asked_for(
    pipeline: LocalPipeline, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed_demo, "_now_ms", lambda: NOON_MS)
    for _ in range(2):
        call_command("seed_demo", project=project, days=0.02, quiet=True)
    pipeline.project()

    expected = sum(1 for _ in events_between(1, NOON_MS - round(0.02 * DAY_MS), NOON_MS))

    seen = pipeline.series.events_seen(project, generation=1, limit=100)
    assert expected > 0
    assert logged(pipeline) == 2 * expected
    assert sum(one.count for one in seen) == expected


def test_live_goes_on_until_its_time_is_up(
    pipeline: LocalPipeline, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("seed_demo", project=project, days=0, live=True, for_s=1.2)

    assert "events sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"project": "nobody"}, "there is no project nobody"),
        ({"days": -1}, "--days takes 0 to 3650"),
        ({"for_s": 0}, "--for takes seconds above 0"),
    ],
)
def test_wrong_options_are_one_sentence(
    project: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("seed_demo", **{"project": project, **options})
