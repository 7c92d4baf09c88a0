"""What is wrong with a file of public keys, whatever it is in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.onboarding.jwk import read_jwk

from .certificate import check_certificate
from .findings import Level
from .jwk import check_jwk, check_jwks

if TYPE_CHECKING:
    from .findings import Finding


def check_key_file(document: bytes, *, now: float | None = None) -> list[Finding]:
    """Say what is wrong with a JWK, a JWKS or a certificate; of a bare key there is nothing to say.

    Args:
        document: The whole file.
        now: The time, in Unix seconds; the machine's if left out.
    """
    if document.lstrip()[:1] in (b"{", b"["):
        return check_jwks(document, now=now) if _is_set(document) else check_jwk(document, now=now)
    findings = check_certificate(document, now=now)
    return [each for each in findings if each.code != "certificate-unreadable"]  # which a bare key is


def read_sound_jwk(document: bytes, *, now: float | None = None) -> dict[str, Any]:
    """Read a JWK that Salesforce would take.

    Args:
        document: The whole file.
        now: The time, in Unix seconds; the machine's if left out.

    Raises:
        InvalidKeyError: :func:`check_jwk` has found an error.
    """
    jwk = read_jwk(document)
    errors = [each for each in check_jwk(json.dumps(jwk), now=now) if each.level is Level.ERROR]
    if errors:
        raise InvalidKeyError(f"{errors[0].message} {errors[0].fix}")
    return jwk


def _is_set(document: bytes) -> bool:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "keys" in value
