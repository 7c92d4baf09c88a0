"""What is wrong with a directory of keys, as ``keygen`` writes it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth.errors import FinMessengerAuthError
from fin_messenger_auth.onboarding.directory import CERTIFICATE, JWK, JWKS, PRIVATE_KEY

from .catalogue import finding
from .certificate import check_certificate
from .jwk import check_jwk, check_jwks
from .private_key import check_private_key, open_private_key
from .verifying import VerifyingKey, read_verifying_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .findings import Finding


def check_key_directory(
    path: str | os.PathLike[str], *, password: bytes | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with the files of a key directory, each by itself and together.

    The private key need not be there: a directory may hold what is public only.

    Args:
        path: The directory.
        password: What the private key is encrypted with.
        now: The time, in Unix seconds; the machine's if left out.
    """
    directory = Path(path)
    if not directory.is_dir():
        return [finding("directory-missing")]
    findings, public_key = _check_private_key(directory / PRIVATE_KEY, password)
    files = {name: read_file(directory / name) for name in (CERTIFICATE, JWK, JWKS)}
    findings += [finding("directory-incomplete", name=name) for name, data in files.items() if data is None]
    certificate, jwk, jwks = files.values()
    if certificate is not None:
        findings += check_certificate(certificate, public_key=public_key, now=now)
    if jwk is not None:
        findings += check_jwk(jwk, public_key=public_key, now=now)
    if jwks is not None:
        findings += check_jwks(jwks, now=now)
    if jwk is not None and jwks is not None and any(key not in _keys(jwks) for key in _keys(jwk)):
        findings.append(finding("directory-jwks-differs"))
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
    public_key = None if findings else open_private_key(pem, password).public_key
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        findings.append(finding("directory-permissions", mode=f"{mode:04o}"))
    return findings, public_key


def _keys(document: bytes) -> list[VerifyingKey]:
    try:
        return read_verifying_keys(document)
    except FinMessengerAuthError:
        return []
