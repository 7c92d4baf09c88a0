"""The JWK that is uploaded to Salesforce: a public key and its certificate in one JSON object (RFC 7517)."""

from __future__ import annotations

import json
import re
import warnings
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidKeyError
from fin_messenger_auth.signers import MIN_RSA_BITS, RSA_HASHES

from .certificate import MIN_DAYS_LEFT, days_left, read_certificate, rsa_key_of
from .texts import checked_kid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

WARN_DAYS_LEFT = 30
"""A certificate that is valid for less should be renewed."""

REQUIRED = ("kty", "kid", "alg", "x5c")
"""The members without which Salesforce takes no key, by its own list."""

PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""The members that hold a private or a secret key (RFC 7518 §6.3.2 and §6.4)."""

DUMMIES = ("y", "crv", "d", "k")
"""The members that Salesforce's own tool fills with their own name, as ``"d": "d"``."""

_STANDARD_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


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
        public_key: The public half of the signing key, wherever the private half lives.
        certificate: Its certificate. Without one an upload was seen to succeed and every token to fail.
        kid: The key id, the same as the signer's; the RFC 7638 thumbprint if left out, which stays the
            same as long as the key does.
        alg: ``RS256`` or ``RS512``, the same as the signer's.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not what it must be.
        InvalidKeyError: The key has under 2048 bits; the certificate is for another key, not valid yet, or
            valid for under 10 more days.

    Warns:
        FinMessengerAuthWarning: The certificate is valid for under 30 more days.
    """
    if alg not in RSA_HASHES:
        raise ConfigurationError(f"alg must be one of {', '.join(RSA_HASHES)} (what Salesforce takes).")
    if public_key.key_size < MIN_RSA_BITS:
        raise InvalidKeyError(f"The RSA key has {public_key.key_size} bits; at least {MIN_RSA_BITS} are needed.")
    if rsa_key_of(certificate) != public_key:
        raise InvalidKeyError("The certificate is for another key; make one from this key with `certificate`.")
    _check_dates(certificate, now or datetime.now(UTC))
    key = _joserfc_key(public_key)
    members = key.as_dict(private=False)
    return {
        "kty": "RSA",
        "kid": key.thumbprint() if kid is None else checked_kid(kid),
        "use": "sig",
        "alg": alg,
        "n": members["n"],
        "e": members["e"],
        "x5c": [b64encode(certificate.public_bytes(Encoding.DER)).decode()],
    }


def thumbprint(public_key: RSAPublicKey) -> str:
    """Return the RFC 7638 thumbprint of a key: the ``kid`` of its JWK unless another is chosen."""
    text: str = _joserfc_key(public_key).thumbprint()
    return text


def read_jwk(document: str | bytes) -> dict[str, Any]:
    """Read a JWK, as this library or Salesforce's own tool made it.

    The tool's dummies (``"d": "d"``) are dropped. Whether Salesforce would take the key is for
    :func:`~fin_messenger_auth.diagnosis.check_jwk` to say.

    Raises:
        InvalidKeyError: It is no JSON object of one key, or it holds a private key.
    """
    try:
        jwk = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise InvalidKeyError("The JWK is no JSON.") from error
    if not isinstance(jwk, dict) or "keys" in jwk:
        raise InvalidKeyError("A JWK is one JSON object; a list or a key set holds several.")
    return without_dummies(jwk)


def without_dummies(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``jwk`` without the dummies of Salesforce's tool.

    Raises:
        InvalidKeyError: It holds a private key.
    """
    kept = {name: value for name, value in jwk.items() if not (name in DUMMIES and value == name)}
    private = [name for name in PRIVATE if name in kept]
    if private:
        raise InvalidKeyError(
            f"The JWK holds a private key (its member {private[0]}). Upload it nowhere; if it has left this machine, "
            "make a new key. Make the public JWK with `jwk`."
        )
    return kept


def certificate_in(jwk: Mapping[str, Any]) -> Certificate:
    """Return the certificate in a JWK (``x5c``, RFC 7517 §4.7).

    Raises:
        InvalidKeyError: There is none, or it is not standard Base64 of a DER certificate.
    """
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise InvalidKeyError("The JWK has no x5c, a list with the certificate. Salesforce needs it.")
    if not _STANDARD_BASE64.fullmatch(chain[0]):
        raise InvalidKeyError("The JWK's x5c is not standard Base64 on one line, without PEM armour.")
    return read_certificate(b64decode(chain[0]))


def _check_dates(certificate: Certificate, now: datetime) -> None:
    left = days_left(certificate, now)
    if left < 0:
        raise InvalidKeyError("The certificate has expired; make a new one from the same key with `certificate`.")
    if left < MIN_DAYS_LEFT:
        raise InvalidKeyError(
            f"The certificate is valid for under {MIN_DAYS_LEFT} more days, and Salesforce refuses it; "
            "make a new one from the same key with `certificate`."
        )
    if certificate.not_valid_before_utc > now:
        raise InvalidKeyError("The certificate is not valid yet; look at its dates and at the clock.")
    if left < WARN_DAYS_LEFT:
        warnings.warn(
            f"The certificate is valid for under {WARN_DAYS_LEFT} more days. Make a new one from the same key with "
            "`certificate`; the kid stays.",
            FinMessengerAuthWarning,
            stacklevel=3,
        )


def _joserfc_key(public_key: RSAPublicKey) -> Any:  # noqa: ANN401 - joserfc is imported only when it is used
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - heavy, and needed only here

    return RSAKey.import_key(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
