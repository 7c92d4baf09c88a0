"""What was uploaded to Salesforce, compared with the key that signs and with the key directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.x509 import Certificate

from fin_messenger_auth.errors import InvalidKeyError, masked
from fin_messenger_auth.onboarding.certificate import read_certificate
from fin_messenger_auth.onboarding.jwk import certificate_in, parse_json
from fin_messenger_auth.onboarding.key_directory import CERTIFICATE, JWK

from .findings import Finding, finding
from .key_checks import check_jwk
from .verifying_key import VerifyingKey, read_verifying_keys


@masked
def check_upload(
    document: bytes, *, key_directory: str | os.PathLike[str] | None = None, now: float | None = None
) -> list[Finding]:
    """Check the JWK, or the JWKs, that were uploaded to Salesforce.

    Args:
        document: A JWK; or several as a JWKS or a list.
        key_directory: The directory that ``keygen`` wrote, to be searched for a newer certificate.
        now: The time, in Unix seconds; the machine's if left out.
    """
    jwks = _jwks_in(document)
    if jwks is None:
        return check_jwk(document, now=now)
    findings = [each for jwk in jwks for each in check_jwk(json.dumps(jwk), now=now)]
    newer = None if key_directory is None else _newer_file(Path(key_directory), jwks)
    if newer is not None:
        what = "certificates for the same key: the newer one was not uploaded"
        findings.append(finding("directory-differs", first=newer, second="the uploaded JWK", what=what))
    return findings


def uploaded_keys(document: bytes) -> list[VerifyingKey]:
    """Return the keys of an upload; none if it cannot be read, which :func:`check_upload` reports.

    Args:
        document: A JWK; or several as a JWKS or a list.
    """
    try:
        return read_verifying_keys(document)
    except InvalidKeyError:
        return []


def _jwks_in(document: bytes) -> list[dict[str, object]] | None:
    value = parse_json(document)
    found = value.get("keys", [value]) if isinstance(value, dict) else value
    usable = isinstance(found, list) and found and all(isinstance(each, dict) for each in found)
    return found if usable else None


def _newer_file(directory: Path, jwks: list[dict[str, object]]) -> str | None:
    """Name the file of the directory with a later certificate for a key that was uploaded."""
    uploaded = [each for each in (_certificate_of(json.dumps(jwk).encode()) for jwk in jwks) if each is not None]
    for name in (CERTIFICATE, JWK):
        try:
            local = _certificate_of((directory / name).read_bytes())
        except OSError:
            continue
        for each in uploaded:
            same_key = local is not None and local.public_key() == each.public_key()
            if local is not None and same_key and local.not_valid_after_utc > each.not_valid_after_utc:
                return name
    return None


def _certificate_of(document: bytes) -> Certificate | None:
    value = parse_json(document)
    try:
        return certificate_in(value) if isinstance(value, dict) else read_certificate(document)
    except InvalidKeyError:
        return None
