"""A stack with a year-old past in it, and replays of it through the real API and processes."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from feed.event import event_key
from tests.builders import NOON_MS
from tests.stack import Credentials, Stack, wait_until

YEAR_MS = 365 * 24 * 3_600_000
FROM_MS = NOON_MS - YEAR_MS
SPAN_MS = 6 * 3_600_000
FROM, TO = "2025-11-01T12:00:00Z", "2025-11-01T18:00:00Z"
END_LIMIT_S = 240.0
Json = dict[str, Any]  # Any: JSON


@dataclass
class Past:
    """`count` events of a year ago, in warehouse and view."""

    stack: Stack
    credentials: Credentials
    count: int

    def figures(self) -> Any:  # Any: JSON
        """What a client sees: counts, sums, extremes, people; by hour, by event, by plan."""
        return [self._ask(group) for group in ([], ["event"], ["properties.plan"])]

    def _ask(self, group_by: list[str]) -> Any:
        query = {
            "range": {"from": FROM, "to": TO},
            "interval": "1h",
            "metrics": [
                {"name": "n", "agg": "count"},
                {"name": "s", "agg": "sum", "field": "properties.ms"},
                {"name": "most", "agg": "max", "field": "properties.ms"},
                {"name": "people", "agg": "unique", "field": "user_id"},
            ],
            "group_by": group_by,
        }
        answer = httpx.post(
            f"{self.stack.url}/v1/query/series",
            json=query,
            headers=self.credentials.headers,
            timeout=60,
        )
        return answer.raise_for_status().json()["series"]

    def replay(self, *, max_eps: int | None = None) -> Json:
        """Start a replay of all of it; as it is then."""
        order = {
            "source": {"from": FROM, "to": TO},
            "rate": {"max_eps": max_eps, "auto": False},
            "reason": "a test",
        }
        made = self._request("POST", "/v1/replays", json=order)
        return self._request("POST", f"/v1/replays/{made['id']}/start")

    def tell(self, replay: Json, order: str) -> None:
        """Pause, resume or cancel it."""
        self._request("POST", f"/v1/replays/{replay['id']}/{order}")

    def wait_for_emission(self, replay: Json) -> None:
        """Until some of it is emitted."""
        wait_until(
            "some is emitted",
            lambda: self.shown(replay)["progress"]["emitted"] > 0,
            limit_s=END_LIMIT_S,
        )

    def change_rate(self, replay: Json, *, max_eps: int | None) -> None:
        """From now on."""
        rate = {"rate": {"max_eps": max_eps, "auto": False}}
        self._request("PATCH", f"/v1/replays/{replay['id']}", json=rate)

    def key(self, number: int) -> bytes:
        """Of the event of this number."""
        event_id, timestamp = f"e-{number}", FROM_MS + number * SPAN_MS // self.count
        return event_key(self.credentials.project, event_id, timestamp)

    def shown(self, replay: Json) -> Json:
        """The replay now, with its log."""
        return self._request("GET", f"/v1/replays/{replay['id']}")

    def _request(self, method: str, path: str, **content: Any) -> Json:
        answer = httpx.request(
            method,
            f"{self.stack.url}{path}",
            headers=self.credentials.headers,
            timeout=60,
            **content,
        )
        found: Json = answer.raise_for_status().json()
        return found

    def wait_for(self, replay: Json, *states: str) -> Json:
        """The replay, once it is in one of these states."""
        found = dict(replay)

        def is_there() -> bool:
            found.update(self.shown(replay))
            return found["state"] in states

        try:
            wait_until(f"the replay is {states}", is_there, limit_s=END_LIMIT_S)
        except TimeoutError as exc:
            exc.add_note(f"it is {found}")
            exc.add_note(self.stack.log("replayer")[-3000:])
            exc.add_note(self.stack.log("projector")[-3000:])
            raise
        return found


@contextmanager
def past(data_dir: Path, count: int, settings: Mapping[str, str] | None = None) -> Iterator[Past]:
    """Events imported and drained into warehouse and view; the web process runs, no worker does."""
    with Stack(data_dir, settings or {}) as stack:
        credentials = stack.create_project("replays", "replay")
        lines = data_dir / "past.ndjson"
        with lines.open("w") as file:
            for number in range(count):
                file.write(json.dumps(_event(number, count)) + "\n")
        stack.manage("import_events", "--project", credentials.project, str(lines))
        stack.drain()
        stack.start("web")
        yield Past(stack, credentials, count)


def _event(number: int, count: int) -> dict[str, object]:
    return {
        "event": ("signup", "order", "visit")[number % 3],
        "id": f"e-{number}",
        "timestamp": FROM_MS + number * SPAN_MS // count,
        "user_id": f"u{number % 500}",
        "properties": {
            "ms": number % 997,
            "plan": f"p{number % 5}",
            "tags": ["a", "b"][: number % 3],
        },
    }
