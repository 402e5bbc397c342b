"""The admin pages of projects and keys: what staff see, do, and may not do."""

import html
import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from access import services
from access.claims import Scope
from access.key_pairs import generate_key_pair, load_private_key
from access.keys import write_key_digest
from access.models import Project, SigningKey, WriteKey
from tests.builders import make_project_name

ROWS: Mapping[str, Any] = {"signingkey": SigningKey.objects, "writekey": WriteKey.objects}
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    """Signed in, allowed everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=None))
    return client


def client_with(*permissions: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def project() -> services.CreatedProject:
    return services.create_project(make_project_name())


def page_of(model: str, view: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:access_{model}_{view}", args=args)


def text_of(response: Any) -> str:  # Any: the test client's own response type
    return html.unescape(response.content.decode())


def act(client: Client, model: str, action: str, *ids: Any, confirmed: bool) -> Any:
    data: dict[str, Any] = {"action": action, "_selected_action": list(ids)}
    return client.post(
        page_of(model), data | ({"confirmed": "yes"} if confirmed else {}), follow=True
    )


def add(client: Client, model: str, data: Mapping[str, Any]) -> Any:
    return client.post(page_of(model, "add"), data)


def private_key_in(text: str) -> str:
    found = re.search(r"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", text, re.DOTALL)
    assert found is not None
    return found[0]


def test_a_new_project_shows_its_secrets_once(staff: Client) -> None:
    name = make_project_name()
    data = {"name": name, "allowed_origins": "https://a.example\n*", "extra_scopes": ["replay"]}
    response = add(staff, "project", data)
    text = text_of(response)

    key = SigningKey.objects.get(project=name)
    assert load_private_key(private_key_in(text)).public.kid == key.kid
    assert key.granted() == {Scope.INGEST, Scope.QUERY, Scope.REPLAY}
    write_key = re.search(r"wk_\w{32}", text)
    assert write_key is not None
    assert WriteKey.objects.get(project=name).digest == write_key_digest(write_key[0])
    assert Project.objects.get(name=name).allowed_origins == ["*", "https://a.example"]
    assert "no-store" in response.headers["Cache-Control"]

    for page in (page_of("project"), page_of("project", "change", name), page_of("writekey")):
        later = text_of(staff.get(page))
        assert write_key[0] not in later
        assert "PRIVATE KEY" not in later


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Shop"}, "A name has 1 to 63"),
        ({"name": ""}, "This field is required"),
        ({"allowed_origins": "nonsense"}, "'nonsense' is not an origin"),
        ({"extra_scopes": ["admin"]}, "not one of the available choices"),
    ],
)
def test_a_project_that_cannot_be_is_refused_beside_the_field(
    staff: Client, changes: dict[str, Any], said: str
) -> None:
    response = add(staff, "project", {"name": "shop", "allowed_origins": ""} | changes)
    assert response.status_code == 200
    assert said in text_of(response)
    assert not Project.objects.exists()


def test_a_taken_name_is_refused(staff: Client, project: services.CreatedProject) -> None:
    assert "already exists" in text_of(add(staff, "project", {"name": project.project}))


def test_only_a_projects_origins_change(staff: Client, project: services.CreatedProject) -> None:
    page = page_of("project", "change", project.project)
    staff.post(page, {"name": "renamed", "allowed_origins": "https://b.example"})
    assert Project.objects.get().name == project.project
    assert Project.objects.get().allowed_origins == ["https://b.example"]
    assert "https://b.example" in text_of(staff.get(page))


@pytest.mark.parametrize("model", ["project", "signingkey", "writekey"])
def test_nothing_is_deleted(staff: Client, project: services.CreatedProject, model: str) -> None:
    key = {
        "project": project.project,
        "signingkey": SigningKey.objects.get().pk,
        "writekey": WriteKey.objects.get().pk,
    }[model]
    assert staff.post(page_of(model, "delete", key), {"post": "yes"}).status_code == 403
    assert "Delete selected" not in text_of(staff.get(page_of(model)))
    act(staff, model, "delete_selected", key, confirmed=True)
    assert Project.objects.count() == SigningKey.objects.count() == WriteKey.objects.count() == 1


def test_a_pasted_public_key_is_registered(staff: Client, project: services.CreatedProject) -> None:
    pair = generate_key_pair()
    data = {
        "project": project.project,
        "public_key": pair.public.pem,
        "extra_scopes": ["operate"],
        "label": "<b>ci</b>",
    }
    response = add(staff, "signingkey", data)
    assert response.status_code == 302
    key = SigningKey.objects.get(kid=pair.public.kid)
    assert key.granted() == {Scope.INGEST, Scope.QUERY, Scope.OPERATE}

    listed = staff.get(page_of("signingkey")).content.decode()
    assert "&lt;b&gt;ci&lt;/b&gt;" in listed
    assert "<b>ci" not in listed
    assert "is registered already" in text_of(add(staff, "signingkey", data))


def test_without_a_public_key_a_pair_is_made_and_shown_once(
    staff: Client, project: services.CreatedProject
) -> None:
    text = text_of(add(staff, "signingkey", {"project": project.project, "label": "ci"}))
    kid = load_private_key(private_key_in(text)).public.kid
    assert SigningKey.objects.get(kid=kid).label == "ci"


def test_what_is_no_public_key_is_refused_beside_the_field(
    staff: Client, project: services.CreatedProject
) -> None:
    for pasted, said in (
        ("rubbish", "this is not a public key"),
        (generate_key_pair().private_pem(), "this is a private key"),
    ):
        data = {"project": project.project, "public_key": pasted}
        assert said in text_of(add(staff, "signingkey", data))
    assert SigningKey.objects.count() == 1


def test_scopes_of_a_key_are_set_on_its_page(
    staff: Client, project: services.CreatedProject
) -> None:
    page = page_of("signingkey", "change", SigningKey.objects.get().pk)
    staff.post(page, {"extra_scopes": ["erase", "operate"]})
    key = SigningKey.objects.get()
    assert key.granted() == {Scope.INGEST, Scope.QUERY, Scope.ERASE, Scope.OPERATE}
    assert key.kid == project.kid
    assert 'value="erase" id="id_extra_scopes_2" checked' in staff.get(page).content.decode()


def test_operate_needs_a_permission_of_its_own(project: services.CreatedProject) -> None:
    clerk = client_with("view_signingkey", "change_signingkey", "add_signingkey")
    page = page_of("signingkey", "change", SigningKey.objects.get().pk)
    assert 'value="operate"' not in clerk.get(page).content.decode()
    clerk.post(page, {"extra_scopes": ["operate"]})
    assert Scope.OPERATE not in SigningKey.objects.get().granted()

    services.set_scopes(project.kid, [Scope.OPERATE])
    clerk.post(page, {"extra_scopes": ["erase"]})
    assert SigningKey.objects.get().granted() >= {Scope.OPERATE, Scope.ERASE}

    allowed = client_with_operate()
    assert 'value="operate"' in allowed.get(page).content.decode()


def client_with_operate() -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    names = ["view_signingkey", "change_signingkey", "grant_operate"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def test_a_new_write_key_is_shown_once(staff: Client, project: services.CreatedProject) -> None:
    response = add(staff, "writekey", {"project": project.project, "label": "site"})
    write_key = re.search(r"wk_\w{32}", text_of(response))
    assert write_key is not None
    row = WriteKey.objects.get(label="site")
    assert row.digest == write_key_digest(write_key[0])

    page = page_of("writekey", "change", row.pk)
    assert row.prefix in text_of(staff.get(page))
    assert row.digest not in text_of(staff.get(page))
    staff.post(page, {"project": project.project, "label": "changed"})
    assert WriteKey.objects.get(pk=row.pk).label == "site"


@pytest.mark.parametrize("model", ["signingkey", "writekey"])
def test_revoking_asks_first(staff: Client, project: services.CreatedProject, model: str) -> None:
    rows = ROWS[model]
    key = rows.get()

    asked = act(staff, model, "revoke", key.pk, confirmed=False)
    assert "This cannot be undone" in text_of(asked)
    assert rows.get().revoked_at is None

    done = act(staff, model, "revoke", key.pk, confirmed=True)
    assert rows.get().revoked_at is not None
    assert f"{key}: revoked" in text_of(done)
    assert "revoked" in text_of(staff.get(page_of(model, "history", key.pk)))


@pytest.mark.parametrize("model", ["signingkey", "writekey"])
def test_rotating_asks_first_and_shows_the_successor_once(
    staff: Client, project: services.CreatedProject, model: str
) -> None:
    rows = ROWS[model]
    key = rows.get()

    asked = act(staff, model, "rotate", key.pk, confirmed=False)
    assert "still work for 24 hours" in text_of(asked)
    assert rows.count() == 1

    shown = text_of(act(staff, model, "rotate", key.pk, confirmed=True))
    assert rows.count() == 2
    assert ("PRIVATE KEY" in shown) is (model == "signingkey")
    assert "cannot be shown again" in shown
    listed = text_of(staff.get(page_of(model)))
    assert "retires 20" in listed
    assert "in force" in listed


def test_a_refused_rotation_changes_nothing_and_says_why(
    staff: Client, project: services.CreatedProject
) -> None:
    services.issue_signing_key(project.project)
    services.revoke_signing_key(project.kid)
    ids = list(SigningKey.objects.values_list("pk", flat=True))
    said = text_of(act(staff, "signingkey", "rotate", *ids, confirmed=True))
    assert "Nothing was changed" in said
    assert "is revoked" in said
    assert SigningKey.objects.count() == 2
    assert not SigningKey.objects.exclude(not_after=None).exists()


def test_a_retired_key_is_called_so(staff: Client, project: services.CreatedProject) -> None:
    services.rotate_signing_key(project.kid, overlap=services.OVERLAP * 0)
    assert "retired" in text_of(staff.get(page_of("signingkey")))


def test_a_reader_sees_but_cannot_act(project: services.CreatedProject) -> None:
    reader = client_with("view_signingkey", "view_writekey", "view_project")
    key = SigningKey.objects.get()
    assert project.kid in text_of(reader.get(page_of("signingkey")))
    assert project.kid in text_of(reader.get(page_of("signingkey", "change", key.pk)))
    act(reader, "signingkey", "revoke", key.pk, confirmed=True)
    assert SigningKey.objects.get().revoked_at is None
    for model in ("project", "signingkey", "writekey"):
        assert add(reader, model, {}).status_code == 403


def test_strangers_are_sent_to_the_sign_in() -> None:
    response = Client().get(page_of("project"))
    assert response.status_code == 302
    assert "/login/" in response.headers["Location"]


def test_a_refusal_that_only_the_service_sees_comes_back_as_a_message(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_project_name()
    # Another clerk took the name between the form's check and the insert.
    monkeypatch.setattr(Project, "validate_unique", lambda self, exclude=None: None)
    monkeypatch.setattr(Project, "validate_constraints", lambda self, exclude=None: None)
    services.create_project(name)
    response = staff.post(page_of("project", "add"), {"name": name}, follow=True)
    assert "exists already" in text_of(response)
