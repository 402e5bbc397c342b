"""Changes to projects and keys, and how a process learns of them."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from access import services
from access.claims import Claims, Scope
from access.errors import BadKey, BadName, BadOrigin, BadToken, NoServerKey, NotRegistered
from access.key_loading import load_snapshot
from access.key_pairs import generate_key_pair, load_private_key
from access.keys import KeySnapshot, write_key_digest
from access.models import ChangeStamp, Project, SigningKey, WriteKey
from access.problems import Problem
from access.tokens import verify
from tests.builders import make_project_name

pytestmark = pytest.mark.django_db


def snapshot() -> KeySnapshot:
    loaded = load_snapshot(None)
    assert loaded is not None
    return loaded


def claims_of(token: str, *, now_s: float | None = None) -> Claims:
    now_s = time.time() if now_s is None else now_s
    return verify(token, key_of=snapshot().signing_keys.get, now_s=now_s)


def token_of(created: services.CreatedProject, *scopes: Scope) -> str:
    return services.mint_token(
        created.project, scopes or [Scope.QUERY], private_key_pem=created.private_key_pem
    )


def test_a_projects_first_key_grants_ingest_query_and_what_was_asked() -> None:
    created = services.create_project(make_project_name(), [Scope.REPLAY])
    claims = claims_of(token_of(created, Scope.INGEST, Scope.QUERY, Scope.REPLAY))
    assert (claims.project, claims.kid) == (created.project, created.kid)
    with pytest.raises(BadToken, match="does not grant operate"):
        token_of(created, Scope.OPERATE)


def test_no_secret_is_stored() -> None:
    created = services.create_project(make_project_name())
    issued = services.issue_write_key(created.project)
    stored = " ".join(
        str(value)
        for model in (Project, SigningKey, WriteKey)
        for row in model.objects.values_list()
        for value in row
    )
    assert created.write_key not in stored
    assert issued.write_key not in stored
    assert "PRIVATE" not in stored
    assert write_key_digest(created.write_key) in stored
    for secret in (created.write_key, "PRIVATE"):
        assert secret not in repr(created)
        assert secret not in repr(issued)


def test_write_keys_are_long_marked_and_different() -> None:
    created = services.create_project(make_project_name())
    issued = services.issue_write_key(created.project, label="site")
    assert issued.write_key.startswith("wk_")
    assert len(issued.write_key) == 35
    assert issued.write_key != created.write_key
    assert snapshot().write_keys[write_key_digest(issued.write_key)].prefix == issued.prefix


@pytest.mark.parametrize("name", ["", "Shop", "a_b", "a" * 64, "shop\n", "é", "a b", "../x"])
def test_a_name_that_is_no_slug_is_refused(name: str) -> None:
    with pytest.raises(BadName, match="is no project name"):
        services.create_project(name)


def test_a_taken_name_is_refused_and_changes_nothing() -> None:
    created = services.create_project(make_project_name())
    before = ChangeStamp.objects.get().stamp
    with pytest.raises(BadName, match="exists already"):
        services.create_project(created.project)
    assert ChangeStamp.objects.get().stamp == before
    assert SigningKey.objects.filter(project=created.project).count() == 1


def test_a_name_never_changes_and_is_never_freed() -> None:
    created = services.create_project(make_project_name())
    project = Project.objects.get(name=created.project)
    project.name = "renamed"
    with pytest.raises(BadName, match="never changes"):
        project.save()
    with pytest.raises(BadName, match="never reused"):
        Project.objects.get(name=created.project).delete()
    assert Project.objects.filter(name=created.project).exists()


def test_origins_are_kept_in_one_form() -> None:
    created = services.create_project(make_project_name(), allowed_origins=["HTTPS://a.example/"])
    assert snapshot().origins[created.project] == ("https://a.example",)
    services.set_allowed_origins(created.project, ["http://b.example:80", "*", "*"])
    assert snapshot().origins[created.project] == ("*", "http://b.example")
    with pytest.raises(BadOrigin):
        services.set_allowed_origins(created.project, ["nonsense"])


def test_a_public_key_is_registered_once() -> None:
    created = services.create_project(make_project_name())
    pair = generate_key_pair()
    key = services.add_signing_key(created.project, pair.public.pem, scopes=[Scope.OPERATE])
    assert key.kid == pair.public.kid
    assert key.granted() == {Scope.INGEST, Scope.QUERY, Scope.OPERATE}
    with pytest.raises(BadKey, match="registered already"):
        services.add_signing_key(created.project, pair.public.pem)


def test_granting_takes_effect_in_the_next_snapshot() -> None:
    created = services.create_project(make_project_name())
    services.set_scopes(created.kid, [Scope.OPERATE])
    token = token_of(created, Scope.OPERATE)
    assert claims_of(token).may(Scope.OPERATE)
    services.set_scopes(created.kid, [])
    with pytest.raises(Problem, match="does not grant"):
        claims_of(token)


def test_rotation_gives_a_successor_with_the_same_rights_and_an_overlap() -> None:
    created = services.create_project(make_project_name(), [Scope.REPLAY])
    old_token = token_of(created)
    rotated = services.rotate_signing_key(created.kid, overlap=timedelta(hours=1))

    assert rotated.kid != created.kid
    new = services.mint_token(
        created.project, [Scope.REPLAY], private_key_pem=rotated.private_key_pem
    )
    assert claims_of(new).kid == rotated.kid
    assert claims_of(old_token).kid == created.kid
    with pytest.raises(Problem, match="retired by a rotation"):
        claims_of(old_token, now_s=time.time() + 3601)


def test_a_second_rotation_never_prolongs_a_key() -> None:
    created = services.create_project(make_project_name())
    services.rotate_signing_key(created.kid, overlap=timedelta(0))
    ended_at = SigningKey.objects.get(kid=created.kid).not_after
    services.rotate_signing_key(created.kid, overlap=timedelta(days=1))
    assert SigningKey.objects.get(kid=created.kid).not_after == ended_at


def test_a_write_key_is_rotated_by_its_beginning() -> None:
    created = services.create_project(make_project_name())
    issued = services.rotate_write_key(created.write_key[:11], overlap=timedelta(0))
    records = snapshot().write_keys
    assert records[write_key_digest(created.write_key)].not_after_s <= time.time()
    assert records[write_key_digest(issued.write_key)].project == created.project


def test_a_revoked_key_opens_nothing_and_says_why() -> None:
    created = services.create_project(make_project_name())
    token = token_of(created)
    first = services.revoke_signing_key(created.kid).revoked_at
    services.revoke_write_key(created.write_key)

    with pytest.raises(Problem, match="was revoked"):
        claims_of(token)
    assert snapshot().write_keys[write_key_digest(created.write_key)].is_revoked
    assert services.revoke_signing_key(created.kid).revoked_at == first
    with pytest.raises(BadKey, match="is revoked"):
        services.rotate_signing_key(created.kid)
    with pytest.raises(BadToken, match="was revoked"):
        token_of(created)


def test_what_is_not_registered_is_refused_by_name() -> None:
    with pytest.raises(NotRegistered, match="no project nowhere"):
        services.issue_write_key("nowhere")
    with pytest.raises(NotRegistered, match="no signing key abc"):
        services.revoke_signing_key("abc")
    with pytest.raises(NotRegistered, match="no write key wk_abcdefgh…"):
        services.revoke_write_key("wk_abcdefghSECRET")


def test_an_ambiguous_beginning_revokes_nothing() -> None:
    created = services.create_project(make_project_name())
    services.issue_write_key(created.project)
    with pytest.raises(BadKey, match="several write keys"):
        services.revoke_write_key("wk_")
    assert not WriteKey.objects.exclude(revoked_at=None).exists()


def test_every_change_stamps_and_an_undone_one_does_not() -> None:
    created = services.create_project(make_project_name())
    stamps = [ChangeStamp.objects.get().stamp]
    changes: list[Callable[[], object]] = [
        lambda: services.set_allowed_origins(created.project, ["*"]),
        lambda: services.issue_signing_key(created.project),
        lambda: services.set_scopes(created.kid, [Scope.ERASE]),
        lambda: services.rotate_signing_key(created.kid),
        lambda: services.rotate_write_key(created.write_key),
        lambda: services.revoke_signing_key(created.kid),
        lambda: services.revoke_write_key(created.write_key),
    ]
    for change in changes:
        change()
        stamps.append(ChangeStamp.objects.get().stamp)
    assert len(set(stamps)) == len(changes) + 1

    with transaction.atomic():
        services.issue_write_key(created.project)
        transaction.set_rollback(True)
    assert ChangeStamp.objects.get().stamp == stamps[-1]


def test_an_unchanged_stamp_loads_nothing() -> None:
    services.create_project(make_project_name())
    stamp = snapshot().stamp
    assert load_snapshot(stamp) is None
    services.create_project(make_project_name())
    assert load_snapshot(stamp) is not None


def test_a_row_spoilt_by_hand_closes_no_other_door() -> None:
    created = services.create_project(make_project_name())
    for kid, pem, scopes in (
        ("bad", "rubbish", []),
        ("odd", generate_key_pair().public.pem, ["x"]),
    ):
        SigningKey.objects.create(
            kid=kid, project_id=created.project, public_key=pem, scopes=scopes
        )
    assert claims_of(token_of(created)).project == created.project


def test_a_token_is_not_minted_for_another_keys_project() -> None:
    created = services.create_project(make_project_name())
    other = services.create_project(make_project_name())
    with pytest.raises(BadToken, match=f"registered for {created.project}, not {other.project}"):
        services.mint_token(other.project, [Scope.QUERY], private_key_pem=created.private_key_pem)
    with pytest.raises(NotRegistered, match="no signing key"):
        services.mint_token(
            other.project, [Scope.QUERY], private_key_pem=generate_key_pair().private_pem()
        )


def test_the_key_id_is_the_thumbprint_of_the_private_key_shown() -> None:
    created = services.create_project(make_project_name())
    assert load_private_key(created.private_key_pem).public.kid == created.kid


def test_a_staff_token_opens_every_scope_of_the_project_it_names() -> None:
    created = services.create_project(make_project_name())
    claims = claims_of(services.staff_token(created.project, list(Scope), 300))
    assert claims.project == created.project
    assert claims.scopes == frozenset(Scope)
    assert claims.expires_at_s <= time.time() + 300


def test_a_staff_token_of_another_secret_is_a_stranger() -> None:
    with override_settings(SECRET_KEY="another-secret"):  # noqa: S106
        token = services.staff_token("demo", [Scope.QUERY], 300)
        assert claims_of(token).project == "demo"
    with pytest.raises(Problem, match="unknown key"):
        claims_of(token)


def test_without_a_secret_there_is_no_server_key() -> None:
    with override_settings(SECRET_KEY=""):
        with pytest.raises(NoServerKey, match="WEIR_SECRET_KEY"):
            services.staff_token("demo", [Scope.QUERY], 300)
        assert all(record.project for record in snapshot().signing_keys.values())


def test_rows_say_what_they_are() -> None:
    created = services.create_project(make_project_name())
    assert str(SigningKey.objects.get(kid=created.kid)) == f"{created.kid} of {created.project}"
    write_key = WriteKey.objects.get(project=created.project)
    assert str(write_key) == f"{created.write_key[:11]}… of {created.project}"
    assert str(Project.objects.get(name=created.project)) == created.project
    assert str(ChangeStamp.objects.get()) == snapshot().stamp
    assert write_key.created_at <= timezone.now()
