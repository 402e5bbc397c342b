"""What the Elasticsearch view does besides its port's contract: what it refuses, what it survives,
what it says."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.builders import NOON_MS, make_project_name
from tests.contract.series_store_writer import batch_of
from tests.elasticsearch_view import fresh_prefix, open_view, server_of
from tests.series_builders import COUNT, make_document, make_query
from timeseries.adapters.elasticsearch.documents import document_id
from timeseries.adapters.elasticsearch.indices import MOST_NAMES
from timeseries.adapters.elasticsearch.mapping import MAPPING_VERSION
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.domain import CoreField
from timeseries.errors import GenerationDropped, SeriesBackpressure, SeriesError, SeriesUnavailable
from timeseries.ports import Document

ROOT = Path(__file__).parents[2]
LIMIT_S = 60
CLOSED_PORT = "elasticsearch+http://127.0.0.1:1"


@pytest.fixture
def view_url(elasticsearch_url: str) -> Iterator[str]:
    """A prefix of the test's own, nothing made in it."""
    with fresh_prefix(elasticsearch_url) as url:
        yield url


@pytest.fixture
def prefix(view_url: str) -> str:
    return view_url.partition("index_prefix=")[2]


@pytest.fixture
def store(view_url: str, tmp_path: Path) -> Iterator[ElasticsearchSeriesStore]:
    store = open_view(view_url, tmp_path)
    yield store
    store.close()


@pytest.fixture
def server(elasticsearch_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server_of(elasticsearch_url), timeout=LIMIT_S) as server:
        yield server


def write(store: ElasticsearchSeriesStore, *documents: Document) -> None:
    assert store.write([documents], generations=(1,)) == []


def found(store: ElasticsearchSeriesStore, *documents: Document) -> list[int | None]:
    """The versions of these documents as they can be read."""
    versions = {
        project: store.versions(
            project, [each.key for each in documents if each.project == project], generation=1
        )
        for project in {each.project for each in documents}
    }
    return [versions[each.project].get(each.key) for each in documents]


def months(server: httpx.Client, prefix: str) -> list[str]:
    """The event indices that exist, without their prefix."""
    answer = server.get(f"/{prefix}-events-*/_settings", params={"filter_path": "*.settings"})
    return sorted(name.partition("-events-")[2] for name in answer.json())


def test_what_a_generation_needs_is_made_ahead(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    made = store.ensure(1)

    now = datetime.now(UTC)
    following = (now.year + now.month // 12, now.month % 12 + 1)
    assert months(server, prefix) == [
        f"g1-{year}-{month:02d}" for year, month in ((now.year, now.month), following)
    ]
    assert len(made) == 5
    assert store.ensure(1) == []
    assert len(store.ensure(2)) == 4


def test_a_month_is_made_before_its_first_document_and_old_years_share_one(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)
    old = [
        make_document(at_ms=int(datetime(2010, month, 2, tzinfo=UTC).timestamp()) * 1000, version=5)
        for month in (1, 12)
    ]
    recent = make_document(at_ms=NOON_MS - 90 * 86_400_000, version=6)
    write(store, *old, recent)

    assert found(store, *old, recent) == [5, 5, 6]
    assert {"g1-2010", "g1-2026-08"} < set(months(server, prefix))


def test_no_index_of_ours_comes_into_being_by_being_written_to(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)

    answer = server.put(f"/{prefix}-events-g1-1999/_doc/1", json={"p": "demo"})

    assert answer.status_code == 404
    assert "g1-1999" not in months(server, prefix)


def test_without_a_record_the_command_that_makes_it_is_named(
    store: ElasticsearchSeriesStore,
) -> None:
    for ask in (
        lambda: store.write([[make_document()]], generations=(1,)),
        lambda: store.data_version("demo", generation=1),
    ):
        with pytest.raises(SeriesUnavailable, match=r"manage\.py ensure_engines"):
            ask()


def test_the_first_record_of_a_generation_stands(
    store: ElasticsearchSeriesStore, view_url: str, tmp_path: Path
) -> None:
    store.ensure(1)
    other = open_view(f"{view_url}&spread=4&shards=2", tmp_path)
    assert other.ensure(1) == []
    document = make_document(version=3)
    write(other, document)

    assert found(store, document) == [3]
    other.close()


def test_a_spread_project_is_read_whole(view_url: str, tmp_path: Path) -> None:
    store = open_view(f"{view_url}&spread=3&shards=2", tmp_path)
    store.ensure(1)
    documents = [make_document(id=str(number), version=number + 1) for number in range(40)]
    write(store, *documents)

    assert found(store, *documents) == [each.version for each in documents]
    (hour,) = store.hours("demo", 0, 2 * NOON_MS, generation=1)
    assert (hour.count, hour.hash_sum) == (40, sum(each.hash24 for each in documents))
    seen = {store.data_version("demo", generation=1)}
    for document in documents[:10]:
        write(store, document._replace(version=100))
        seen.add(store.data_version("demo", generation=1))
    assert len(seen) == 11
    store.close()


def test_a_foreign_index_of_our_name_is_refused_and_left_alone(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    month = datetime.now(UTC).strftime("%Y-%m")
    server.put(f"/{prefix}-events-g1-{month}").raise_for_status()
    with pytest.raises(SeriesError, match=r"restore that index .* or delete"):
        store.ensure(1)
    server.delete(f"/{prefix}-events-g1-{month}").raise_for_status()
    store.ensure(1)
    server.delete(f"/{prefix}-events-g1-{month}").raise_for_status()
    server.delete(f"/_index_template/{prefix}-events-g1").raise_for_status()
    server.put(f"/{prefix}-events-g1-{month}").raise_for_status()

    with pytest.raises(SeriesError, match=r"not of this Weir .* index_prefix"):
        store.ensure(1)


def test_an_index_that_is_deleted_under_us_is_made_again(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)
    first, second = make_document(version=1), make_document(version=2)
    write(store, first)
    before = store.data_version("demo", generation=1)
    server.delete(f"/{prefix}-events-g1-2026-11").raise_for_status()
    write(store, second)

    assert found(store, first, second) == [None, 2]
    assert store.data_version("demo", generation=1) != before
    mapping = server.get(f"/{prefix}-events-g1-2026-11/_mapping").json()
    assert mapping[f"{prefix}-events-g1-2026-11"]["mappings"]["dynamic"] == "strict"


def test_a_document_that_cannot_be_indexed_is_given_back_and_the_others_are_in(
    store: ElasticsearchSeriesStore,
) -> None:
    store.ensure(1)
    good = [make_document(id=str(number), version=9) for number in range(3)]
    bad = make_document(id="bad", values={0: "x" * 40_000})
    write(store, good[0]._replace(version=10))

    refused = store.write([[good[0], bad], [good[1], good[2]]], generations=(1,))

    assert [each.document for each in refused] == [bad]
    assert "failed to parse field [s.0] of type [keyword]" in refused[0].reason
    assert "xxx" not in refused[0].reason  # no value of a property
    assert found(store, *good, bad) == [10, 9, 9, None]


@pytest.mark.parametrize("damage", ["deleted", "changed", "changed twice"])
def test_what_somebody_changed_is_restored(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str, damage: str
) -> None:
    store.ensure(1)
    documents = [make_document(id=str(n), version=7, event="signup") for n in range(3)]
    write(store, *documents)
    index = f"/{prefix}-events-g1-2026-11"
    address = f"{index}/_doc/{document_id('demo', documents[1].key)}?refresh=true"
    wrong = {"p": "demo", "t": NOON_MS, "k": "0", "v": 7, "h": 1, "e": "wrong", "y": "track"}
    for _ in range(1 + damage.count("twice")):
        if damage == "deleted":
            server.delete(address).raise_for_status()
        else:
            server.put(address, json=wrong).raise_for_status()
    query = make_query(COUNT, group_by=(CoreField.EVENT,))
    assert store.figures(query, generation=1, timeout_s=30.0).groups[0].total != (3,)

    assert store.restore([documents], generations=(1,)) == []

    (group,) = store.figures(query, generation=1, timeout_s=30.0).groups
    assert (group.group, group.total) == (("signup",), (3,))
    assert found(store, *documents) == [7, 7, 7]
    write(store, documents[1]._replace(version=8))
    assert found(store, documents[1]) == [8]


def test_what_is_not_the_documents_fault_is_backpressure(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)
    document = make_document(version=4)
    write(store, document)
    blocks = f"/{prefix}-events-g1-2026-11/_settings"
    server.put(blocks, json={"index.blocks.write": True}).raise_for_status()
    newer = document._replace(version=5)
    with pytest.raises(SeriesBackpressure, match="cluster_block_exception"):
        store.write([[newer]], generations=(1,))
    server.put(blocks, json={"index.blocks.write": None}).raise_for_status()

    write(store, newer)
    assert found(store, newer) == [5]


def test_the_data_version_is_of_what_can_be_read(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)
    write(store, make_document(id="1"))
    before = store.data_version("demo", generation=1)
    index = f"/{prefix}-events-g1-2026-11"
    body = {"p": "demo", "t": NOON_MS, "k": "0", "v": 1, "h": 1, "e": "a", "y": "track"}
    server.put(f"{index}/_doc/x", json=body).raise_for_status()
    assert store.data_version("demo", generation=1) == before
    server.post(f"{index}/_refresh").raise_for_status()
    added = store.data_version("demo", generation=1)
    server.delete(f"{index}/_doc/x?refresh=true").raise_for_status()

    assert len({before, added, store.data_version("demo", generation=1)}) >= 2
    assert added != before


def test_a_server_that_is_away_is_told_in_time_and_found_again(tmp_path: Path) -> None:
    store = open_view(CLOSED_PORT, tmp_path)
    for ask in (
        lambda: store.ping(timeout_s=2.0),
        lambda: store.write([[make_document()]], generations=(1,)),
        lambda: store.ensure(1),
    ):
        started_s = time.monotonic()
        with pytest.raises(SeriesUnavailable, match="cannot be reached"):
            ask()
        assert time.monotonic() - started_s < LIMIT_S
    store.close()
    store.close()


def test_a_host_that_is_away_is_passed_by(
    elasticsearch_url: str, view_url: str, tmp_path: Path
) -> None:
    address = view_url.replace("://", "://127.0.0.1:1,")
    store = open_view(address, tmp_path)
    store.ensure(1)
    documents = [make_document(version=2) for _ in range(3)]
    for document in documents:
        write(store, document)

    assert found(store, *documents) == [2, 2, 2]
    store.close()


def start_writer(view_url: str, project: str, batches: int, crash_point: str = "") -> str:
    writer = subprocess.run(
        [sys.executable, "-m", "tests.contract.series_store_writer"]
        + [view_url, project, "0", str(batches), crash_point],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert writer.returncode == (-signal.SIGKILL if crash_point else 0)
    return writer.stdout


@pytest.mark.parametrize("point", ["projector.mid_batch:3", "projector.before_refresh:3"])
def test_what_write_returned_for_survives_kill_9_and_the_rest_can_be_written_again(
    store: ElasticsearchSeriesStore, view_url: str, point: str
) -> None:
    store.ensure(1)
    project = make_project_name()
    said = start_writer(view_url, project, 6, point).split()
    promised = [each for number in map(int, said) for each in batch_of(project, 0, number)]
    newest = {each.key: each.version for each in sorted(promised, key=lambda each: each.version)}
    assert said == ["0", "1"]
    assert store.versions(project, list(newest), generation=1) == newest

    start_writer(view_url, project, 6)
    documents = [each for number in range(6) for each in batch_of(project, 0, number)]
    newest = {each.key: each.version for each in sorted(documents, key=lambda each: each.version)}
    assert store.versions(project, list(newest), generation=1) == newest
    hours = list(store.hours(project, 0, 2 * NOON_MS, generation=1))
    assert sum(hour.count for hour in hours) == len(newest)


def test_no_index_of_a_dropped_generation_comes_into_being_by_being_written_to(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    store.ensure(1)
    store.drop(1)

    answer = server.put(f"/{prefix}-events-g1-1999/_doc/1", json={"p": "demo"})

    assert answer.status_code == 404
    assert months(server, prefix) == []


def test_a_generation_of_an_earlier_weir_can_be_dropped(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    """Its index of records knows no generation that was dropped."""
    names = ("generation", "monthly_from_year", "shards", "spread")
    mapping = {
        "dynamic": "strict",
        "_meta": {"weir": MAPPING_VERSION},
        "properties": {name: {"type": "integer"} for name in names},
    }
    server.put(f"/{prefix}-generations", json={"mappings": mapping}).raise_for_status()
    store.ensure(1)
    write(store, make_document())

    store.drop(1)

    assert months(server, prefix) == []
    with pytest.raises(GenerationDropped):
        store.ensure(1)


def test_years_of_months_are_freed(
    store: ElasticsearchSeriesStore, server: httpx.Client, prefix: str
) -> None:
    """More indices than one address names."""
    store.ensure(1)
    write(store, *(make_document(at_ms=NOON_MS - month * 31 * 86_400_000) for month in range(30)))
    assert len(months(server, prefix)) > MOST_NAMES

    store.drop(1)

    assert months(server, prefix) == []
