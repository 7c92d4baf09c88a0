"""The JWK that is uploaded to Salesforce: a public key and its certificate in one JSON object (RFC 7517)."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate

from fin_messenger_auth.errors import FinMessengerAuthWarning, InvalidKeyError, Problem, problems_of, raise_first
from fin_messenger_auth.json_values import configured_string
from fin_messenger_auth.pem import checked_rsa_key
from fin_messenger_auth.signers import RSA_HASHES

from .certificate import certificate_problems, read_certificate

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # RFC 7518 §6.3.2 and §6.4
_DUMMIES = ("y", "crv", "d", "k")  # Salesforce's own tool fills them with their own name, as "d": "d"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


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
        public_key: The public half of the signing key, wherever the private half is.
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
    key = _joserfc_key(checked_rsa_key(public_key, RSAPublicKey, "The public key"))
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


def thumbprint(public_key: RSAPublicKey) -> str:
    """Return the RFC 7638 thumbprint of a key: the ``kid`` of its JWK unless another is chosen."""
    kid: str = _joserfc_key(public_key).thumbprint()
    return kid


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
    """Parse the file of one JWK, without a check of its members.

    Raises:
        InvalidKeyError: It is not one JSON object.
    """
    text = document.decode(errors="replace") if isinstance(document, bytes) else document
    if "PRIVATE KEY-----" in text:
        raise InvalidKeyError("This is a private key, not a JWK. Do not upload it.", "jwk-private")
    if text.lstrip().startswith("-----BEGIN CERTIFICATE"):
        raise InvalidKeyError("This is a certificate, not a JWK; make a JWK of it with `jwk`.", "jwk-document")
    try:
        jwk = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidKeyError("The JWK is not valid JSON; make it again with `jwk`.", "jwk-document") from error
    if not isinstance(jwk, dict) or "keys" in jwk:
        raise InvalidKeyError(
            "Expected one JWK, got a list or a key set; Salesforce accepts one JSON object per file.", "jwk-document"
        )
    return jwk


def without_dummies(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``jwk`` without the dummies of Salesforce's tool.

    Raises:
        InvalidKeyError: It contains a private key.
    """
    raise_first(_private_problems(jwk))
    return {name: value for name, value in jwk.items() if not _is_dummy(name, value)}


def rsa_key_in(jwk: Mapping[str, Any]) -> RSAPublicKey:
    """Return the public key in a JWK (``n`` and ``e``, RFC 7518 §6.3.1).

    By cryptography and not by joserfc, which warns of a short key where an error is needed.

    Raises:
        InvalidKeyError: ``kty`` is not ``RSA``; ``n`` or ``e`` is not Base64URL without padding; the key has under
            2048 bits.
    """
    if jwk.get("kty") != "RSA":
        raise _member("kty", "RSA")
    for name in ("n", "e"):
        if not isinstance(jwk.get(name), str) or not _BASE64URL.fullmatch(jwk[name]):
            raise _member(name, "Base64URL without padding")
    e, n = (int.from_bytes(urlsafe_b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4)), "big") for name in ("e", "n"))
    try:
        key = RSAPublicNumbers(e, n).public_key()
    except ValueError as error:
        raise _member("n", "an RSA key, together with e") from error
    return checked_rsa_key(key, RSAPublicKey, "The key of the JWK")


def certificate_in(jwk: Mapping[str, Any]) -> Certificate:
    """Return the certificate in a JWK (``x5c``, RFC 7517 §4.7).

    Raises:
        InvalidKeyError: There is none, or it is not standard Base64 of a DER certificate.
    """
    chain = jwk.get("x5c")
    if not chain:
        raise InvalidKeyError(
            "The JWK has no x5c: the upload may succeed, and then every chat is a guest. "
            "Make the JWK with its certificate: `jwk --certificate FILE`.",
            "jwk-x5c-missing",
        )
    wrong = _wrong_with_format(chain)
    if wrong is not None:
        raise InvalidKeyError(f"x5c {wrong}", "jwk-x5c-format")
    return read_certificate(b64decode(chain[0]))


def jwk_problems(
    jwk: Mapping[str, Any], *, public_key: RSAPublicKey | None = None, now: datetime | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a JWK that is to be uploaded: the one list of its rules.

    Args:
        jwk: The JWK. The dummies of Salesforce's tool are not a problem.
        public_key: The public half of the private key, to be compared.
        now: The time, as an aware ``datetime``; the present if left out.
    """
    yield from _private_problems(jwk)
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid.strip():
        yield _member("kid", "a string that is not blank")
    else:
        yield from problems_of(lambda: configured_string(kid, "kid"))
    if jwk.get("alg") not in tuple(RSA_HASHES):
        yield _member("alg", " or ".join(RSA_HASHES))
    if jwk.get("use", "sig") != "sig":
        yield FinMessengerAuthWarning("use of the JWK: expected sig, or no member of this name.", "jwk-use")
    key = None
    try:
        key = rsa_key_in(jwk)
    except InvalidKeyError as error:
        yield error
    if None not in (key, public_key) and key != public_key:
        yield InvalidKeyError(
            "The JWK is for another key than the private key; make it again from the private key with `jwk`.",
            "key-differs",
        )
    yield from _chain_problems(jwk, key, now)


def _private_problems(jwk: Mapping[str, Any]) -> Iterator[Problem]:
    private = [name for name in _PRIVATE if name in jwk and not _is_dummy(name, jwk[name])]
    if private:
        yield InvalidKeyError(
            f"The JWK contains a private key (its member {private[0]}). Do not upload it; if it has left this machine, "
            "make a new key. Make the public JWK with `jwk`.",
            "jwk-private",
        )


def _is_dummy(name: str, value: object) -> bool:
    return name in _DUMMIES and value == name


def _chain_problems(jwk: Mapping[str, Any], key: RSAPublicKey | None, now: datetime | None) -> Iterator[Problem]:
    try:
        certificate = certificate_in(jwk)
    except InvalidKeyError as error:
        yield error
        return
    if key is not None and certificate.public_key() != key:
        yield InvalidKeyError(
            "The certificate is for another key than n and e of the JWK; make one from this key with `certificate`.",
            "jwk-certificate-differs",
        )
    yield from certificate_problems(certificate, now=now)
    if len(jwk["x5c"]) > 1:
        yield FinMessengerAuthWarning(
            f"x5c contains {len(jwk['x5c'])} certificates; Salesforce documents one. Keep the self-signed one only.",
            "jwk-x5c-several",
        )


def _wrong_with_format(chain: object) -> str | None:
    if not isinstance(chain, list) or not all(isinstance(each, str) for each in chain):
        return "must be a list with one string, the certificate."
    text: str = chain[0]
    if "-----" in text:
        return "contains PEM lines (-----BEGIN CERTIFICATE-----); keep only the Base64 between them, on one line."
    if text != "".join(text.split()):
        return "contains newlines or other whitespace; write the Base64 on one line."
    if _BASE64.fullmatch(text) and len(text) % 4 == 0:
        return None
    if _BASE64URL.fullmatch(text.rstrip("=")) and not text.rstrip("=").isalnum():
        return "is Base64URL (it contains - or _); use standard Base64, with + and /."
    return "is not standard Base64 of a DER certificate."


def _member(name: str, expected: str) -> InvalidKeyError:
    return InvalidKeyError(
        f"{name} of the JWK is missing or invalid: expected {expected}. Make the JWK again with `jwk`.", "jwk-member"
    )


def _joserfc_key(public_key: RSAPublicKey) -> Any:  # noqa: ANN401 - joserfc is imported only when it is used
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - 33 ms, needed only here

    return RSAKey.import_key(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
