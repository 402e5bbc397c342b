"""A Cassandra that is too old is refused in a sentence; the driver's session stands for it, since
no such server is at hand."""

from dataclasses import dataclass, field

import pytest

from warehouse.adapters.cassandra import session as session_module
from warehouse.adapters.cassandra.options import StoreOptions
from warehouse.adapters.cassandra.session import CassandraSession
from warehouse.errors import StoreUnavailable


@dataclass
class ServerOf:
    """As much of the driver's cluster and session as connecting touches."""

    version: str
    asked: list[str] = field(default_factory=list)
    is_shut_down: bool = False

    def connect(self) -> "ServerOf":
        return self

    def execute(self, cql: str) -> "ServerOf":
        self.asked.append(cql)
        return self

    def one(self) -> tuple[str]:
        return (self.version,)

    def shutdown(self) -> None:
        self.is_shut_down = True


def connecting_to(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> tuple[CassandraSession, ServerOf]:
    server = ServerOf(version)
    monkeypatch.setattr(session_module, "_cluster", lambda options, limit_s: server)
    options = StoreOptions(hosts=(("one", 9042),), user="weir", password="s3cret")
    return CassandraSession(options), server


@pytest.mark.parametrize("version", ["3.11.17", "4.0.12", "2.2", "unknown"])
def test_a_server_that_is_too_old_is_refused_and_let_go(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    session, server = connecting_to(monkeypatch, version)

    with pytest.raises(StoreUnavailable) as raised:
        session.connected()

    assert str(raised.value) == (
        f"Cassandra at one:9042 is version {version} and Weir needs 4.1 or newer: upgrade it"
    )
    assert server.is_shut_down


@pytest.mark.parametrize("version", ["4.1.0", "4.1", "5.0.5", "10.0-beta1"])
def test_a_server_that_is_new_enough_is_taken(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    session, server = connecting_to(monkeypatch, version)

    assert session.connected().cluster is server
    assert not server.is_shut_down
