"""The URL of a Cassandra warehouse: what it says, and what is refused in a sentence."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from cassandra import AuthenticationFailed, InvalidRequest, OperationTimedOut, Unavailable
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import OverloadedErrorMessage

from feed.errors import WrongOption
from warehouse.adapters.cassandra import open_event_store
from warehouse.adapters.cassandra.faults import translated
from warehouse.adapters.cassandra.options import StoreOptions, parse_options
from warehouse.errors import StoreUnavailable


def parsed(url: str) -> StoreOptions:
    return parse_options(url, dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))


def test_a_url_names_hosts_user_keyspace_and_guarantees() -> None:
    options = parsed(
        "cassandra://us%40er:p%2Fw@one,two:9142,[::1]:9242/shop?consistency=quorum&replication=3"
    )
    assert options.hosts == (("one", 9042), ("two", 9142), ("::1", 9242))
    assert (options.user, options.password) == ("us@er", "p/w")
    assert (options.keyspace, options.consistency, options.replication) == ("shop", "QUORUM", 3)
    assert not options.uses_tls
    assert "p/w" not in repr(options)


def test_what_a_url_leaves_out_works_on_one_node() -> None:
    options = parsed("cassandra://one")
    assert options == StoreOptions(hosts=(("one", 9042),))
    assert (options.keyspace, options.consistency, options.replication) == (
        "weir",
        "LOCAL_QUORUM",
        1,
    )


def test_an_authority_for_certificates_asks_for_tls(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    assert parsed(f"cassandra://one?ca={ca}").uses_tls
    store = open_event_store("cassandra://one", {"ca": str(ca)}, tmp_path)
    with pytest.raises(StoreUnavailable, match="holds no certificate"):
        store.ping(timeout_s=1)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("cassandra://one?nonsense=1", "'nonsense'"),
        ("cassandra://one:99999", "the host 'one:99999'"),
        ("cassandra:///weir", "the host ''"),
        ("cassandra://one/Big", "the keyspace 'Big'"),
        ("cassandra://one/a;drop", "the keyspace"),
        ("cassandra://one?consistency=ANY", "consistency='ANY'"),
        ("cassandra://one?consistency=ONE&replication=3", "take LOCAL_QUORUM"),
        ("cassandra://one?consistency=THREE", "no write can reach"),
        ("cassandra://one?replication=0", "replication='0'"),
        ("cassandra://one?in_flight=many", "in_flight='many'"),
        ("cassandra://one?ssl=maybe", "ssl='maybe'"),
        ("cassandra://one?ca=/no/such/file", "which is no file"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence_that_names_it(url: str, named: str) -> None:
    with pytest.raises(WrongOption, match="WEIR_WAREHOUSE_URL") as raised:
        parsed(url)
    assert named in str(raised.value)


def test_opening_connects_to_nothing(tmp_path: Path) -> None:
    store = open_event_store("cassandra://no-such-host.invalid", {}, tmp_path)
    assert store.get("demo", []) == {}
    with pytest.raises(StoreUnavailable, match="no such host"):
        store.ping(timeout_s=1)
    store.close()


@pytest.mark.parametrize(
    ("fault", "sentence", "is_away"),
    [
        (
            NoHostAvailable("no", {"one": AuthenticationFailed("Bad credentials")}),
            "refuses the user weir or the password: correct them in WEIR_WAREHOUSE_URL",
            True,
        ),
        (
            NoHostAvailable("no", {"one": ConnectionRefusedError(111, "Connection refused")}),
            "cannot be reached: [Errno 111] Connection refused",
            True,
        ),
        (
            InvalidRequest("unconfigured table events"),
            "make them with: manage.py ensure_engines",
            True,
        ),
        (
            Unavailable("no", required_replicas=2, alive_replicas=1),
            "1 of 2 replicas are alive",
            True,
        ),
        (OperationTimedOut(), "did not answer in time", True),
        (
            NoHostAvailable("no", {"one": OverloadedErrorMessage(0x1001, "busy", None)}),
            "is overloaded",
            False,
        ),
    ],
)
def test_the_drivers_errors_become_sentences(
    fault: Exception, sentence: str, is_away: bool
) -> None:
    error = translated(fault, parsed("cassandra://weir:secret@one"))
    assert sentence in str(error)
    assert "secret" not in str(error)
    assert isinstance(error, StoreUnavailable) is is_away
