"""Harm done to a view behind its store's back: documents deleted, changed and added by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx

from feed.event import key_time_ms
from feed.sqlite import Connection, open_file, writing
from tests.elasticsearch_view import server_of
from timeseries.adapters.elasticsearch.documents import document_id
from timeseries.adapters.elasticsearch.indices import Names, Place

TAMPERED = "tampered"
"""The event name of what was changed or added."""


class Damage(Protocol):
    """Of one project in generation 1."""

    def delete(self, key: bytes) -> None:
        """Away with a document."""

    def put(self, key: bytes) -> None:
        """Write a document in the place of the one that is there, or a new one."""


class EmbeddedDamage:
    """Edits the file of the generation; its rollups are left as they were."""

    def __init__(self, data_dir: Path, project: str, *, generation: int = 1) -> None:
        self._path = data_dir / "timeseries" / f"generation-{generation}.sqlite"
        self._project = project

    def delete(self, key: bytes) -> None:
        """See Damage."""
        with self._opened() as (connection, project):
            connection.execute("DELETE FROM docs WHERE project_id = ? AND key = ?", (project, key))
            assert connection.changes() == 1

    def put(self, key: bytes) -> None:
        """See Damage."""
        with self._opened() as (connection, project):
            connection.execute(
                "INSERT OR IGNORE INTO event_names (project_id, name) VALUES (?, ?)",
                (project, TAMPERED),
            )
            connection.execute(
                "INSERT OR REPLACE INTO docs"
                " (project_id, key, version, event_id, hash24, omitted, type)"
                " SELECT project_id, ?, 1, id, 1, 0, 'track' FROM event_names"
                " WHERE project_id = ? AND name = ?",
                (key, project, TAMPERED),
            )

    @contextmanager
    def _opened(self) -> Iterator[tuple[Connection, int]]:
        connection = open_file(self._path)
        try:
            with writing(connection):
                query = "SELECT id FROM projects WHERE name = ?"
                ((project,),) = connection.execute(query, (self._project,)).fetchall()
                yield connection, int(str(project))
        finally:
            connection.close()


class ElasticsearchDamage:
    """Speaks to the server; `url` is the view's, with its index_prefix."""

    def __init__(self, url: str, project: str) -> None:
        parts = urlsplit(url)
        self._server = server_of(url)
        self._names = Names(dict(parse_qsl(parts.query))["index_prefix"])
        self._project = project

    def delete(self, key: bytes) -> None:
        """See Damage."""
        with self._asking(key) as (client, path):
            client.delete(path).raise_for_status()

    def put(self, key: bytes) -> None:
        """See Damage."""
        body = {
            "p": self._project,
            "t": key_time_ms(key),
            "k": key.hex(),
            "v": 1,
            "h": 1,
            "e": TAMPERED,
            "y": "track",
        }
        with self._asking(key) as (client, path):
            client.put(path, json=body).raise_for_status()

    @contextmanager
    def _asking(self, key: bytes) -> Iterator[tuple[httpx.Client, str]]:
        with httpx.Client(base_url=self._server, timeout=60) as client:
            found = client.get(f"/{self._names.generations}/_doc/1").raise_for_status().json()
            record = found["_source"]
            place = Place(1, record["monthly_from_year"], record["shards"], record["spread"])
            index = self._names.index_at(place, key_time_ms(key))
            name = document_id(self._project, key)
            yield client, f"/{index}/_doc/{name}?refresh=true"
