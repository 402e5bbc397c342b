"""`/v1/lag`, `/v1/status` and `/metrics` over a real pipeline, and the admin's pages."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from access.authentication import get_key_ring
from access.claims import Scope
from access.services import create_project
from analyticsproject.health import _read_metrics
from tests.builders import make_event, make_project_name
from tests.key_builders import ProjectKeys, tell_doors
from tests.local_pipeline import LocalPipeline

OPERATOR = frozenset({Scope.OPERATE, Scope.QUERY})


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> ProjectKeys:
    """A project whose key grants operate."""

    keys = ProjectKeys(granted=OPERATOR)
    tell_doors(monkeypatch, keys)
    return keys


def get(path: str, headers: dict[str, str] | None = None, *, method: str = "get") -> Any:
    return getattr(Client(), method)(path, headers=headers or {})


@pytest.mark.parametrize("path", ["/v1/lag", "/v1/status"])
def test_only_the_scope_operate_opens_them(
    pipeline: LocalPipeline, operator: ProjectKeys, path: str
) -> None:
    assert get(path).status_code == 401
    assert get(path).headers["WWW-Authenticate"].startswith("Bearer error=")
    refused = get(path, operator.bearer(Scope.QUERY))
    assert refused.status_code == 403
    assert refused.json()["code"] == "missing_scope"
    assert get(path, operator.bearer(Scope.OPERATE)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/lag", "/v1/status"])
def test_other_methods_are_405_problems(
    pipeline: LocalPipeline, operator: ProjectKeys, path: str
) -> None:
    answer = get(path, operator.bearer(Scope.OPERATE), method="post")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense"])
def test_the_answer_is_json_whatever_accept_says(
    pipeline: LocalPipeline, operator: ProjectKeys, accept: str
) -> None:
    answer = get("/v1/lag", operator.bearer(Scope.OPERATE) | {"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"


def test_lag_shows_what_waits(pipeline: LocalPipeline, operator: ProjectKeys) -> None:
    pipeline.publish_events([make_event() for _ in range(9)])
    pipeline.store()

    said = get("/v1/lag", operator.bearer(Scope.OPERATE)).json()

    waiting = {
        group: sum(row["lag"] for row in said["data"] if row["group"] == group)
        for group in ("warehouse-sink", "projector")
    }
    assert waiting == {"warehouse-sink": 0, "projector": 9}
    assert said["as_of"].endswith("Z")


def test_metrics_tell_the_same_lag(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event(id="one")])

    text = _read_metrics().decode()

    gauges = [
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("weir_consumer_lag_records{") and 'group="projector"' in line
    ]
    assert sorted(gauges) == [0.0, 0.0, 0.0, 1.0]


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=None))
    return client


def clerk(*permissions: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_the_first_page_has_the_pipeline_on_it(pipeline: LocalPipeline, staff: Client) -> None:
    page = staff.get("/admin/").content.decode()

    assert 'id="pipeline"' in page
    assert "weir/pipeline.js" in page
    assert "<script>" not in page
    assert "style=" not in page.partition('id="pipeline"')[2].partition("</section>")[0]


def test_the_first_pages_figures_are_for_staff(pipeline: LocalPipeline, staff: Client) -> None:
    figures = staff.get("/admin/pipeline.json").json()
    refused = Client().get("/admin/pipeline.json")

    assert len(figures["lag"]) == 16
    assert {stage["name"] for stage in figures["stages"]} >= {"received", "stored", "projected"}
    assert refused.status_code == 403
    assert refused.json() == {"detail": "Your session has ended: sign in again."}


def test_the_explorer_asks_for_a_sign_in(db: None) -> None:
    answer = Client().get("/admin/explorer/")

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/admin/login/?next=/admin/explorer/"


def test_the_explorer_lists_projects(staff: Client) -> None:
    name = create_project(make_project_name()).project

    page = staff.get("/admin/explorer/").content.decode()

    assert f"<option>{name}</option>" in page


def test_without_a_project_the_explorer_says_what_to_do(staff: Client) -> None:
    page = staff.get("/admin/explorer/").content.decode()

    assert "manage.py create_project" in page


def test_a_staff_token_opens_queries_of_its_project_alone(staff: Client) -> None:
    name = create_project(make_project_name()).project
    get_key_ring().refresh()

    token = staff.get("/admin/explorer/token", {"project": name}).json()["token"]

    said = get_authenticator_claims(token)
    assert (said.project, said.scopes) == (name, frozenset({Scope.QUERY}))


def get_authenticator_claims(token: str) -> Any:
    from access.authentication import Authenticator

    return Authenticator(get_key_ring()).authenticate_token(token, scope=Scope.QUERY)


@pytest.mark.parametrize("permissions", [(), ("add_project",)])
def test_staff_who_may_not_see_projects_get_no_token(
    db: None, permissions: tuple[str, ...]
) -> None:
    name = create_project(make_project_name()).project
    client = clerk(*permissions)

    answer = client.get("/admin/explorer/token", {"project": name})

    assert answer.status_code == 403
    assert name not in client.get("/admin/explorer/").content.decode()


def test_staff_who_may_see_projects_get_one(db: None) -> None:
    name = create_project(make_project_name()).project

    answer = clerk("view_project").get("/admin/explorer/token", {"project": name})

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]


def test_nobody_gets_a_token_of_a_project_that_is_not_there(staff: Client) -> None:
    assert staff.get("/admin/explorer/token", {"project": "nobody"}).status_code == 403
    assert Client().get("/admin/explorer/token", {"project": "nobody"}).status_code == 403


@pytest.mark.parametrize("path", ["/docs/", "/docs/errors/", "/docs/errors/weak_id"])
def test_documentation_needs_no_sign_in(path: str) -> None:
    answer = Client().get(path)

    assert answer.status_code == 200
    assert "https://" not in answer.content.decode()


def test_a_code_that_does_not_exist_has_no_page() -> None:
    assert Client().get("/docs/errors/no_such_code").status_code == 404
