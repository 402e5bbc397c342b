"""What the port reads besides figures and lists: versions, hours, entries, the data version."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import product

from feed.event import first_key_at, key_time_ms
from timeseries.adapters.elasticsearch.client import Cluster, Json, Searching
from timeseries.adapters.elasticsearch.documents import VERSION_STEP, document_id
from timeseries.adapters.elasticsearch.errors import of_answer
from timeseries.adapters.elasticsearch.indices import Names, Place, routed, routing_of, routings_of
from timeseries.adapters.elasticsearch.searching import check_whole
from timeseries.domain import QUERY_TIMEOUT_S
from timeseries.errors import SeriesError, SeriesUnavailable
from timeseries.ports import Document, DocumentHour, Entry

PAGE = 2_000
"""Hours and event names that `hours` holds at a time."""


def versions(
    cluster: Cluster, names: Names, place: Place, project: str, keys: Sequence[bytes]
) -> dict[bytes, int]:
    """See SeriesStore.versions: what is readable, by id."""
    pairs = [(project, key) for key in keys]
    found = _external_versions(cluster, names, place, pairs, is_readable=True)
    return {
        key: external // VERSION_STEP
        for key, external in zip(keys, found, strict=True)
        if external is not None
    }


def external_versions(
    cluster: Cluster, names: Names, place: Place, documents: Sequence[Document]
) -> list[int]:
    """External versions of these documents as they are stored, readable or not; 0 where there is
    none."""
    pairs = [(document.project, document.key) for document in documents]
    found = _external_versions(cluster, names, place, pairs, is_readable=False)
    return [external or 0 for external in found]


def _external_versions(
    cluster: Cluster,
    names: Names,
    place: Place,
    pairs: Sequence[tuple[str, bytes]],
    *,
    is_readable: bool,
) -> list[int | None]:
    wanted = [
        {
            "_index": names.index_at(place, key_time_ms(key)),
            "_id": document_id(project, key),
            **routed(routing_of(place, project, key)),
        }
        for project, key in pairs
    ]
    if not wanted:
        return []
    project = pairs[0][0]
    answer: Json = cluster.request(
        "POST",
        "/_mget",
        what=f"versions of documents of project {project}",
        timeout_s=QUERY_TIMEOUT_S,
        body={"docs": wanted},
        params={"realtime": str(not is_readable).lower(), "preference": project},
    )
    return [_external_version(document) for document in answer["docs"]]


def _external_version(document: Json) -> int | None:
    if document.get("found"):
        external: int = document["_version"]
        return external
    if "error" in document and document["error"]["type"] != "index_not_found_exception":
        raise SeriesUnavailable(
            f"Elasticsearch does not tell a document's version: {document['error']['reason']}"
        )
    return None


def hours(
    searching: Searching, project: str, start_ms: int, end_ms: int, *, generation: int
) -> Iterator[DocumentHour]:
    """See SeriesStore.hours, a page at a time. A document that somebody else wrote without a name
    is counted as one of an event "", which no event has."""
    after: Json | None = None
    while True:
        sources = [
            {"hour": {"date_histogram": {"field": "t", "fixed_interval": "1h"}}},
            {"event": {"terms": {"field": "e", "missing_bucket": True}}},
        ]
        composite = {"size": PAGE, "sources": sources} | ({"after": after} if after else {})
        answer = searching.search(
            {
                "size": 0,
                "track_total_hits": False,
                "aggs": {
                    "hours": {
                        "composite": composite,
                        "aggs": {"hashes": {"sum": {"field": "h"}}},
                    }
                },
            },
            project=project,
            generation=generation,
            from_ms=start_ms,
            to_ms=end_ms,
            timeout_s=QUERY_TIMEOUT_S,
        )
        page = answer.get("aggregations", {}).get("hours", {})
        for bucket in page.get("buckets", ()):
            yield DocumentHour(
                bucket["key"]["hour"],
                bucket["key"]["event"] or "",
                bucket["doc_count"],
                int(bucket["hashes"]["value"]),
            )
        after = page.get("after_key")
        if after is None:
            return


def entries(
    searching: Searching,
    project: str,
    start_ms: int,
    end_ms: int,
    *,
    generation: int,
    after: bytes | None,
    limit: int,
) -> list[Entry]:
    """See SeriesStore.entries."""
    answer = searching.search(
        {
            "size": limit,
            "track_total_hits": False,
            "sort": [{"k": "asc"}],
            "search_after": [(after or first_key_at(start_ms)).hex()],
            "stored_fields": "_none_",
            "docvalue_fields": ["e", "v", "h"],
        },
        project=project,
        generation=generation,
        from_ms=start_ms,
        to_ms=end_ms,
        timeout_s=QUERY_TIMEOUT_S,
    )
    return [_entry(hit) for hit in answer["hits"]["hits"]]


def _entry(hit: Json) -> Entry:
    """A document that somebody else wrote may lack a field: it differs from any event then. Raises
    SeriesError for one without a key, which cannot be named."""
    (key,) = hit["sort"]
    if key is None:
        raise SeriesError(
            f"a document of index {hit['_index']} has no key (field k): somebody wrote it by hand; "
            "delete it there, or build the view anew with manage.py replay rebuild"
        )
    fields: Json = hit.get("fields", {})
    (event,), (version,), (hash24,) = (
        fields.get(name, default) for name, default in (("e", [""]), ("v", [0]), ("h", [-1]))
    )
    return Entry(bytes.fromhex(key), event, int(version), int(hash24))


def data_version(cluster: Cluster, names: Names, place: Place, project: str) -> str | None:
    """Of each shard that may hold the project's documents how many are readable, and sequence
    number and term of the last one: every change that shows changes one of them. None where there
    is no index.

    Read off the structure of the index, whatever the number of documents. Changes of other
    projects in the same shard change it too.
    """
    present: Json = cluster.request(
        "GET",
        f"/{names.events(place.generation)}-*/_settings",
        what="looking for indices",
        timeout_s=QUERY_TIMEOUT_S,
        params={"filter_path": "*.settings.index.uuid"},
    )
    shards = list(product(sorted(present), routings_of(place, project)))
    if not shards:
        return None
    lines: list[Json] = []
    for index, routing in shards:
        lines += [{"index": index, "preference": project, **routed(routing)}, _LAST]
    answer: Json = cluster.request(
        "POST",
        "/_msearch",
        what=f"the data version of project {project}",
        timeout_s=QUERY_TIMEOUT_S,
        body=lines,
    )
    digest = blake2b(digest_size=12)
    for (index, _), response in zip(shards, answer["responses"], strict=True):
        digest.update(f"{index} {present[index]} {_state(response)};".encode())
    return digest.hexdigest()


def _state(response: Json) -> str:
    if "error" in response:
        raise of_answer(response["status"], response, "the data version")
    check_whole(response)
    hits = response["hits"]
    last = hits["hits"][0] if hits["hits"] else {}
    return f"{hits['total']['value']} {last.get('_seq_no')} {last.get('_primary_term')}"


_LAST: Json = {
    "size": 1,
    "track_total_hits": True,
    "sort": [{"_seq_no": "desc"}],
    "seq_no_primary_term": True,
}
