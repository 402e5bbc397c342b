"""What Elasticsearch refuses for good becomes a dead letter through the projector; the rest of its
batch is in the view."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test.utils import override_settings

from feed.codec import encode
from feed.dead_letters import DeadLetter, from_record
from feed.event import key_text, record_version
from feed.topics import Group, Topic
from tests.builders import make_event
from tests.contract.feed_driver import read
from tests.elasticsearch_view import fresh_prefix
from tests.local_pipeline import LocalPipeline, local_pipeline

TOO_LONG = "u" * 40_000
"""Longer than a term may be; ingest admits no such user."""


@pytest.fixture
def pipeline(elasticsearch_url: str, tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    with fresh_prefix(elasticsearch_url) as url:
        entry = {
            "BACKEND": "timeseries.adapters.elasticsearch.open_series_store",
            "URL": url,
            "OPTIONS": {"index_prefix": url.partition("index_prefix=")[2]},
        }
        with override_settings(SERIES_STORE=entry), local_pipeline(tmp_path) as pipeline:
            yield pipeline


def letters(pipeline: LocalPipeline) -> list[DeadLetter]:
    """Every dead letter, the oldest first."""
    bounds = pipeline.feed.bounds(Topic.DEAD_LETTERS).values()
    reader = pipeline.feed.reader(Topic.DEAD_LETTERS, from_end=False)
    records = read(reader, sum(each.end for each in bounds))
    reader.close()
    return [from_record(record.value) for record in records]


def test_a_refused_document_becomes_a_dead_letter_and_the_rest_is_written(
    pipeline: LocalPipeline,
) -> None:
    good = [make_event() for _ in range(4)]
    bad = make_event(user_id=TOO_LONG)
    pipeline.publish_events([*good[:2], bad, *good[2:]])

    pipeline.project()

    (letter,) = letters(pipeline)
    assert (letter.stage, letter.code) == (Group.PROJECTOR, "refused_by_store")
    assert (letter.project, letter.event_id) == (bad.project, bad.id)
    assert letter.event_key == key_text(bad.key)
    assert letter.topic == Topic.EVENTS
    assert TOO_LONG[:100] not in letter.detail
    assert letter.payload_bytes == len(encode(bad))
    assert pipeline.series.versions("demo", [each.key for each in (*good, bad)], generation=1) == {
        each.key: record_version(each.received_at_ms, encode(each)) for each in good
    }
    committed = pipeline.feed.committed(Group.PROJECTOR, Topic.EVENTS)
    assert sum(each.position for each in committed.values()) == 5


def test_a_batch_of_refused_documents_alone_does_not_stop_what_comes_after(
    pipeline: LocalPipeline,
) -> None:
    pipeline.publish_events([make_event(user_id=TOO_LONG) for _ in range(3)])
    pipeline.project()
    after = make_event()
    pipeline.publish_events([after])

    pipeline.project()

    assert [each.code for each in letters(pipeline)] == ["refused_by_store"] * 3
    assert after.key in pipeline.series.versions("demo", [after.key], generation=1)
