"""The admin pages of replays as a client of them sees them."""

import html
import re
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission, User
from django.test import Client

from replay import orders
from replay.domain import Move, Rate
from replay.models import Replay
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, fill, make_order

LIST = "/admin/replay/replay/"
NEW, CONFIRM = f"{LIST}add/", f"{LIST}confirm/"
RANGE = {"range": "custom", "from_at": "2026-11-01T07:00", "to_at": "2026-11-01T12:00:00"}
ALL = {"project": "demo", "max_eps": "500", "auto": "on"} | RANGE
"""The form of all that `fill` made."""


def client_with(*permissions: str, name: str = "clerk", **options: Any) -> Client:  # Any: Client's
    """Staff, signed in, with these permissions alone."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(**options)
    client.force_login(user)
    return client


def text_of(response: Any) -> str:  # Any: the test client's own response type
    """Without markup, words one blank apart."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())))


def ask(client: Client, **changes: Any) -> Any:  # Any: the test client's own types
    """Send the form of Confirm; None leaves a field out."""
    sent = ALL | {"reason": "a gap in the view", "key": str(uuid4())} | changes
    return client.post(CONFIRM, {name: value for name, value in sent.items() if value is not None})


def move(client: Client, row: Replay, name: Move, **data: str) -> Any:  # Any: as above
    """Press a button."""
    return client.post(f"{LIST}{row.id}/{name.value}/", data, follow=True)


def progress_of(client: Client, row: Replay) -> Any:  # Any: JSON
    """What the page asks for every second."""
    return client.get(f"{LIST}{row.id}/progress/").json()


def filled(pipeline: LocalPipeline) -> orders.Order:
    """An order for 30 events, of which 10 are named order."""
    fill(pipeline, 30)
    return make_order(rate=Rate(10, auto=False))


def ready(pipeline: LocalPipeline) -> Replay:
    """A replay that waits to be started."""
    return orders.create(filled(pipeline), ANNA, pipeline.events)
