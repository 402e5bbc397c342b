"""Reading, naming and making signing keys."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from access.errors import BadKey
from access.key_pairs import (
    Algorithm,
    derive_key_pair,
    generate_key_pair,
    load_private_key,
    parse_public_key,
)


def public_pem(private: object) -> str:
    pem: bytes = private.public_key().public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


def private_pem(private: object) -> str:
    pem: bytes = private.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def test_the_kid_is_the_thumbprint_of_rfc_8037_and_rfc_7638() -> None:
    okp = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
    rsa_key = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSo"
        "c_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v"
        "MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
    }

    assert parse_public_key(okp).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert (
        parse_public_key(json.dumps(rsa_key)).kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )


@pytest.mark.parametrize(
    ("private", "to_jwk", "algorithm"),
    [
        (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm.to_jwk, Algorithm.EDDSA),
        (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm.to_jwk, Algorithm.ES256),
        (rsa.generate_private_key(65537, 2048), RSAAlgorithm.to_jwk, Algorithm.RS256),
    ],
)
def test_pem_and_jwk_of_a_key_read_the_same(
    private: ed25519.Ed25519PrivateKey, to_jwk: object, algorithm: Algorithm
) -> None:
    from_pem = parse_public_key(f"\n  {public_pem(private)}\n")
    from_jwk = parse_public_key(to_jwk(private.public_key()))  # type: ignore[operator]

    assert from_pem.algorithm is from_jwk.algorithm is algorithm
    assert from_pem.kid == from_jwk.kid
    assert from_pem.pem == from_jwk.pem
    assert load_private_key(private_pem(private)).public.kid == from_pem.kid


@pytest.mark.parametrize(
    "private",
    [
        ed448.Ed448PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - too short is what is tested
        dsa.generate_private_key(1024),  # noqa: S505 - as above
    ],
)
def test_other_kinds_and_sizes_of_keys_are_refused(private: object) -> None:
    with pytest.raises(BadKey, match="keys are Ed25519"):
        parse_public_key(public_pem(private))


def test_a_private_key_is_never_registered() -> None:
    pair = generate_key_pair()
    with pytest.raises(BadKey, match="private key"):
        parse_public_key(pair.private_pem())
    with pytest.raises(BadKey, match="secret part"):
        parse_public_key(OKPAlgorithm.to_jwk(pair.key))  # type: ignore[arg-type]
    with pytest.raises(BadKey, match="secret part"):
        parse_public_key('{"kty": "oct", "k": "c2VjcmV0"}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "{",
        '{"kty": "OKP"}',
        '{"kty": "XX"}',
        '{"kty": {"a": 1}}',
        '{"kty": "OKP", "crv": "Ed25519", "x": "AA"}',
        '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}',
        '{"kty": "RSA", "n": "AA", "e": "AA"}',
        "{" * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_key_is_refused_with_advice(text: str) -> None:
    with pytest.raises(BadKey, match="paste a PEM block"):
        parse_public_key(text)


@settings(max_examples=50)
@given(st.text(max_size=60), st.sampled_from(["", "{", '{"kty":"OKP","crv":"Ed25519","x":"']))
def test_any_text_is_a_key_or_refused(text: str, start: str) -> None:
    with pytest.raises(BadKey):
        parse_public_key(start + text)


@pytest.mark.parametrize("pem", ["", "x", "\ud800", public_pem(generate_key_pair().key)])
def test_what_is_no_private_key_is_refused(pem: str) -> None:
    with pytest.raises(BadKey, match="not an unencrypted private key"):
        load_private_key(pem)


def test_a_private_key_of_another_kind_is_refused() -> None:
    with pytest.raises(BadKey, match="keys are Ed25519"):
        load_private_key(private_pem(ed448.Ed448PrivateKey.generate()))


def test_a_pair_survives_its_pem() -> None:
    pair = generate_key_pair()
    assert load_private_key(pair.private_pem()).public == pair.public
    assert not pair.public.kid.startswith("-")


def test_the_same_secret_and_purpose_derive_the_same_key_and_others_do_not() -> None:
    first = derive_key_pair(b"secret", purpose=b"a")
    assert derive_key_pair(b"secret", purpose=b"a").public.kid == first.public.kid
    assert derive_key_pair(b"secret", purpose=b"b").public.kid != first.public.kid
    assert derive_key_pair(b"other", purpose=b"a").public.kid != first.public.kid


def test_no_representation_shows_a_private_key() -> None:
    pair = generate_key_pair()
    assert "PRIVATE" not in repr(pair)
    assert "key=" not in repr(pair)
