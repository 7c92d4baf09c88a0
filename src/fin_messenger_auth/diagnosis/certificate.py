"""What is wrong with a certificate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.onboarding.certificate import MIN_DAYS_LEFT, days_left, read_certificate, rsa_key_of
from fin_messenger_auth.onboarding.jwk import WARN_DAYS_LEFT
from fin_messenger_auth.signers import MIN_RSA_BITS

from .findings import finding
from .validity import duration

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

    from .findings import Finding


def check_certificate(
    document: bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Say what is wrong with a certificate.

    Args:
        document: The certificate, in PEM or DER.
        public_key: The public half of the key that signs, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    try:
        certificate = read_certificate(document)
    except InvalidKeyError as error:
        return [finding("certificate-not-rsa" if error.__cause__ is None else "certificate-unreadable")]
    findings = check_dates(certificate, now)
    key = rsa_key_of(certificate)
    if key.key_size < MIN_RSA_BITS:
        findings.append(finding("certificate-key-weak", bits=key.key_size))
    if public_key is not None and key != public_key:
        findings.append(finding("certificate-key-differs"))
    return findings


def check_dates(certificate: Certificate, now: float | None = None) -> list[Finding]:
    """Say what is wrong with the dates of a certificate.

    Args:
        certificate: The certificate.
        now: The time, in Unix seconds; the machine's if left out.
    """
    moment = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    left = days_left(certificate, moment)
    span = duration(abs(left) * 86_400)
    if left < 0:
        return [finding("certificate-expired", ago=span)]
    if certificate.not_valid_before_utc > moment:
        ahead = (certificate.not_valid_before_utc - moment).total_seconds()
        return [finding("certificate-not-yet-valid", ahead=duration(ahead))]
    if left < MIN_DAYS_LEFT:
        return [finding("certificate-ends-soon", left=span)]
    return [finding("certificate-renew", left=span)] if left < WARN_DAYS_LEFT else []
