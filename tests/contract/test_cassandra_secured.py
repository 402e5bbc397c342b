"""Cassandra that demands a login, and TLS on one port: it works, and every refusal is one sentence
that says what to mend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import pytest

from operations.engines.cluster import Cluster
from tests.builders import NOON_MS, make_event, make_row
from tests.contract.cassandra_keyspace import one_shard
from tests.contract.refusals import CA, WRONG, Refusal, sentence_of
from tests.engine_fixtures import fresh_name
from tests.servers.secured import SecuredCassandra
from warehouse.adapters.cassandra import CassandraEventStore
from warehouse.adapters.cassandra.options import parse_options
from warehouse.errors import StoreUnavailable
from warehouse.ports import ScanWindow

USER = SecuredCassandra.user
Open = Callable[..., CassandraEventStore]
EVERYTHING = ScanWindow("demo", 0, 2 * NOON_MS)


@pytest.fixture
def ca(secured_cassandra: Cluster) -> str:
    assert isinstance(secured_cassandra.engine, SecuredCassandra)
    return str(secured_cassandra.engine.certificate.certificate)


@pytest.fixture
def opened(secured_cassandra: Cluster) -> Iterator[Open]:
    place = secured_cassandra.layout.places[0]
    with ExitStack() as stack:

        def opened(
            port: str,
            *,
            login: str = f"{USER}:{SecuredCassandra.password}@",
            keyspace: str = "",
            **options: str,
        ) -> CassandraEventStore:
            where = f"{place.host}:{place.ports[port]}/{keyspace or fresh_name()}"
            parsed = parse_options(f"cassandra://{login}{where}", options)
            store = CassandraEventStore(parsed, load_plan=one_shard)
            stack.callback(store.close)
            return store

        yield opened


@pytest.mark.parametrize("port", ["clients", "secured"])
def test_rows_go_in_and_out_with_a_login_with_tls_and_without(
    opened: Open, ca: str, port: str
) -> None:
    store = opened(port, **({"ca": ca} if port == "secured" else {}))
    assert len(store.ensure()) == 5
    rows = sorted((make_row(make_event()) for _ in range(50)), key=lambda row: row.key)

    store.append(rows)

    pages = store.scan(EVERYTHING)
    assert [row for page in pages for row in page.rows] == rows
    store.ping(timeout_s=30)


REFUSALS: Mapping[str, Refusal] = {
    "wrong password": Refusal(
        {"port": "clients", "login": f"{USER}:{WRONG}@"},
        "refuses the user cassandra or the password: correct them in",
    ),
    "wrong password over TLS": Refusal(
        {"port": "secured", "login": f"{USER}:{WRONG}@", "ca": CA},
        "refuses the user cassandra or the password: correct them in",
    ),
    "no login": Refusal(
        {"port": "clients", "login": ""}, "refuses the user (none) or the password"
    ),
    "unknown authority": Refusal(
        {"port": "secured", "ssl": "true"},
        "a certificate that cannot be verified: name the file of the authority",
    ),
    "TLS to a port without": Refusal(
        {"port": "clients", "ca": CA},
        "do not agree on TLS ([SSL: WRONG_VERSION_NUMBER]",
    ),
    "no TLS to a port with": Refusal(
        {"port": "secured"},
        "if this port of it demands TLS, add ssl=true or ca= to",
    ),
}
ASKED: Sequence[Callable[[CassandraEventStore], object]] = (
    lambda store: store.ensure(),
    lambda store: store.ping(timeout_s=5.0),
    lambda store: store.append([make_row(make_event())]),
    lambda store: list(store.scan(EVERYTHING)),
)


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_says_in_a_sentence_what_to_mend(opened: Open, ca: str, name: str) -> None:
    refusal = REFUSALS[name]
    store = opened(**refusal.options_with(ca))

    for ask in ASKED:
        sentence = sentence_of(StoreUnavailable, partial(ask, store), without=(WRONG,))
        assert refusal.said in sentence
        assert "WEIR_WAREHOUSE_URL" in sentence


def test_a_missing_keyspace_is_said_over_tls_too(opened: Open, ca: str) -> None:
    store = opened("secured", ca=ca)

    for ask in ASKED[1:]:
        sentence = sentence_of(StoreUnavailable, partial(ask, store))
        assert "make them with: manage.py ensure_engines" in sentence


def test_a_user_who_may_not_is_told_what_to_grant(opened: Open) -> None:
    granter = opened("clients")
    session = granter._session.connected().session
    session.execute("CREATE ROLE guest WITH PASSWORD = 'guest-password' AND LOGIN = true")
    store = opened("clients", login="guest:guest-password@", keyspace="guests")

    sentence = sentence_of(StoreUnavailable, store.ensure, without=("guest-password",))

    assert "does not let the user guest do this" in sentence
    assert "grant it on keyspace guests" in sentence
