"""Pairs a public key with the ``kid`` and ``alg`` that tokens are verified with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth._environment import Reading
from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._jws import ParsedToken
from fin_messenger_auth._keys import read_private_key, read_public_key
from fin_messenger_auth._signers import public_key_of, rsa_hash
from fin_messenger_auth.errors import InvalidKeyError, masked
from fin_messenger_auth.onboarding._certificate import read_certificate, rsa_key_of
from fin_messenger_auth.onboarding._jwk import rsa_key_in, without_dummies


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of a keyset.

    Args:
        public_key: The key; of a signer, its ``public_key``.
        kid: The key ID of its JWK. ``None`` if it is not known, so that it matches any.
        alg: The ``alg`` of its JWK. ``None`` if it is not known.
    """

    public_key: RSAPublicKey = field(repr=False)
    kid: str | None = None
    alg: str | None = None

    def verifies(self, token: ParsedToken) -> bool:
        """Tell whether this key's private half made the signature of a token (RFC 7518 §3.3)."""
        try:
            self.public_key.verify(token.signature, token.message, PKCS1v15(), rsa_hash(token.header["alg"]))
        except InvalidSignature:
            return False
        return True


@masked
def read_verifying_keys(document: bytes) -> list[VerifyingKey]:
    """Read the keys that a token can be verified with, in any format.

    Args:
        document: A JWK or a JWKS; a certificate, a public key or an unencrypted private key (its public half is
            used) in PEM; a certificate or public key in DER.

    Raises:
        InvalidKeyError: It is none of these, or a key is not RSA of at least 2048 bits.
    """
    if document.lstrip()[:1] in (b"{", b"["):
        return [_from_jwk(jwk) for jwk in _jwks_in(document)]
    if b"PRIVATE KEY-----" in document:
        return [VerifyingKey(read_private_key(document).public_key())]
    if b"-----BEGIN CERTIFICATE-----" in document:
        return [VerifyingKey(rsa_key_of(read_certificate(document)))]
    try:
        return [VerifyingKey(read_public_key(document))]
    except InvalidKeyError:
        if b"-----BEGIN " in document:
            raise
        return [VerifyingKey(rsa_key_of(read_certificate(document)))]


def keys_in(document: bytes) -> list[VerifyingKey]:
    """Return the keys in a file; none if it cannot be read, which the checks of the file report."""
    try:
        return read_verifying_keys(document)
    except InvalidKeyError:
        return []


def configured_keys(reading: Reading) -> list[VerifyingKey]:
    """Return the public half of the key that the environment signs with; none if Fin signs or it is not known."""
    signer = reading.salesforce_signer
    public_key = None if signer is None else public_key_of(signer)
    if signer is None or public_key is None:
        return []
    return [VerifyingKey(public_key, kid=reading.kid, alg=signer.alg)]


def _from_jwk(jwk: dict[str, Any]) -> VerifyingKey:
    kid, alg = (each if isinstance(each, str) else None for each in (jwk.get("kid"), jwk.get("alg")))
    return VerifyingKey(rsa_key_in(without_dummies(jwk)), kid=kid, alg=alg)


def _jwks_in(document: bytes) -> list[dict[str, Any]]:
    value = parse_json(document)
    found = value.get("keys", [value]) if isinstance(value, dict) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise InvalidKeyError("Expected a JWK or a JWKS with at least one key.", "jwk-document")
    return found
