"""What Intercom would say of ``intercom_user_jwt``."""

from __future__ import annotations

import hmac
import re
import time
from base64 import b64decode, urlsafe_b64decode
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.intercom import ALGORITHMS
from fin_messenger_auth.signers import MIN_SECRET_BYTES
from fin_messenger_auth.users import MAX_TEXT_LENGTH

from .compact import INTERCOM, LOST, SALESFORCE, kind_of, read_token, shown
from .findings import finding
from .validity import check_validity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .compact import ReadToken
    from .findings import Finding

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
"""What an e-mail address looks like from afar."""

_STANDARD = frozenset({"user_id", "exp", "iat", "nbf", "jti", "iss", "aud", "sub", "email", "name", "phone", "company"})
_STRINGIFIED = frozenset({"true", "false", "null", "none", "undefined"})


def check_intercom_token(
    token: str, *, secret: str | bytes | None = None, user_id: str | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with ``intercom_user_jwt``, as far as can be told from here.

    Args:
        token: The token, as it stands in the settings.
        secret: The Messenger API Secret. Without it the signature is not checked, unless the secret
            that signed is empty.
        user_id: The ``user_id`` that stands beside the token in the settings, to be compared.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, with an ``unchecked`` finding for what could not be looked at. Empty for a
        token in good health.
    """
    read, findings = read_token(token, INTERCOM)
    if read is None:
        return findings
    if read.name == SALESFORCE and str(read.header.get("alg")).startswith("RS"):
        return [*findings, finding("token-exchanged", token=INTERCOM)]
    raw = secret.encode() if isinstance(secret, str) else secret
    return [
        *findings,
        *_check_signature(read, raw),
        *_check_user(read.claims, user_id),
        *_check_expiry_is_there(read.claims),
        *check_validity(read, INTERCOM, time.time() if now is None else now),
        *_check_attributes(read.claims),
    ]


def _check_signature(token: ReadToken, secret: bytes | None) -> list[Finding]:
    if token.unsigned:
        return []  # said already, of its form
    if token.header["alg"] not in ALGORITHMS:
        return [finding("intercom-algorithm", got=shown(token.header["alg"]))]
    if _is_signed_with(token, b""):
        return [finding("intercom-secret-empty")]
    if secret is None:
        return [finding("intercom-signature-unchecked")]
    return _verify(token, secret)


def _verify(token: ReadToken, secret: bytes) -> list[Finding]:
    if len(secret) < MIN_SECRET_BYTES:
        return [finding("intercom-secret-unusable")]
    if _is_signed_with(token, secret):
        return []
    for code, details, guess in _near_misses(secret):
        if _is_signed_with(token, guess):
            return [finding(code, **details)]
    return [finding("intercom-signature")]


def _is_signed_with(token: ReadToken, secret: bytes) -> bool:
    """Verify HS256; not by joserfc, which refuses an empty secret and so cannot tell that one was used."""
    return hmac.compare_digest(hmac.digest(secret, token.message, "sha256"), token.signature)


def _near_misses(secret: bytes) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Say how a secret is spoilt on its way, and what it is then."""
    line_end = "intercom-secret-line-end"
    yield line_end, {"what": "a line end"}, secret + b"\n"
    yield line_end, {"what": "a line end"}, secret + b"\r\n"
    yield line_end, {"what": "quotes"}, b'"' + secret + b'"'
    yield line_end, {"what": "quotes"}, b"'" + secret + b"'"
    codings: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("hexadecimal", lambda text: bytes.fromhex(text.decode())),
        ("Base64", b64decode),
        ("Base64URL", lambda text: urlsafe_b64decode(text + b"=" * (-len(text) % 4))),
    ]
    for coding, decode in codings:
        try:
            yield "intercom-secret-decoded", {"coding": coding}, decode(secret)
        except ValueError:  # it is not written so
            continue


def _check_user(claims: dict[str, Any], expected: str | None) -> list[Finding]:
    if "user_id" not in claims:
        return [finding("intercom-user-id-missing")]
    user_id = claims["user_id"]
    if not isinstance(user_id, str):
        return [finding("intercom-user-id-not-text", got=kind_of(user_id))]
    if user_id.strip().lower() in LOST:
        return [finding("intercom-user-id-lost")]
    findings = []
    if EMAIL.fullmatch(user_id):
        findings.append(finding("intercom-user-id-email"))
    if expected is not None and user_id != expected:
        findings.append(finding("intercom-user-id-differs"))
    return findings


def _check_expiry_is_there(claims: dict[str, Any]) -> list[Finding]:
    return [] if "exp" in claims else [finding("intercom-expiry-missing")]


def _check_attributes(claims: dict[str, Any]) -> list[Finding]:
    findings = []
    company = claims.get("company", {"id": "…"})
    if not (isinstance(company, dict) and company.get("id")):
        findings.append(finding("intercom-company-id"))
    for name, value in claims.items():
        if name in _STANDARD:
            continue
        if "." in name or "$" in name:
            findings.append(finding("intercom-attribute-name", name=repr(name)))
        if isinstance(value, dict | list):
            findings.append(finding("intercom-attribute-nested", name=repr(name)))
        if isinstance(value, str) and value.lower() in _STRINGIFIED:
            findings.append(finding("intercom-attribute-stringified", name=repr(name)))
        if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
            findings.append(finding("intercom-attribute-long", name=repr(name)))
    return findings
