"""Signing keys as mathematics: read public and private keys, name them by thumbprint, make new
ones. Pure."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from access.errors import BadKey

PublicKeyObject = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
PrivateKeyObject = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # a larger one only makes every verification slow
_THUMBPRINT_MEMBERS = {"OKP": ("crv", "x"), "EC": ("crv", "x", "y"), "RSA": ("e", "n")}
_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError, UnsupportedAlgorithm, PyJWTError)


class Algorithm(StrEnum):
    """The signature algorithms a key may be registered for."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key with its one algorithm; `kid` is its RFC 7638 thumbprint, `pem` is SPKI."""

    kid: str
    algorithm: Algorithm
    pem: str
    key: PublicKeyObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its public half."""

    public: PublicKey
    key: PrivateKeyObject = field(repr=False)

    def private_pem(self) -> str:
        """The private key as unencrypted PKCS 8."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def parse_public_key(text: str) -> PublicKey:
    """A public key from PEM (SubjectPublicKeyInfo) or a JSON Web Key. Raises BadKey."""
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise BadKey(
            "this is a private key: register its public half, and give the private one to nobody"
        )
    try:
        return public_key(_from_jwk(text) if text.startswith("{") else _from_pem(text))
    except _UNREADABLE as exc:
        raise BadKey(
            "this is not a public key: paste a PEM block that begins with "
            "-----BEGIN PUBLIC KEY-----, or one JSON Web Key"
        ) from exc


def load_private_key(pem: str) -> KeyPair:
    """A key pair from an unencrypted private key in PEM. Raises BadKey."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except _UNREADABLE as exc:
        raise BadKey("this is not an unencrypted private key in PEM") from exc
    if not isinstance(key, PrivateKeyObject):
        raise BadKey(_WRONG_KIND)
    return KeyPair(public_key(key.public_key()), key)


def generate_key_pair() -> KeyPair:
    """A new Ed25519 pair. Its kid never begins with a dash, which a command line would take for an
    option."""
    while True:
        key = Ed25519PrivateKey.generate()
        public = public_key(key.public_key())
        if not public.kid.startswith("-"):
            return KeyPair(public, key)


def derive_key_pair(secret: bytes, *, purpose: bytes) -> KeyPair:
    """The Ed25519 pair that every process with the same secret derives: nothing to store or to
    share."""
    seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return KeyPair(public_key(key.public_key()), key)


def public_key(key: object) -> PublicKey:
    """The key with its algorithm and thumbprint. Raises BadKey for a kind or size not taken."""
    match key:
        case Ed25519PublicKey():
            return _named(key, Algorithm.EDDSA, OKPAlgorithm.to_jwk(key, as_dict=True))
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return _named(key, Algorithm.ES256, ECAlgorithm.to_jwk(key, as_dict=True))
        case RSAPublicKey() if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return _named(key, Algorithm.RS256, RSAAlgorithm.to_jwk(key, as_dict=True))
        case _:
            raise BadKey(_WRONG_KIND)


_WRONG_KIND = "keys are Ed25519 (EdDSA), P-256 (ES256) or RSA of 2048 to 8192 bits (RS256)"


def _named(key: PublicKeyObject, algorithm: Algorithm, jwk: Mapping[str, Any]) -> PublicKey:
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(_thumbprint(jwk), algorithm, pem.decode(), key)


def _from_pem(text: str) -> object:
    return serialization.load_pem_public_key(text.encode())


def _from_jwk(text: str) -> object:
    jwk = json.loads(text)
    if "d" in jwk or "k" in jwk:
        raise BadKey("this JSON Web Key holds a secret part: register its public half alone")
    readers: Mapping[str, Callable[[Any], object]] = {
        "OKP": OKPAlgorithm.from_jwk,
        "EC": ECAlgorithm.from_jwk,
        "RSA": RSAAlgorithm.from_jwk,
    }
    return readers[jwk["kty"]](jwk)


def _thumbprint(jwk: Mapping[str, Any]) -> str:
    names = ("kty", *_THUMBPRINT_MEMBERS[jwk["kty"]])
    canonical = json.dumps({name: jwk[name] for name in sorted(names)}, separators=(",", ":"))
    return urlsafe_b64encode(sha256(canonical.encode()).digest()).rstrip(b"=").decode()
