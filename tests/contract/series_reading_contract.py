"""What every SeriesStore keeps besides figures: keys, versions, hours, names, values.

Part of tests/contract/series_store_contract.py, which an adapter's tests subclass.
"""

import pytest

from feed.event import HOUR_MS, event_key, first_key_at, key_hash
from tests.builders import NOON_MS, make_project_name
from tests.series_builders import MIXED, TAGS, make_document, make_query
from timeseries.domain import (
    EVERYTHING,
    CoreField,
    Field,
    Filter,
    Is,
    Matches,
    SeriesQuery,
    TextMatch,
)
from timeseries.filters import MAX_FILTER_VALUES
from timeseries.ports import Document, Entry, SeriesStore

TIMEOUT_S = 60.0
GENERATION = 1


def write(store: SeriesStore, *documents: Document) -> None:
    """All of them in one batch."""
    assert not store.write([documents], generations=(GENERATION,))


def count(store: SeriesStore, project: str, where: Filter = EVERYTHING) -> float | None:
    """How many of the project's documents match."""
    query = make_query(project=project, where=where)
    return store.figures(query, generation=GENERATION, timeout_s=TIMEOUT_S).groups[0].total[0]


class SeriesReadingContract:
    """Subclass it with a fixture `store` that gives a SeriesStore."""

    @pytest.fixture
    def project(self) -> str:
        """A project of the test's own."""
        return make_project_name()

    def test_keys_come_newest_first_page_by_page(self, store: SeriesStore, project: str) -> None:
        documents = [
            make_document(project=project, at_ms=NOON_MS + index, event="ab"[index % 2])
            for index in range(9)
        ]
        write(store, *documents)

        found: list[bytes] = []
        before: bytes | None = None
        for _ in range(3):
            page = store.keys(
                project,
                Is(CoreField.EVENT, ("a",)),
                generation=GENERATION,
                from_ms=NOON_MS + 1,
                to_ms=NOON_MS + 8,
                before=before,
                limit=2,
            )
            found += [key for key, _ in page.keys]
            before = page.next_key
            if before is None:
                break
        assert found == [documents[index].key for index in (6, 4, 2)]

    def test_versions_are_of_the_documents_that_stay(
        self, store: SeriesStore, project: str
    ) -> None:
        document = make_document(project=project, version=7)
        write(store, document, document._replace(version=9), document._replace(version=8))

        absent = event_key(project, "absent", NOON_MS)
        asked = store.versions(project, [document.key, absent], generation=GENERATION)
        assert dict(asked) == {document.key: 9}
        assert dict(store.versions(project, [], generation=GENERATION)) == {}

    def test_hours_count_and_sum_hashes_of_what_stays(
        self, store: SeriesStore, project: str
    ) -> None:
        first = make_document(project=project, event="a", at_ms=NOON_MS)
        newer = first._replace(version=first.version + 1)
        newer = newer._replace(hash24=key_hash(newer.key, newer.version))
        second = make_document(project=project, event="b", at_ms=NOON_MS + 1)
        later = make_document(project=project, event="a", at_ms=NOON_MS + 30 * HOUR_MS)
        write(store, first, second, later)
        write(store, newer)

        def hours(start_ms: int, end_ms: int) -> list[tuple[int, str, int, int]]:
            found = store.hours(project, start_ms, end_ms, generation=GENERATION)
            return [(each.hour_ms, each.event, each.count, each.hash_sum) for each in found]

        whole = [
            (NOON_MS, "a", 1, newer.hash24),
            (NOON_MS, "b", 1, second.hash24),
            (NOON_MS + 30 * HOUR_MS, "a", 1, later.hash24),
        ]
        assert hours(0, 2 * NOON_MS) == whole
        assert hours(NOON_MS + 1, NOON_MS + 30 * HOUR_MS) == whole[1:2]

    def test_hours_are_those_of_any_time_that_a_key_can_say(
        self, store: SeriesStore, project: str
    ) -> None:
        for at_ms in (0, NOON_MS, NOON_MS + 10_000 * HOUR_MS + 1):
            write(store, make_document(project=project, at_ms=at_ms))

        found = store.hours(project, 0, 2**48 - 1, generation=GENERATION)
        assert [each.hour_ms for each in found] == [0, NOON_MS, NOON_MS + 10_000 * HOUR_MS]

    def test_entries_come_in_order_of_keys_page_by_page(
        self, store: SeriesStore, project: str
    ) -> None:
        documents = [
            make_document(project=project, event="ab"[index % 2], at_ms=NOON_MS + index // 2)
            for index in range(11)
        ]
        write(store, *documents, make_document(at_ms=NOON_MS + 2))  # of another project
        newer = documents[4]._replace(version=documents[4].version + 1, event="c")
        documents[4] = newer._replace(hash24=key_hash(newer.key, newer.version))
        write(store, documents[4])

        found: list[Entry] = []
        pages = 0
        while not pages or len(found) == 3 * pages:
            found += store.entries(
                project,
                NOON_MS + 1,
                NOON_MS + 5,
                generation=GENERATION,
                after=found[-1].key if found else None,
                limit=3,
            )
            pages += 1

        within = sorted(documents[2:10], key=lambda document: document.key)
        assert found == [Entry(each.key, each.event, each.version, each.hash24) for each in within]
        assert pages == 3

    def test_there_are_no_entries_of_a_project_never_seen(self, store: SeriesStore) -> None:
        for after in (None, first_key_at(NOON_MS)):
            assert not store.entries(
                make_project_name(),
                0,
                2**48 - 1,
                generation=GENERATION,
                after=after,
                limit=10_000,
            )

    def test_event_names_have_counts_and_first_and_last_times(
        self, store: SeriesStore, project: str
    ) -> None:
        for at_ms in (NOON_MS + 5, NOON_MS + 3, NOON_MS + 40 * HOUR_MS + 7):
            write(store, make_document(project=project, event="buy", at_ms=at_ms))
        write(store, make_document(project=project, event="view"))

        seen = store.events_seen(project, generation=GENERATION, limit=5)
        assert [(each.event, each.count, each.first_ms, each.last_ms) for each in seen] == [
            ("buy", 3, NOON_MS + 3, NOON_MS + 40 * HOUR_MS + 7),
            ("view", 1, NOON_MS, NOON_MS),
        ]
        assert len(store.events_seen(project, generation=GENERATION, limit=1)) == 1

    def test_an_event_name_that_was_corrected_away_is_not_seen(
        self, store: SeriesStore, project: str
    ) -> None:
        wrong = make_document(project=project, event="sginup")
        write(store, wrong)
        write(store, wrong._replace(event="signup", version=wrong.version + 1))

        seen = store.events_seen(project, generation=GENERATION, limit=5)
        assert [(each.event, each.count) for each in seen] == [("signup", 1)]

    def test_values_are_listed_by_count_and_prefix(self, store: SeriesStore, project: str) -> None:
        for value in ("DE", "DE", "DK", "FR", 3.0, True):
            write(store, make_document(project=project, values={3: value}))
        write(store, make_document(project=project, values={2: ["DX", "FX"]}))

        def values(query: SeriesQuery, prefix: str, limit: int = 9) -> list[tuple[object, int]]:
            found = store.values_seen(
                query, generation=GENERATION, prefix=prefix, limit=limit, timeout_s=TIMEOUT_S
            )
            return [(each.value, each.count) for each in found]

        mixed = make_query(project=project, group_by=(MIXED,))
        assert values(mixed, "D") == [("DE", 2), ("DK", 1)]
        assert values(mixed, "") == [("DE", 2), (3.0, 1), ("DK", 1), ("FR", 1), (True, 1)]
        assert values(mixed, "", limit=1) == [("DE", 2)]
        assert values(make_query(project=project, group_by=(TAGS,)), "D") == [("DX", 1)]
        by_event = make_query(project=project, group_by=(CoreField.EVENT,))
        assert values(by_event, "sign") == [("signup", 7)]
        assert values(make_query(project="never-seen", group_by=(MIXED,)), "") == []

    def test_the_data_version_changes_with_every_change_and_not_without(
        self, store: SeriesStore, project: str
    ) -> None:
        def version() -> str:
            return store.data_version(project, generation=GENERATION)

        seen = [version()]
        document = make_document(project=project)
        write(store, document)
        seen.append(version())
        write(store, document._replace(version=document.version + 1, user_id="u9"))
        seen.append(version())
        write(store, document)

        assert version() == seen[-1]
        assert len(set(seen)) == 3

    # -- filters --

    @pytest.mark.parametrize("field", [CoreField.EVENT, CoreField.USER_ID, TAGS])
    @pytest.mark.parametrize("match", list(TextMatch))
    def test_a_filter_may_have_as_many_values_as_are_admitted(
        self, store: SeriesStore, project: str, field: Field, match: TextMatch
    ) -> None:
        tags = {TAGS.slot or 0: ["some", "signup"]}
        write(store, make_document(project=project, user_id="signup", values=tags))
        others = [f"no{number}" for number in range(MAX_FILTER_VALUES - 1)]

        assert count(store, project, Matches(field, match, (*others, "sign"))) == 1
        assert count(store, project, Is(field, (*others, "signup"))) == 1
        assert count(store, project, Matches(field, match, (*others, "other"))) == 0

    # -- projects and generations --

    def test_two_projects_never_mix(self, store: SeriesStore) -> None:
        ours, theirs = make_project_name(), make_project_name()
        document = make_document(project=ours, id="same", values={0: "DE", 1: 5.0})
        write(store, document, document._replace(project=theirs), make_document(project=theirs))

        assert [count(store, project) for project in (ours, theirs)] == [1, 2]
        newer = document._replace(version=document.version + 1, event="renamed")
        write(store, newer)
        assert count(store, theirs, Is(CoreField.EVENT, ("renamed",))) == 0
        assert store.versions(theirs, [document.key], generation=GENERATION) == {
            document.key: document.version
        }

    def test_generations_are_apart(self, store: SeriesStore, project: str) -> None:
        store.write([[make_document(project=project)]], generations=(2, 3))
        store.write([[make_document(project=project)]], generations=(3,))

        totals = [
            store.figures(make_query(project=project), generation=generation, timeout_s=TIMEOUT_S)
            .groups[0]
            .total
            for generation in (1, 2, 3)
        ]
        assert totals == [(0,), (1,), (2,)]

    def test_what_a_generation_needs_is_made_once(self, store: SeriesStore) -> None:
        store.ensure(GENERATION)

        assert store.ensure(GENERATION) == []
        store.ping(timeout_s=5.0)
