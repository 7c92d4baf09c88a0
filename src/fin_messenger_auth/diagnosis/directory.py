"""What is wrong with a directory of keys, as ``keygen`` writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth.errors import FinMessengerAuthError, InvalidKeyError
from fin_messenger_auth.onboarding.certificate import read_certificate, rsa_key_of
from fin_messenger_auth.onboarding.jwk import certificate_in
from fin_messenger_auth.onboarding.key_directory import CERTIFICATE, JWK, JWKS, PRIVATE_KEY
from fin_messenger_auth.pem import read_private_key

from .findings import finding
from .key_checks import check_certificate, check_jwk, check_jwks, check_private_key, mode_for_others
from .verifying_key import VerifyingKey, read_verifying_keys

if TYPE_CHECKING:
    import os

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

    from .findings import Finding


def check_key_directory(
    path: str | os.PathLike[str], *, password: bytes | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with the files of a key directory, each by itself and together.

    Only ``jwk.json`` must be there: a directory may hold what is public only, and a key set is not for everybody.

    Args:
        path: The directory.
        password: What the private key is encrypted with.
        now: The time, in Unix seconds; the machine's if left out.
    """
    directory = Path(path)
    if not directory.is_dir():
        return [finding("directory-missing")]
    findings, public_key = _check_private_key(directory / PRIVATE_KEY, password)
    certificate, jwk, jwks = (read_file(directory / name) for name in (CERTIFICATE, JWK, JWKS))
    if jwk is None:
        findings.append(finding("directory-incomplete", name=JWK))
    else:
        findings += _of_file(JWK, check_jwk(jwk, public_key=public_key, now=now))
    if certificate is not None:
        findings += _of_file(CERTIFICATE, check_certificate(certificate, public_key=public_key, now=now))
    if jwks is not None:
        findings += _of_file(JWKS, check_jwks(jwks, now=now))
    if jwk is not None and jwks is not None and any(key not in _keys(jwks) for key in _keys(jwk)):
        findings.append(finding("directory-jwks-differs"))
    findings += _compare_certificates({CERTIFICATE: certificate, JWK: jwk, JWKS: jwks})
    return without_repetition(findings)


def keys_in_directory(path: str | os.PathLike[str]) -> list[VerifyingKey]:
    """Return the keys that the directory's JWK and JWKS hold, as far as they can be read.

    Args:
        path: The directory.
    """
    keys: list[VerifyingKey] = []
    for name in (JWK, JWKS):
        keys += [key for key in _keys(read_file(Path(path) / name) or b"") if key not in keys]
    return keys


def read_file(path: Path) -> bytes | None:
    """Return what a file holds, or ``None`` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def without_repetition(findings: list[Finding]) -> list[Finding]:
    """Return ``findings`` in their order, each once."""
    return list(dict.fromkeys(findings))


def _check_private_key(path: Path, password: bytes | None) -> tuple[list[Finding], RSAPublicKey | None]:
    pem = read_file(path)
    if pem is None:
        return [], None
    findings = check_private_key(pem, password=password)
    public_key = None if findings else read_private_key(pem, password).public_key()
    mode = mode_for_others(path)
    if mode is not None:
        findings.append(finding("directory-permissions", mode=mode))
    return findings, public_key


def _of_file(name: str, findings: list[Finding]) -> list[Finding]:
    """Name the file where a certificate is at fault: there are three that hold one."""
    return [
        replace(each, message=f"{name}: {each.message}") if each.check == "certificate" else each for each in findings
    ]


def _compare_certificates(files: dict[str, bytes | None]) -> list[Finding]:
    """Compare the certificates that are for the same key, in files of which some may be older than others."""
    held = [(name, each) for name, document in files.items() for each in _certificates(document or b"")]
    differing = [
        (first, second)
        for (first, one), (second, other) in combinations(held, 2)
        if first != second and one != other and rsa_key_of(one) == rsa_key_of(other)
    ]
    return [finding("directory-certificate-differs", first=first, second=second) for first, second in differing[:1]]


def _certificates(document: bytes) -> list[Certificate]:
    try:
        if document.lstrip()[:1] != b"{":
            return [read_certificate(document)]
        value = json.loads(document)
        return [certificate_in(each) for each in value.get("keys", [value])]
    except (AttributeError, TypeError, ValueError, RecursionError, InvalidKeyError):
        return []  # the checks of the file say why


def _keys(document: bytes) -> list[VerifyingKey]:
    try:
        return read_verifying_keys(document)
    except FinMessengerAuthError:
        return []
