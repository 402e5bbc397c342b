"""What `dev` prints once everything runs: where to look, and two lines to paste into a shell."""

import json
import shlex

HELLO = {"event": "hello", "user_id": "me"}
READ_BACK = {
    "range": "24h",
    "metrics": [{"name": "events", "agg": "count"}],
    "filter": ["is", "event", ["hello"]],
}


def curl(url: str, token: str, body: object) -> str:
    """A line for a POSIX shell that posts JSON with the token."""
    return " ".join(
        [
            "curl -sS",
            shlex.quote(url),
            "-H " + shlex.quote(f"Authorization: Bearer {token}"),
            "-H 'Content-Type: application/json'",
            "-d " + shlex.quote(json.dumps(body, separators=(",", ":"))),
        ]
    )


def banner(*, url: str, user: str, password: str | None, token: str) -> str:
    """The whole text; a changed password is not repeated."""
    shown = password if password is not None else "(as you have changed it)"
    return "\n".join(
        [
            "",
            f"  Admin      {url}/admin/",
            f"             user {user}, password {shown}",
            f"  Dashboard  {url}/admin/explorer/",
            f"  API        {url}/docs/",
            f"  Token      {token}",
            "",
            "  Send an event, and wait until it is charted:",
            "",
            curl(f"{url}/v1/events?ack=projected", token, HELLO),
            "",
            "  Read it back:",
            "",
            curl(f"{url}/v1/query/total", token, READ_BACK),
            "",
            "  Ctrl-C stops every part. Nothing acknowledged is lost.",
            "",
        ]
    )
