"""One process's connection to the cluster: requests out, JSON back, errors translated.

Made at the first request, so that a forked child has its own. Knows no document and no query.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

import msgspec
from elastic_transport import JsonSerializer
from elasticsearch import Elasticsearch
from elasticsearch.dsl.connections import connections

from timeseries.adapters.elasticsearch.errors import translated
from timeseries.adapters.elasticsearch.options import Options

CONNECTIONS = 20
"""To each node: more threads than that wait for one another."""
JSON = "application/json"
NDJSON = "application/x-ndjson"
_ACCEPT = {"accept": JSON}
_HEADERS = {kind: {**_ACCEPT, "content-type": kind} for kind in (JSON, NDJSON)}

Json = Mapping[str, Any]
"""A JSON object of the engine's own shape: hence Any."""


class Searching(Protocol):
    """What queries are run on: the documents of one project in one generation."""

    def search(
        self,
        body: Json,
        *,
        project: str,
        generation: int,
        from_ms: int | None,
        to_ms: int | None,
        timeout_s: float,
    ) -> Json:
        """The answer to a search body, over the project's documents in [from_ms, to_ms), all times
        where these are None; both filters are added to the body's own query.

        Where no index exists yet the answer has no hits, and no `aggregations` at all. Raises
        QueryTimeout, SeriesBackpressure, SeriesUnavailable; a partial answer is never returned.
        """


class _Json(JsonSerializer):
    """Several times as fast as the standard library, on answers with many buckets."""

    def json_dumps(self, data: Any) -> bytes:
        return msgspec.json.encode(data)

    def json_loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class Cluster:
    """Thread-safe; connects to nothing before the first request."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._alias = f"weir-{uuid4().hex}"
        self._lock = threading.Lock()
        self._pid = 0

    def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        timeout_s: float,
        body: Json | bytes | Sequence[Json | bytes] | None = None,
        params: Mapping[str, str | int] | None = None,
        allowed: Sequence[int] = (),
    ) -> Any:
        """The decoded answer; a sequence as `body` is sent as lines. `what` says in an error what
        was tried; answers of status `allowed` are no errors.

        Raises SeriesUnavailable, SeriesBackpressure, QueryTimeout, SeriesError.
        """
        kind = JSON if body is None or isinstance(body, Mapping) else NDJSON
        with translated(what):
            client = self._client().options(request_timeout=timeout_s, ignore_status=allowed)
            answer = client.perform_request(
                method,
                path,
                params=params,
                headers=_HEADERS[kind] if body is not None else _ACCEPT,
                body=body,
            )
            return answer.body

    def close(self) -> None:
        """Idempotent; a later request connects anew."""
        with self._lock:
            if self._pid == os.getpid():
                connections.get_connection(self._alias).close()
                connections.remove_connection(self._alias)
            self._pid = 0

    def _client(self) -> Elasticsearch:
        with self._lock:
            if self._pid != os.getpid():
                connections.create_connection(self._alias, **self._settings())
                self._pid = os.getpid()
            return connections.get_connection(self._alias)

    def _settings(self) -> dict[str, Any]:
        """No compression and no sniffing: the servers are near, and named one by one."""
        options = self._options
        settings: dict[str, Any] = {
            "hosts": list(options.hosts),
            "connections_per_node": CONNECTIONS,
            "max_retries": max(1, len(options.hosts) - 1),
            "retry_on_status": (),
            "retry_on_timeout": False,
            "serializer": _Json(),
        }
        if options.user is not None:
            settings["basic_auth"] = (options.user, options.password)
        if options.hosts[0].startswith("https:"):
            settings |= {"verify_certs": options.verify, "ssl_show_warn": options.verify}
            if options.ca:
                settings["ca_certs"] = options.ca
        return settings
