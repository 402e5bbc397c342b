"""`manage.py replay rebuild` and its like, as a person and as a script meet them."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from access.services import create_project
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import fill
from tests.unit.replay.test_commands import Terminal, said
from warehouse.ports import ScanWindow


@pytest.fixture
def demo(pipeline: LocalPipeline) -> LocalPipeline:
    create_project("demo")
    fill(pipeline, 300)
    return pipeline


def work(pipeline: LocalPipeline) -> None:
    for _ in range(3):
        pipeline.store()
        pipeline.project()
        call_command("run_replayer", once=True)


def told(*arguments: str) -> str:
    """What the command writes to a terminal."""
    out = Terminal()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


def test_a_generation_from_its_beginning_to_its_drop(demo: LocalPipeline) -> None:
    (begun,) = said("rebuild", "--reason", "another mapping")
    work(demo)
    (watched,) = said("show", begun["id"], "--watch")
    (swapped,) = said("swap", "2")
    (back,) = said("rollback")
    (dropped,) = said("drop", "2")
    listed = said("generations")

    assert begun["target"] == {"mode": "new_generation", "generation": 2}
    assert begun["rate"] == {"max_eps": None, "auto": True}
    assert watched["state"] == "completed"
    assert (swapped["generation"], swapped["served"]) == (2, True)
    assert (back["generation"], back["served"]) == (1, True)
    assert (dropped["state"], dropped["freed_at"] is not None) == ("dropped", True)
    assert [(row["generation"], row["state"]) for row in listed] == [(2, "dropped"), (1, "ready")]


def test_verification_is_watched_and_its_failure_is_the_exit_code(
    demo: LocalPipeline, tmp_path: Path
) -> None:
    said("rebuild", "--reason", "another mapping")
    work(demo)
    (page, *_) = demo.events.scan(ScanWindow("demo", 0, 2**48 - 1))
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(page.rows[0].key)
    (asked,) = said("verify", "2")
    call_command("run_replayer", once=True)

    assert asked["state"] == "verifying"
    with pytest.raises(SystemExit) as ended:
        said("show", asked["id"], "--watch")
    assert ended.value.code == 1


def test_what_differs_is_a_line_an_hour_and_event(demo: LocalPipeline, tmp_path: Path) -> None:
    said("rebuild", "--reason", "another mapping")
    work(demo)
    assert said("diff", "2") == []
    (page, *_) = demo.events.scan(ScanWindow("demo", 0, 2**48 - 1))
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(page.rows[0].key)

    (cell,) = said("diff", "2")
    head, line = told("diff", "2").splitlines()

    assert (cell["hour"], cell["event"]) == ("2026-11-01T07:00:00.000Z", "order")
    assert (cell["served"], cell["generation"]) == (20, 19)
    assert head.split() == ["hour,", "UTC", "1", "2", "project,", "event"]
    assert line.split() == ["2026-11-01", "07:00", "20", "19", "demo,", "order"]


def test_on_a_terminal_a_generation_is_a_sentence(demo: LocalPipeline) -> None:
    begun = told("rebuild", "--reason", "another mapping")
    work(demo)

    assert "generation 2  estimating" in begun
    newest, first = told("generations").splitlines()
    assert newest.startswith("generation 2  ready  completed  [####")
    assert first == "generation 1  ready, served"
    assert told("swap", "2").startswith("generation 2  ready, served  completed")
    assert told("generations").splitlines()[1] == "generation 1  ready, a rollback goes to it"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("swap", "9"), "there is no generation 9"),
        (("diff", "9"), "there is no generation 9"),
        (("drop", "1"), "is served"),
        (("verify", "1"), "no rebuild"),
        (("rollback",), "no earlier generation"),
        (("swap", "x"), "invalid int value"),
        (("rebuild", "--reason", " "), "a reason is required"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    pipeline: LocalPipeline, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("replay", *arguments, stdout=StringIO())
