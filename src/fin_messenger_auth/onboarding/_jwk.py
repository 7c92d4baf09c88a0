"""Makes and reads the JWK for Salesforce, a public key with its certificate, and the served JWKS (RFC 7517)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._keys import checked_rsa_key
from fin_messenger_auth._material import in_utf_8
from fin_messenger_auth._uploaded import certificates_in, read_members, rsa_key_of
from fin_messenger_auth._verification import (
    joserfc_key,
    mistake_in_number,
    parse_upload,
    rsa_key_in,
    without_dummies,
)
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthWarning,
    InvalidKeyError,
    Problem,
    attempt,
    masked,
    raise_first,
)

from ._certificate import certificate_problems

_MAX_KEYS = 100  # of one set: each makes findings of its own
# What Salesforce asks of an uploaded certificate. Served key sets without any are reported to work.
_ONLY_FOR_UPLOADS = {"jwk-x5c-missing", "certificate-validity", "certificate-not-yet-valid"}


def make_jwk(
    public_key: RSAPublicKey,
    certificate: Certificate,
    *,
    kid: str | None = None,
    alg: str = "RS256",
    now: datetime | None = None,
) -> dict[str, Any]:
    """Return the JWK of a key and its certificate, ready to be uploaded.

    Args:
        public_key: The public key of the signer.
        certificate: Its certificate. A field report says that without one the upload succeeds and every token fails.
        kid: The key ID, the same as the signer's; the RFC 7638 thumbprint if left out, which stays the
            same as long as the key does.
        alg: ``RS256`` or ``RS512``, the same as the signer's.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: ``kid`` is not valid.
        InvalidKeyError: ``alg`` is not valid; the key has under 2048 bits; the certificate is for another key, not
            valid yet, or valid for under 10 more days.

    Warns:
        FinMessengerAuthWarning: The certificate is valid for under 30 more days.
    """
    key = joserfc_key(checked_rsa_key(public_key, "The public key"))
    members = key.as_dict(private=False)
    jwk = {
        "kty": "RSA",
        "kid": key.thumbprint() if kid is None else kid,
        "use": "sig",
        "alg": alg,
        "n": members["n"],
        "e": members["e"],
        "x5c": [b64encode(certificate.public_bytes(Encoding.DER)).decode()],
    }
    raise_first(jwk_problems(jwk, now=now))
    return jwk


def make_jwks(keys: Iterable[Mapping[str, Any]], *, now: datetime | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return a JWKS of public keys in the order given, to be served for a keyset of type *Endpoint URL*.

    During a rotation it holds the old key and the new one, each with a ``kid`` of its own.

    Args:
        keys: JWKs, as :func:`~fin_messenger_auth.onboarding.make_jwk` makes them.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: It has an error that :func:`~fin_messenger_auth.diagnosis.check_jwks` lists.

    Warns:
        FinMessengerAuthWarning: A key has no certificate, or one that could not be uploaded.
    """
    given = list(keys)
    raise_first(jwks_problems(given, now=now))
    return {"keys": [without_dummies(key) for key in given]}


def thumbprint(public_key: RSAPublicKey) -> str:
    """Return the RFC 7638 thumbprint of a key: the ``kid`` of its JWK unless another is chosen."""
    kid: str = joserfc_key(public_key).thumbprint()
    return kid


@masked
def read_jwk(document: str | bytes, *, now: datetime | None = None) -> dict[str, Any]:
    """Read a JWK that Salesforce accepts, as this library or Salesforce's own tool made it.

    The dummies of that tool (``"d": "d"``) are dropped.

    Args:
        document: The whole file.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: It has an error that :func:`~fin_messenger_auth.diagnosis.check_jwk` lists.

    Warns:
        FinMessengerAuthWarning: It has a warning that ``check_jwk`` lists.
    """
    jwk = parse_jwk(document)
    raise_first(jwk_problems(jwk, now=now))
    return without_dummies(jwk)


def parse_jwk(document: str | bytes) -> dict[str, Any]:
    """Parse the file of one JWK, without a check of its members."""
    jwk = parse_upload(document if isinstance(document, bytes) else document.encode(errors="replace"))
    if not isinstance(jwk, dict) or "keys" in jwk:
        raise InvalidKeyError(
            "Expected one JWK, got a list or a key set; Salesforce accepts one JSON object per file.", "jwk-document"
        )
    return jwk


@masked
def repair_jwk(document: bytes, *, now: datetime | None = None) -> dict[str, Any]:
    """Return a JWK that was made by hand, or a JWKS, with what follows from its file put right.

    These are ``n`` and ``e`` (hexadecimal, decimal, padded, in standard Base64, with a zero byte in front; or missing,
    if the certificate has them), ``x5c`` (PEM, Base64URL, Base64 of PEM, the wrong order, a chain), ``kty``, and
    ``alg`` in small letters. The dummies of Salesforce's own tool are dropped.

    Args:
        document: The whole file.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: It has another error that :func:`~fin_messenger_auth.diagnosis.check_jwk` lists.
    """
    plain = in_utf_8(document)
    several, _ = attempt(parse_jwks, plain)
    if several is not None:
        return make_jwks(map(_repaired, several), now=now)
    jwk = _repaired(parse_jwk(plain))
    raise_first(jwk_problems(jwk, now=now))
    return jwk


def _repaired(jwk: dict[str, Any]) -> dict[str, Any]:
    jwk = without_dummies(jwk)
    for name in ("n", "e"):
        _, right = mistake_in_number(jwk.get(name)) or ("", "")
        jwk = {**jwk, name: right} if right else jwk
    if isinstance(jwk.get("alg"), str):
        jwk["alg"] = jwk["alg"].upper()
    certificates = certificates_in(jwk.get("x5c"))
    key, _ = attempt(rsa_key_in, {**jwk, "kty": "RSA"})
    if key is None and len({each.public_bytes(Encoding.DER) for each in certificates}) == 1:
        key = rsa_key_of(certificates[0])
    if key is None:
        return jwk
    for each in certificates:
        if each.public_key() == key:
            members = joserfc_key(key).as_dict(private=False)
            jwk |= {name: members[name] for name in ("kty", "n", "e")}
            jwk["x5c"] = [b64encode(each.public_bytes(Encoding.DER)).decode()]
    return jwk


def parse_jwks(document: str | bytes) -> list[dict[str, Any]]:
    """Parse a key set, without a check of its keys."""
    value = parse_json(document)
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or len(keys) > _MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        expected = f'a JSON object with a list of up to {_MAX_KEYS} JWKs in "keys"'
        raise InvalidKeyError(f"Expected a key set: {expected}.", "jwks-empty")
    return keys


def jwk_problems(
    jwk: Mapping[str, Any], *, public_key: RSAPublicKey | None = None, now: datetime | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a JWK that is to be uploaded. ``public_key`` is that of the private key."""
    key, certificate, problems = read_members(jwk)
    yield from problems
    if key is not None and public_key is not None and key != public_key:
        yield InvalidKeyError(
            "The JWK is for another key than the private key; make it again from the private key with `jwk`.",
            "key-differs",
        )
    if certificate is None:
        return
    yield from certificate_problems(certificate, now=now)
    if len(jwk["x5c"]) > 1:
        yield FinMessengerAuthWarning(
            f"x5c contains {len(jwk['x5c'])} certificates; Salesforce documents one. Keep the self-signed one only.",
            "jwk-x5c-several",
        )


def jwks_problems(
    keys: Sequence[Mapping[str, Any]],
    *,
    public_key: RSAPublicKey | None = None,
    now: datetime | None = None,
) -> Iterator[Problem]:
    """Yield what is wrong with a served key set; one key of it must be ``public_key``, that of the private key.

    The rules of uploaded certificates are advice here.
    """
    if not keys:
        yield ConfigurationError("The key set has no keys; make it with `jwks`.", "jwks-empty")
    for problem in (each for key in keys for each in jwk_problems(key, now=now)):
        only_unwise = problem.code in _ONLY_FOR_UPLOADS
        yield FinMessengerAuthWarning(problem.message, problem.code) if only_unwise else problem
    kids = [str(key.get("kid")) for key in keys]
    for kid in dict.fromkeys(each for each in kids if kids.count(each) > 1):
        yield ConfigurationError(
            f"Two keys of the set have the same kid, {json.dumps(kid)}; give each key its own.", "jwks-kid-twice"
        )
    if public_key is not None and keys and public_key not in [attempt(rsa_key_in, key)[0] for key in keys]:
        yield InvalidKeyError(
            "The key set does not contain the key of the private key; make it again with `jwks`.", "key-differs"
        )
