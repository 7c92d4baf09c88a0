"""Checks a secret, a key, a certificate, a JWK or a key set: the rules of the readers, as findings."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._keys import MaskedBytes, read_private_key
from fin_messenger_auth._signers import configured_secret
from fin_messenger_auth.errors import InvalidKeyError, Problem, masked, problems_of
from fin_messenger_auth.onboarding._certificate import certificate_problems, read_certificate
from fin_messenger_auth.onboarding._jwk import jwk_problems, jwks_problems, parse_jwk, parse_jwks

from ._findings import Finding, finding_of


@masked
def check_secret(secret: bytes) -> list[Finding]:
    """Return what is wrong with a Messenger API Secret.

    Args:
        secret: The secret, as its variable or file contains it. One trailing newline is not part of it.
    """
    return _findings(lambda: problems_of(lambda: configured_secret(MaskedBytes(secret))))


@masked
def check_private_key(pem: bytes, *, password: bytes | None = None) -> list[Finding]:
    """Return what is wrong with a private key.

    Args:
        pem: The PEM document.
        password: What it is encrypted with.
    """
    return _findings(lambda: problems_of(lambda: read_private_key(pem, password)))


def check_certificate(
    document: bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with a certificate.

    Args:
        document: The certificate, in PEM or DER.
        public_key: The public half of the private key, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return _findings(lambda: certificate_problems(read_certificate(document), public_key=public_key, now=_moment(now)))


def check_jwk(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with the file that is to be uploaded to Salesforce.

    The dummies of Salesforce's own tool (``"d": "d"``) are not a problem.

    Args:
        document: The whole file.
        public_key: The public half of the private key, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return _findings(lambda: jwk_problems(parse_jwk(document), public_key=public_key, now=_moment(now)))


def check_jwks(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with a key set that is to be served.

    A missing certificate or its dates are warnings here: Salesforce's rules for them are about uploads.

    Args:
        document: The whole file or answer.
        public_key: The public half of the private key; one key of the set must be it.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return _findings(lambda: jwks_problems(parse_jwks(document), public_key=public_key, now=_moment(now)))


def check_key_file(document: bytes, *, now: float | None = None) -> list[Finding]:
    """Return what is wrong with a JWK, a JWKS or a certificate; a key without a certificate has no findings.

    Args:
        document: The whole file.
        now: The time, in Unix seconds; the machine's if left out.
    """
    if document.lstrip()[:1] in (b"{", b"["):
        value = parse_json(document)
        check = check_jwks if isinstance(value, dict) and "keys" in value else check_jwk
        return check(document, now=now)
    findings = check_certificate(document, now=now)
    return [each for each in findings if each.code != "certificate-unreadable"]  # which a key is


def mode_for_others(path: Path) -> str | None:
    """Return the mode of a file if others on this machine can open it, else ``None``."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):  # it does not exist, which is another finding
        return None
    return f"{mode:04o}" if os.name == "posix" and mode & 0o077 else None


def _findings(problems: Callable[[], Iterable[Problem]]) -> list[Finding]:
    try:
        return [finding_of(each) for each in problems()]
    except InvalidKeyError as error:  # it cannot even be read
        return [finding_of(error)]


def _moment(now: float | None) -> datetime | None:
    return None if now is None else datetime.fromtimestamp(now, UTC)
