"""The one mapping of every event index, and the template that declares it: fixed, so that no
property's name or type can reject a document or take another project's room.

Fields are short, since their names travel with every document:

    p project                 t time of occurrence, ms        k key, 32 hex digits (sorts by time)
    v version                 h hash24                        e event name    y type
    u user_id                 a anonymous_id                  i session_id
    s.N string, n.N number, b.N boolean of property slot N, 0 to 255; an array has several values

A slot's name has a dot and is no object (`subobjects`): a document without objects is read sooner.
"""

from typing import Any

from django_elasticsearch_dsl import Index
from elasticsearch.dsl import ComposableIndexTemplate, Mapping

from timeseries.domain import CoreField
from timeseries.slots import SLOTS_A_PROJECT

MAPPING_VERSION = 3
"""Written into `_meta`: an index of another version is not written to."""
FIELDS_LIMIT = 1_000
PRIORITY = 500
CORE_FIELDS = {
    CoreField.EVENT: "e",
    CoreField.TYPE: "y",
    CoreField.USER_ID: "u",
    CoreField.ANONYMOUS_ID: "a",
    CoreField.SESSION_ID: "i",
}
STRINGS, NUMBERS, BOOLEANS = (
    tuple(f"{kind}.{slot}" for slot in range(SLOTS_A_PROJECT)) for kind in ("s", "n", "b")
)
"""The fields of each slot."""
_TYPES = ((STRINGS, "keyword"), (NUMBERS, "double"), (BOOLEANS, "boolean"))


def event_index(name: str, *, shards: int, replicas: int | None) -> dict[str, Any]:
    """The body that makes an event index. Any: JSON of the engine's own shape."""
    return _flat(_declared(name, shards=shards, replicas=replicas).to_dict())


def event_template(name: str, *, shards: int, replicas: int | None) -> dict[str, Any]:
    """The body of the template `name` for the indices `name-*`. It forbids that one of them comes
    into being by being written to: it would have its figures cut off from their generation."""
    index = _declared(name, shards=shards, replicas=replicas)
    template = ComposableIndexTemplate(name, f"{name}-*", index=index, priority=PRIORITY).to_dict()
    return {**template, "template": _flat(template["template"]), "allow_auto_create": False}


def replicas_setting(replicas: int | None) -> dict[str, Any]:
    """So many; without a number, one as soon as a second node can hold it."""
    if replicas is None:
        return {"auto_expand_replicas": "0-1"}
    return {"number_of_replicas": replicas}


def _declared(name: str, *, shards: int, replicas: int | None) -> Index:
    index = Index(name)
    index.settings(
        number_of_shards=shards,
        refresh_interval="-1",  # the projector refreshes, once a turn
        gc_deletes="0s",  # a restored document may be of the version that was deleted
        **{"mapping.total_fields.limit": FIELDS_LIMIT},
        **replicas_setting(replicas),
    )
    index.mapping(_mapping(shards))
    return index


def _mapping(shards: int) -> Mapping:
    mapping = Mapping()
    mapping.meta("dynamic", "strict")
    mapping.meta("_source", enabled=False)  # the warehouse has the record
    mapping.meta("_routing", required=shards > 1)
    mapping.meta("_meta", weir=MAPPING_VERSION)
    mapping.field("p", "keyword", doc_values=False)
    mapping.field("t", "long")  # a date is read as text, which costs the server 3 us more
    mapping.field("k", "keyword", index=False)  # sorted by, never looked up: `_id` is for that
    mapping.field("v", "long", index=False)
    mapping.field("h", "integer", index=False)
    for name in CORE_FIELDS.values():
        mapping.field(name, "keyword")
    for names, type_ in _TYPES:
        for name in names:
            mapping.field(name, type_)
    return mapping


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    """The mapping's `subobjects`, which elasticsearch.dsl has no word for."""
    return {**body, "mappings": {**body["mappings"], "subobjects": False}}
