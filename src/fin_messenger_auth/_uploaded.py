"""Reads what was uploaded to Salesforce, a JWK with its certificate or a JWKS, into the key that must sign."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ._keys import checked_rsa_key
from ._material import CERTIFICATE, RSA_PSS, check_algorithm, configured_string, find_certificate, things_in
from ._signers import RSA_HASHES, WantedKey
from ._verification import (
    REMAKE,
    REPAIR,
    ZERO_BYTE,
    keys_of,
    mistake_in_number,
    parse_upload,
    rsa_key_in,
    without_dummies,
    wrong_member,
)
from .errors import (
    ConfigurationError,
    FinMessengerAuthWarning,
    InvalidKeyError,
    Problem,
    attempt,
    masked,
    problems_of,
    raise_first,
)

# Wrong forms of x5c, by the pattern that reveals them.
_OTHER_FORMS = {
    "-----": "contains PEM lines (-----BEGIN CERTIFICATE-----); keep only the Base64 between them, on one line",
    r"\s": "contains newlines or other whitespace; write the Base64 on one line",
    "[-_]": "is Base64URL (it contains - or _); use standard Base64, with + and /",
}
_TWICE = re.compile(rb"\s*(-----BEGIN |[A-Za-z0-9+/\s]{60})")  # what Base64 of text holds, where DER is expected


def read_uploaded(document: bytes) -> list[WantedKey]:
    """Read the keys of a JWK or a JWKS; ``InvalidKeyError`` if one of them could not have been uploaded or served."""
    value = parse_upload(document)
    return [_uploaded_key(without_dummies(each)) for each in keys_of(value if isinstance(value, dict) else None)]


def _uploaded_key(jwk: dict[str, Any]) -> WantedKey:
    key, certificate, problems = read_members(jwk)
    raise_first(each for each in problems if each.code != "jwk-x5c-missing")  # as keys that are served may be
    ends = None if certificate is None else certificate.not_valid_after_utc
    return WantedKey(jwk["kid"], jwk["alg"], key, ends)


def read_members(jwk: Mapping[str, Any]) -> tuple[RSAPublicKey | None, x509.Certificate | None, list[Problem]]:
    """Return the key and the certificate of a JWK, and what is wrong with it whenever it is read."""
    kid, problems = jwk.get("kid"), problems_of(without_dummies, jwk)
    if not isinstance(kid, str) or not kid.strip():
        problems.append(wrong_member("kid", "a string that is not blank"))
    else:
        for each in problems_of(configured_string, kid, "kid of the JWK", "kid"):
            is_error = isinstance(each, ConfigurationError)
            problems.append(InvalidKeyError(each.message, "jwk-member") if is_error else each)
    if jwk.get("alg") not in tuple(RSA_HASHES):
        problems.append(wrong_member("alg", " or ".join(RSA_HASHES)))
    if jwk.get("use", "sig") != "sig":
        message = "use of the JWK: expected sig, or no member of this name."
        problems.append(FinMessengerAuthWarning(message, "jwk-use"))
    (key, of_key), (certificate, of_certificate) = attempt(rsa_key_in, jwk), attempt(certificate_in, jwk)
    problems += of_key + of_certificate
    if key is not None:
        problems += _mistakes(jwk, key, certificate)
    return key, certificate, problems


def certificate_in(jwk: Mapping[str, Any]) -> x509.Certificate:
    """Return the certificate in a JWK (``x5c``, RFC 7517 §4.7).

    Raises:
        InvalidKeyError: There is none, or it is not standard Base64 of a DER certificate.
    """
    chain = jwk.get("x5c")
    if not chain:
        raise InvalidKeyError(
            "The JWK has no x5c: the upload may succeed, and then every visitor is a guest. "
            "Make the JWK with its certificate: `jwk --certificate FILE`.",
            "jwk-x5c-missing",
        )
    wrong = _wrong_with_format(chain)
    if wrong is not None:
        fix = REPAIR if certificates_in(chain) else REMAKE
        raise InvalidKeyError(f"x5c {wrong}. {fix}", "jwk-x5c-format")
    return read_certificate(b64decode(chain[0]))


def _mistakes(jwk: Mapping[str, Any], key: RSAPublicKey, certificate: x509.Certificate | None) -> Iterator[Problem]:
    """Yield what is wrong with how a JWK was put together, though its parts can be read."""
    for name in ("n", "e"):
        if mistake_in_number(jwk[name]) is not None:
            message = f"{name} of the JWK {ZERO_BYTE}, which RFC 7518 forbids. {REPAIR}"
            yield FinMessengerAuthWarning(message, "jwk-zero-byte")
    if certificate is None or certificate.public_key() == key:
        return
    for place, each in enumerate(certificates_in(jwk["x5c"]), start=1):
        if each.public_key() == key:
            yield InvalidKeyError(
                f"x5c is in the wrong order: the certificate of this key is number {place}, and must be the first "
                f"(RFC 7517 §4.7). {REPAIR}",
                "jwk-x5c-order",
            )
            return
    yield InvalidKeyError(
        "The certificate is for another key than n and e of the JWK; make one from this key with `certificate`.",
        "jwk-certificate-differs",
    )


def certificates_in(x5c: object) -> list[x509.Certificate]:
    """Return the certificates in ``x5c`` or a file, however they are written, but for those that cannot be read."""
    given = [each for each in (x5c if isinstance(x5c, list) else [x5c]) if isinstance(each, str | bytes)]
    texts = [each.encode(errors="replace") if isinstance(each, str) else each for each in given]
    lines = b"\n".join(texts)  # perhaps it is one document, line by line
    things = [thing for text in dict.fromkeys([*texts, lines]) for thing in things_in(text)]
    found = [attempt(read_certificate, each.data)[0] for each in things if each.kind is CERTIFICATE]
    return [each for each in found if each is not None]


@masked
def read_certificate(data: bytes) -> x509.Certificate:
    """Read a certificate from PEM or DER; of several in PEM, the first.

    Raises:
        InvalidKeyError: It is not a certificate, or its key is not RSA of at least 2048 bits.
    """
    der = find_certificate(data)
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except Exception as error:  # cryptography raises ValueError, and its own errors for what it does not support
        raise InvalidKeyError(
            "The certificate cannot be read: it is damaged. Copy the whole file again.", "certificate-unreadable"
        ) from error
    rsa_key_of(certificate)
    return certificate


def rsa_key_of(certificate: x509.Certificate) -> RSAPublicKey:
    """Return the public key in a certificate, checked."""
    name = "The key of the certificate"
    if certificate.public_key_algorithm_oid.dotted_string == RSA_PSS:
        check_algorithm("RSA-PSS", name)
    return checked_rsa_key(certificate.public_key(), name)


def _wrong_with_format(chain: object) -> str | None:
    if not isinstance(chain, list) or not all(isinstance(each, str) for each in chain):
        return "must be a list with one string, the certificate"
    text: str = chain[0]
    for pattern, wrong in _OTHER_FORMS.items():
        if re.search(pattern, text):
            return wrong
    try:
        inner = b64decode(text, validate=True)
    except ValueError:
        return "is not standard Base64 of a DER certificate"
    if _TWICE.match(inner):
        return "is encoded twice: it is the Base64 of a text, such as a PEM file"
    return None
