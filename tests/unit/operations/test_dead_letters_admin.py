"""The admin's list of dead letters: found by what one knows, shown safely, never changed."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from feed.dead_letters import to_record
from operations.dead_letter_rows import DeadLetterRow
from operations.dead_letters import keep
from tests.builders import NOON_MS
from tests.unit.operations.test_dead_letters import lying, make_letter

pytestmark = pytest.mark.django_db
LIST = "admin:operations_deadletterrow_changelist"
DAY_MS = 86_400_000


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=None))
    return client


@pytest.fixture
def _letters() -> None:
    letters = [
        make_letter(id="a", project="shop", code="invalid_id", event_id="e-1"),
        make_letter(id="b", project="blog", stage="projector", request_id="r-2"),
        make_letter(id="c", project="blog", at_ms=NOON_MS - 400 * DAY_MS, event_key="k-3"),
    ]
    keep([lying(to_record(letter)) for letter in letters])


def listed(client: Client, **query: str) -> list[str]:
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


@pytest.mark.usefixtures("_letters")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"project": "blog"}, ["b", "c"]),
        ({"stage": "projector"}, ["b"]),
        ({"code": "invalid_id"}, ["a"]),
        ({"refused_at__gte": "2026-01-01 00:00:00+00:00"}, ["a", "b"]),
        ({"q": "e-1"}, ["a"]),
        ({"q": "r-2"}, ["b"]),
        ({"q": "k-3"}, ["c"]),
        ({"q": "c"}, ["c"]),
        ({"q": "nothing"}, []),
    ],
)
def test_letters_are_found_newest_first(
    staff: Client, query: dict[str, str], found: list[str]
) -> None:
    assert listed(staff, **query) == found


def test_a_payload_is_shown_as_text_and_never_as_markup(staff: Client) -> None:
    payload = b'<script>alert("x")</script>\xff'
    letter = make_letter(id="evil", payload=payload, detail="<b>bold</b>" + "!" * 200)
    keep([lying(to_record(letter))])
    page = staff.get(reverse("admin:operations_deadletterrow_change", args=["evil"]))
    text = page.content.decode()
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\xff" in text
    assert "<script>alert" not in text
    assert "<b>bold" not in text
    assert "<b>bold" not in staff.get(reverse(LIST)).content.decode()


@pytest.mark.parametrize(
    ("payload_bytes", "note"), [(12, "12 bytes<"), (99, "99 bytes, of which the first 12")]
)
def test_the_page_says_whether_the_payload_is_whole(
    staff: Client, payload_bytes: int, note: str
) -> None:
    keep([lying(to_record(make_letter(payload_bytes=payload_bytes)))])
    page = staff.get(reverse("admin:operations_deadletterrow_change", args=["letter-1"]))
    assert note in page.content.decode()


@pytest.mark.usefixtures("_letters")
def test_not_even_a_superuser_adds_changes_or_deletes(staff: Client) -> None:
    change = reverse("admin:operations_deadletterrow_change", args=["a"])
    assert staff.get(reverse("admin:operations_deadletterrow_add")).status_code == 403
    assert staff.post(change, {"code": "other"}).status_code == 403
    delete = reverse("admin:operations_deadletterrow_delete", args=["a"])
    assert staff.post(delete, {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": ["a"], "post": "yes"}
    staff.post(reverse(LIST), action)
    assert DeadLetterRow.objects.get(pk="a").code == "invalid_id"
    assert DeadLetterRow.objects.count() == 3


@pytest.mark.usefixtures("_letters")
def test_a_clerk_needs_the_permission_to_look() -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(reverse(LIST)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_deadletterrow"))
    assert listed(client) == ["a", "b", "c"]


@pytest.mark.usefixtures("_letters")
def test_a_row_names_itself(staff: Client) -> None:
    assert str(DeadLetterRow.objects.get(pk="a")) == "invalid_id at ingest, a"
