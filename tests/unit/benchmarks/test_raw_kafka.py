"""The application written by hand leaves what Weir leaves: else it is no limit to compare with."""

from benchmarks import raw_kafka
from benchmarks.corpus import batches, shop_events
from feed.adapters.kafka.client import Contact
from feed.adapters.kafka.options import parse_options
from feed.adapters.kafka.producer import producer_config
from feed.codec import encode
from feed.event import ProjectId
from ingest.api.bodies import MAX_BATCH_EVENTS
from ingest.domain import Admitted, Frame, admit
from ingest.json_text import elements

NOW_MS = 1_770_000_000_000


def test_its_records_are_weirs_byte_for_byte() -> None:
    (body,) = batches(shop_events(100, seed=3), 100)
    frame = Frame(ProjectId(raw_kafka.PROJECT), NOW_MS, "rest")
    verdicts = [admit(row, frame) for row in elements(body, at_most=MAX_BATCH_EVENTS)]
    expected = [(v.event.key, encode(v.event)) for v in verdicts if isinstance(v, Admitted)]

    events = raw_kafka.read(body)
    keys = [raw_kafka.key_of(event) for event in events]
    records = [
        raw_kafka.record_of(event, key, NOW_MS) for event, key in zip(events, keys, strict=True)
    ]

    assert len(expected) == 100
    assert list(zip(keys, records, strict=True)) == expected


def test_a_body_of_one_event_reads_as_an_array_of_it() -> None:
    (one,) = batches(shop_events(1, seed=3), 1)

    assert raw_kafka.read(one[1:-1]) == raw_kafka.read(one)


def test_it_sends_with_the_settings_of_weirs_adapter() -> None:
    options = parse_options("kafka://127.0.0.1:9092", {})
    weirs = producer_config(options, Contact(options))

    assert {name: weirs[name] for name in raw_kafka.SETTINGS} == raw_kafka.SETTINGS
