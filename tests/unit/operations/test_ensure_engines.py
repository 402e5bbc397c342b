"""`ensure_engines`: makes what is missing, says what, refuses in one sentence."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from feed.backends import FEED
from tests.local_pipeline import LocalPipeline


def test_a_second_run_makes_nothing(pipeline: LocalPipeline) -> None:
    said = StringIO()

    call_command("ensure_engines", stdout=said)

    assert said.getvalue() == "Everything is there already.\n"


def test_what_is_made_is_said_a_line_each(tmp_path: Path, pipeline: LocalPipeline) -> None:
    said = StringIO()
    FEED.forget()
    try:
        with override_settings(DATA_DIR=tmp_path / "another"):
            call_command("ensure_engines", stdout=said)
            FEED.get().close()
    finally:
        FEED.forget()

    assert "topic events was made with 4 partitions" in said.getvalue().splitlines()


def test_a_refusal_is_one_sentence(pipeline: LocalPipeline) -> None:
    entry = {
        "BACKEND": "feed.adapters.embedded.open_feed",
        "URL": "embedded:?partitions=none",
        "OPTIONS": {"partitions": "none"},
    }
    FEED.forget()
    try:
        with override_settings(FEED=entry), pytest.raises(CommandError, match="partitions"):
            call_command("ensure_engines", stdout=StringIO())
    finally:
        FEED.forget()
