"""What is wrong with a JWK that is to be uploaded, or with a JWKS that is to be served."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.onboarding.certificate import read_certificate, rsa_key_of
from fin_messenger_auth.onboarding.jwk import DUMMIES, PRIVATE
from fin_messenger_auth.signers import MIN_RSA_BITS, RSA_HASHES

from .certificate import check_dates
from .findings import finding
from .verifying import rsa_key_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .findings import Finding

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def check_jwk(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with the file that is to be uploaded to Salesforce.

    The dummies of Salesforce's own tool (``"d": "d"``) are nothing wrong.

    Args:
        document: The whole file.
        public_key: The public half of the key that signs, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    text = document.decode(errors="replace") if isinstance(document, bytes) else document
    if "PRIVATE KEY-----" in text:
        return [finding("jwk-private-file")]
    if text.lstrip().startswith("-----BEGIN CERTIFICATE"):
        return [finding("jwk-certificate-file")]
    try:
        jwk = json.loads(text)
    except (ValueError, RecursionError):
        return [finding("jwk-not-json")]
    if not isinstance(jwk, dict) or "keys" in jwk:
        return [finding("jwk-several")]
    return _check_members(jwk, public_key, now)


def check_jwks(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with a key set that is to be served.

    Args:
        document: The whole file or answer.
        public_key: The public half of the key that signs; one key of the set must be it.
        now: The time, in Unix seconds; the machine's if left out.
    """
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        value = None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        return [finding("jwks-not-a-set")]
    if not keys:
        return [finding("jwks-empty")]
    findings = [each for key in keys for each in _check_members(key, None, now)]
    kids = [json.dumps(key.get("kid")) for key in keys]
    if len(set(kids)) < len(kids):
        findings.append(finding("jwks-kid-twice"))
    if public_key is not None and public_key not in [_key_in(key) for key in keys]:
        findings.append(finding("jwk-key-differs"))
    return findings


def _check_members(jwk: Mapping[str, Any], public_key: RSAPublicKey | None, now: float | None) -> list[Finding]:
    private = [name for name in PRIVATE if name in jwk and not (name in DUMMIES and jwk[name] == name)]
    findings = [finding("jwk-private", member=private[0])] if private else []
    if jwk.get("kty") != "RSA":
        findings.append(finding("jwk-type"))
    if jwk.get("alg") not in tuple(RSA_HASHES):
        findings.append(finding("jwk-algorithm"))
    if jwk.get("use", "sig") != "sig":
        findings.append(finding("jwk-use"))
    return [*findings, *_check_kid(jwk), *_check_key(jwk, public_key), *_check_chain(jwk, now)]


def _check_kid(jwk: Mapping[str, Any]) -> list[Finding]:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid.strip():
        return [finding("jwk-kid")]
    return [finding("jwk-kid-blanks")] if kid != kid.strip() else []


def _check_key(jwk: Mapping[str, Any], public_key: RSAPublicKey | None) -> list[Finding]:
    key = _key_in(jwk)
    if key is None:
        return [finding("jwk-number")]
    findings = [finding("jwk-key-weak", bits=key.key_size)] if key.key_size < MIN_RSA_BITS else []
    if public_key is not None and key != public_key:
        findings.append(finding("jwk-key-differs"))
    return findings


def _key_in(jwk: Mapping[str, Any]) -> RSAPublicKey | None:
    if not all(isinstance(jwk.get(name), str) and _BASE64URL.fullmatch(jwk[name]) for name in ("n", "e")):
        return None
    try:
        return rsa_key_in({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    except InvalidKeyError:
        return None


def _check_chain(jwk: Mapping[str, Any], now: float | None) -> list[Finding]:
    chain = jwk.get("x5c")
    if not chain:
        return [finding("jwk-x5c-missing")]
    if not isinstance(chain, list) or not all(isinstance(each, str) for each in chain):
        return [finding("jwk-x5c-not-a-list")]
    findings = [finding("jwk-x5c-several", count=len(chain))] if len(chain) > 1 else []
    code = _code_of_text(chain[0])
    if code is not None:
        return [*findings, finding(code)]
    try:
        certificate = read_certificate(b64decode(chain[0]))
    except (InvalidKeyError, ValueError):
        return [*findings, finding("jwk-x5c-unreadable")]
    key = _key_in(jwk)
    if key is not None and rsa_key_of(certificate) != key:
        findings.append(finding("jwk-certificate-differs"))
    return [*findings, *check_dates(certificate, now)]


def _code_of_text(text: str) -> str | None:
    if "-----" in text:
        return "jwk-x5c-armour"
    if text != "".join(text.split()):
        return "jwk-x5c-line-breaks"
    if not _BASE64.fullmatch(text):
        return "jwk-x5c-urlsafe" if _BASE64URL.fullmatch(text.rstrip("=")) else "jwk-x5c-unreadable"
    return None
