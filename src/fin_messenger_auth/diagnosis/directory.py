"""Checks of a directory of keys, as ``keygen`` writes it."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

from fin_messenger_auth.errors import FinMessengerAuthError, InvalidKeyError, KeyUnavailableError, masked
from fin_messenger_auth.keys import FileKeySource, StringKeySource
from fin_messenger_auth.onboarding.certificate import read_certificate, rsa_key_of
from fin_messenger_auth.onboarding.jwk import certificate_in, parse_json
from fin_messenger_auth.onboarding.key_directory import CERTIFICATE, JWK, JWKS, PRIVATE_KEY
from fin_messenger_auth.signers import RSASigner

from .findings import Finding, finding, finding_of
from .key_checks import check_certificate, check_jwk, check_jwks, mode_for_others
from .verifying_key import VerifyingKey, read_verifying_keys


@masked
def check_key_directory(
    path: str | os.PathLike[str], *, password: bytes | None = None, now: float | None = None
) -> list[Finding]:
    """Check the files of a key directory, each by itself and together.

    Only ``jwk.json`` must exist: a directory may hold public files only, and not every setup needs a JWKS.

    Args:
        path: The directory.
        password: The password of the private key, if it is encrypted.
        now: The time, in Unix seconds; the machine's if left out.
    """
    directory = Path(path)
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a path that is too long
        return [finding("directory-incomplete", path=directory)]
    findings, public_key = _check_private_key(directory / PRIVATE_KEY, password)
    files = {name: read_file(directory / name) for name in (CERTIFICATE, JWK, JWKS)}
    certificate, jwk, jwks = files.values()
    if jwk is None:
        findings.append(finding("directory-incomplete", path=directory / JWK))
    else:
        findings += _of_file(JWK, check_jwk(jwk, public_key=public_key, now=now))
    if certificate is not None:
        findings += _of_file(CERTIFICATE, check_certificate(certificate, public_key=public_key, now=now))
    if jwks is not None:
        findings += _of_file(JWKS, check_jwks(jwks, now=now))
    if jwk is not None and jwks is not None and any(key not in _keys(jwks) for key in _keys(jwk)):
        findings.append(finding("directory-differs", first=JWK, second=JWKS, what="keys"))
    return list(dict.fromkeys([*findings, *_compare_certificates(files)]))


def keys_in_directory(path: str | os.PathLike[str]) -> list[VerifyingKey]:
    """Return the keys in the directory's JWK and JWKS; a file that cannot be read has none.

    Args:
        path: The directory.
    """
    keys = [key for name in (JWK, JWKS) for key in _keys(read_file(Path(path) / name) or b"")]
    return [key for place, key in enumerate(keys) if key not in keys[:place]]


def read_file(path: Path) -> bytes | None:
    """Return the content of a file, or ``None`` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _check_private_key(path: Path, password: bytes | None) -> tuple[list[Finding], RSAPublicKey | None]:
    if not path.is_file():
        return [], None
    mode = mode_for_others(path)
    findings = [] if mode is None else [finding("file-permissions", file=path, mode=mode)]
    try:
        signer = RSASigner(FileKeySource(path), password=None if password is None else StringKeySource(password))
    except (InvalidKeyError, KeyUnavailableError) as error:
        return [*findings, finding_of(error)], None
    return findings, signer.public_key


def _of_file(name: str, findings: list[Finding]) -> list[Finding]:
    """Add the name of the file to what is found of its certificate: three files hold one."""
    return [
        replace(each, message=f"{name}: {each.message}") if each.check == "certificate" else each for each in findings
    ]


def _compare_certificates(files: dict[str, bytes | None]) -> list[Finding]:
    """Find the first two files with different certificates for the same key, as an unfinished renewal leaves them."""
    held = [(name, each) for name, document in files.items() for each in _certificates(document or b"")]
    for (first, one), (second, other) in combinations(held, 2):
        if first != second and one != other and rsa_key_of(one) == rsa_key_of(other):
            what = "certificates for the same key (an unfinished renewal)"
            return [finding("directory-differs", first=first, second=second, what=what)]
    return []


def _certificates(document: bytes) -> list[Certificate]:
    try:
        if document.lstrip()[:1] != b"{":
            return [read_certificate(document)]
        value = parse_json(document)
        return [certificate_in(each) for each in value.get("keys", [value])]
    except (AttributeError, TypeError, InvalidKeyError):
        return []  # the checks of the file say why


def _keys(document: bytes) -> list[VerifyingKey]:
    try:
        return read_verifying_keys(document)
    except FinMessengerAuthError:
        return []
