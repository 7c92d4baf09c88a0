"""What a token is verified with: a public key, and the ``kid`` and ``alg`` that go with it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.keys import StringKeySource
from fin_messenger_auth.onboarding.certificate import read_certificate, rsa_key_of
from fin_messenger_auth.onboarding.jwk import without_dummies
from fin_messenger_auth.onboarding.keypair import read_public_key
from fin_messenger_auth.signers import RSA_HASHES, RSASigner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from fin_messenger_auth.token_parser import ParsedToken


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of a keyset.

    Args:
        public_key: The key; of a signer, its ``public_key``.
        kid: The key id of its JWK. ``None`` if it is not known, so that it fits any.
        alg: The ``alg`` of its JWK. ``None`` if it is not known.
    """

    public_key: RSAPublicKey = field(repr=False)
    kid: str | None = None
    alg: str | None = None

    def made(self, token: ParsedToken) -> bool:
        """Tell whether this key's private half made the signature (RFC 7518 §3.3).

        Verified by cryptography and not by joserfc, which warns of a short key where a finding is wanted.
        """
        try:
            self.public_key.verify(token.signature, token.message, PKCS1v15(), RSA_HASHES[token.header["alg"]])
        except InvalidSignature:
            return False
        return True


def read_verifying_keys(document: bytes) -> list[VerifyingKey]:
    """Read what a token can be verified with, whatever it is in.

    Args:
        document: A JWK or a JWKS, a certificate, a public key or an unencrypted private one (of which the
            public half is taken), in PEM; a certificate or public key in DER.

    Raises:
        InvalidKeyError: It is none of these, or holds no RSA key of at least 2048 bits.
    """
    if document.lstrip()[:1] in (b"{", b"["):
        return [_from_jwk(jwk) for jwk in _jwks_in(document)]
    if b"PRIVATE KEY-----" in document:
        return [VerifyingKey(RSASigner(StringKeySource(document)).public_key)]
    if b"-----BEGIN CERTIFICATE-----" in document:
        return [VerifyingKey(rsa_key_of(read_certificate(document)))]
    try:
        return [VerifyingKey(read_public_key(document))]
    except InvalidKeyError:
        if b"-----BEGIN " in document:
            raise
        return [VerifyingKey(rsa_key_of(read_certificate(document)))]


def rsa_key_in(jwk: Mapping[str, Any]) -> RSAPublicKey:
    """Return the key that ``n`` and ``e`` of a JWK make.

    Raises:
        InvalidKeyError: They make none.
    """
    if jwk.get("kty") != "RSA":
        raise InvalidKeyError("The JWK is not RSA; Salesforce needs RSA.")
    try:
        return RSAPublicNumbers(_integer(jwk["e"]), _integer(jwk["n"])).public_key()
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidKeyError("The JWK's n and e make no RSA key.") from error


def _integer(text: str) -> int:
    """Decode Base64urlUInt (RFC 7518 §2); joserfc would warn of a short key where a finding is wanted."""
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _jwks_in(document: bytes) -> list[Any]:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise InvalidKeyError("The key looks like JSON and is none.") from error
    found = value.get("keys", [value]) if isinstance(value, dict) else value
    if not isinstance(found, list) or not found:
        raise InvalidKeyError("The key set holds no key.")
    return found


def _from_jwk(jwk: Any) -> VerifyingKey:  # noqa: ANN401 - whatever the JSON holds
    if not isinstance(jwk, dict):
        raise InvalidKeyError("The key set holds something that is no JWK.")
    public = without_dummies(jwk)
    return VerifyingKey(rsa_key_in(public), kid=_text(public.get("kid")), alg=_text(public.get("alg")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
