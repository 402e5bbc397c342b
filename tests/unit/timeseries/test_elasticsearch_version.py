"""An Elasticsearch that is too old is refused in a sentence; a small server stands for it, since no
such one is at hand."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from timeseries.adapters.elasticsearch import open_series_store
from timeseries.errors import SeriesError


class OldServer(BaseHTTPRequestHandler):
    """Answers what it is asked for its version, as 8.19 does."""

    def do_GET(self) -> None:
        body = json.dumps({"nodes": {"a": {"version": "9.0.1"}, "b": {"version": "8.19.2"}}})
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OldServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_node_that_is_too_old_is_refused_and_nothing_is_made(address: str) -> None:
    store = open_series_store(f"elasticsearch+http://{address}", {}, Path())

    with pytest.raises(SeriesError) as raised:
        store.ensure(1)

    store.close()
    assert str(raised.value) == (
        "Elasticsearch 8.19.2 is too old: Weir needs 9.0 or newer; upgrade it"
    )
