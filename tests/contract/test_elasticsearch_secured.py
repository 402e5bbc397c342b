"""Elasticsearch that demands TLS and a login: it works, and every refusal is one sentence that says
what to mend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from operations.engines.cluster import Cluster
from tests.contract.refusals import CA, WRONG, Refusal, sentence_of
from tests.engine_fixtures import fresh_name
from tests.series_builders import make_document, make_query
from tests.servers.secured import SecuredElasticsearch
from timeseries.adapters.elasticsearch import open_series_store
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.errors import SeriesUnavailable

USER, PASSWORD = SecuredElasticsearch.user, SecuredElasticsearch.password
Open = Callable[..., ElasticsearchSeriesStore]


@pytest.fixture
def ca(secured_elasticsearch: Cluster) -> str:
    assert isinstance(secured_elasticsearch.engine, SecuredElasticsearch)
    return str(secured_elasticsearch.engine.certificate.certificate)


@pytest.fixture
def opened(secured_elasticsearch: Cluster) -> Iterator[Open]:
    place = secured_elasticsearch.layout.places[0]
    with ExitStack() as stack:

        def opened(
            *,
            scheme: str = "https",
            login: str = f"{USER}:{quote(PASSWORD, safe='')}@",
            server: str = f"{place.host}:{place.ports['clients']}",
            **options: str,
        ) -> ElasticsearchSeriesStore:
            options = {"index_prefix": fresh_name()} | options
            url = f"elasticsearch+{scheme}://{login}{server}"
            store = open_series_store(url, options, Path())
            stack.callback(store.close)
            return store

        yield opened


@pytest.mark.parametrize("trust", ["its authority", "whoever it is"])
def test_documents_go_in_and_queries_find_them_over_tls_with_a_login(
    opened: Open, ca: str, trust: str
) -> None:
    store = opened(**({"ca": ca} if trust == "its authority" else {"verify": "off"}))
    assert len(store.ensure(1)) == 5
    documents = [make_document() for _ in range(30)]

    assert store.write([documents], generations=(1,)) == []

    answer = store.figures(make_query(), generation=1, timeout_s=30.0)
    assert answer.groups[0].total == (30.0,)
    store.ping(timeout_s=30)


REFUSALS: Mapping[str, Refusal] = {
    "wrong password": Refusal(
        {"login": f"{USER}:{WRONG}@", "ca": CA},
        "refuses this user or the password (401)",
    ),
    "no login": Refusal({"login": "", "ca": CA}, "refuses this user or the password (401)"),
    "unknown authority": Refusal(
        {},
        "a certificate that cannot be verified",
    ),
    "no TLS to a port with": Refusal(
        {"scheme": "http"},
        "if the server demands TLS, it takes elasticsearch+https in",
    ),
}
ASKED: Sequence[Callable[[ElasticsearchSeriesStore], object]] = (
    lambda store: store.ensure(1),
    lambda store: store.ping(timeout_s=5.0),
    lambda store: store.write([[make_document()]], generations=(1,)),
    lambda store: store.figures(make_query(), generation=1, timeout_s=5.0),
)


def check_refused(store: ElasticsearchSeriesStore, said: str) -> None:
    for ask in ASKED:
        sentence = sentence_of(SeriesUnavailable, partial(ask, store), without=(PASSWORD, WRONG))
        assert said in sentence
        assert "WEIR_TIMESERIES_URL" in sentence


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_says_in_a_sentence_what_to_mend(opened: Open, ca: str, name: str) -> None:
    refusal = REFUSALS[name]

    check_refused(opened(**refusal.options_with(ca)), refusal.said)


def test_tls_to_a_server_without_says_which_scheme_it_takes(
    opened: Open, ca: str, elasticsearch_url: str
) -> None:
    store = opened(server=urlsplit(elasticsearch_url).netloc, ca=ca)

    check_refused(store, "a server without TLS takes elasticsearch+http in")


def test_a_missing_index_is_said_over_tls_too(opened: Open, ca: str) -> None:
    store = opened(ca=ca)

    for ask in (ASKED[2], ASKED[3]):
        sentence = sentence_of(SeriesUnavailable, partial(ask, store), without=(PASSWORD,))
        assert "run `manage.py ensure_engines`" in sentence
