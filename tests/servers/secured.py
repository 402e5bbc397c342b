"""Engines that demand a name and a password, and TLS where clients of the product must speak it."""

import base64
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from operations.engines import cql_probe
from operations.engines.artifacts import ELASTICSEARCH, Supplies
from operations.engines.cassandra import Cassandra
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.engine import Launch
from operations.engines.kafka import Kafka
from operations.engines.layout import Layout, Place

USER, PASSWORD = "weir", "pass word/with:@signs%"
OTHER_USER, OTHER_PASSWORD = "guest", "guest-password"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate of 127.0.0.1 and localhost, which is its own authority."""

    certificate: Path
    """PEM; also what clients must trust."""
    key: Path
    """PEM, PKCS 8, without a password."""
    both: Path
    """Key and certificate in one file."""


def make_certificate(folder: Path) -> Certificate:
    """Make one in the folder."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weir tests")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate_pem = made.public_bytes(serialization.Encoding.PEM)
    paths = Certificate(folder / "server.crt", folder / "server.key", folder / "server.pem")
    for path, content in (
        (paths.certificate, certificate_pem),
        (paths.key, key_pem),
        (paths.both, key_pem + certificate_pem),
    ):
        path.write_bytes(content)
        path.chmod(0o644)  # a key for tests; the server runs as somebody else
    return paths


@dataclass
class SecuredKafka(Kafka):
    """A broker whose port `secured` demands SASL_SSL with any of MECHANISMS, and whose port
    `unencrypted` demands SASL without TLS. The clients' port is the broker's own."""

    port_names: ClassVar[Sequence[str]] = ("clients", "controller", "secured", "unencrypted")
    certificate: Certificate = field(kw_only=True)

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """A plain broker's; first the certificate goes where the broker may read it."""
        pem = self.certificate.both.read_bytes()
        _own_pem(place).write_bytes(pem)
        return super().launch(place, layout, supplies)

    def properties(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain broker's, and more."""
        plain = super().properties(place, layout)
        secured = {
            "listeners": (
                f"{plain['listeners']},SASL_SSL://{place.host}:{place.ports['secured']},"
                f"SASL_PLAINTEXT://{place.host}:{place.ports['unencrypted']}"
            ),
            "listener.security.protocol.map": (
                f"{plain['listener.security.protocol.map']},SASL_SSL:SASL_SSL,"
                "SASL_PLAINTEXT:SASL_PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(_own_pem(place)),
        }
        module = "org.apache.kafka.common.security"
        plain_users = (
            f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" '
            f'user_{OTHER_USER}="{OTHER_PASSWORD}";'
        )
        scram = f"{module}.scram.ScramLoginModule required;"
        for listener in ("sasl_ssl", "sasl_plaintext"):
            start = f"listener.name.{listener}"
            secured[f"{start}.plain.sasl.jaas.config"] = plain_users
            secured[f"{start}.scram-sha-256.sasl.jaas.config"] = scram
            secured[f"{start}.scram-sha-512.sasl.jaas.config"] = scram
        return plain | secured

    def format_arguments(self) -> list[str]:
        """Names and passwords for SCRAM."""
        return [
            argument
            for mechanism in MECHANISMS[1:]
            for argument in ("--add-scram", f'{mechanism}=[name="{USER}",password="{PASSWORD}"]')
        ]


def _own_pem(place: Place) -> Path:
    return place.folder / "server.pem"


@dataclass
class SecuredCassandra(Cassandra):
    """A node that demands a name and a password, without TLS on the clients' port and with it on
    the port `secured`; it makes the user `cassandra` itself."""

    port_names: ClassVar[Sequence[str]] = ("clients", "peers", "secured")
    user: ClassVar[str] = "cassandra"
    password: ClassVar[str] = "cassandra"
    certificate: Certificate = field(kw_only=True)

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """A plain node's; first the certificate goes where the node may read it."""
        _own_pem(place).write_bytes(self.certificate.both.read_bytes())
        return super().launch(place, layout, supplies)

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain node's, and more."""
        return super().configuration(place, layout) | {
            "authenticator": "PasswordAuthenticator",
            "authorizer": "CassandraAuthorizer",
            "native_transport_port_ssl": str(place.ports["secured"]),
            "client_encryption_options": (
                "{enabled: true, optional: false, require_client_auth: false, "
                f"keystore: {_own_pem(place)}, ssl_context_factory: "
                "{class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}"
            ),
        }

    def answers(self, place: Place, member_count: int) -> bool:
        """Also the first login works, which comes a little after the port."""
        login = (self.user, self.password)
        port = place.ports["clients"]
        return cql_probe.is_answered(place.host, port, member_count, login)


@dataclass
class SecuredElasticsearch(Elasticsearch):
    """A node that demands TLS, and a name and a password."""

    scheme: ClassVar[str] = "elasticsearch+https"
    user: ClassVar[str] = USER
    password: ClassVar[str] = "pass-word/with:@signs"
    certificate: Certificate = field(kw_only=True)

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain node's, and more."""
        return super().configuration(place, layout) | {
            "xpack.security.enabled": "true",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.key": "server.key",
            "xpack.security.http.ssl.certificate": "server.crt",
        }

    def preparations(self, place: Place, supplies: Supplies) -> list[list[str]]:
        """A user, and the certificate where the node may read it: below its configuration."""
        conf = place.folder / "conf"
        for path in (self.certificate.key, self.certificate.certificate):
            (conf / path.name).write_bytes(path.read_bytes())
        for name in ("roles.yml", "users", "users_roles", "role_mapping.yml"):
            if not (conf / name).exists():
                (conf / name).write_text("")
                supplies.hand_over(conf / name)
        tool = supplies.server(ELASTICSEARCH) / "bin" / "elasticsearch-users"
        if (conf / "users").read_text():
            return []
        return [[str(tool), "useradd", self.user, "-p", self.password, "-r", "superuser"]]

    def trust(self) -> ssl.SSLContext:
        """Its own certificate alone."""
        return ssl.create_default_context(cafile=str(self.certificate.certificate))

    def headers(self) -> dict[str, str]:
        """Its only user."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {login}"}
