"""Issues the self-signed certificate that Salesforce requires; the private key may be in another service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from fin_messenger_auth._environment import WARN_DAYS_LEFT
from fin_messenger_auth._keys import checked_rsa_key
from fin_messenger_auth._signers import Signer, rsa_hash
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthWarning,
    InvalidKeyError,
    Problem,
    SigningError,
)

DEFAULT_DAYS = 730  # how long a certificate is valid: two years
MIN_DAYS_LEFT = 10  # Salesforce refuses a certificate that is valid for less
_COMMON_NAME = "fin-messenger-auth"  # the name in the certificate. Nothing reads it
_CLOCKS_DIFFER = timedelta(hours=1)


def self_signed_certificate(
    signer: Signer,
    public_key: RSAPublicKey,
    *,
    days: int = DEFAULT_DAYS,
    now: datetime | None = None,
) -> x509.Certificate:
    """Make a certificate for ``public_key``, signed with the private key that belongs to it.

    The private key may be anywhere: only ``signer`` uses it. A new certificate for the
    same key leaves ``n``, ``e`` and the RFC 7638 thumbprint as they are, so tokens go on verifying.

    Args:
        signer: Signs with RS256 or RS512, as for a token.
        public_key: The signer's public key, such as ``RSASigner.public_key``.
        days: How long the certificate is valid, over 10 days.
        now: When it begins, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: The signer's ``alg`` is not RS256 or RS512; ``days`` is too few or too many.
        InvalidKeyError: The key has under 2048 bits.
        SigningError: The signer failed, or signs with another key.
    """
    algorithm = rsa_hash(signer.alg)
    checked_rsa_key(public_key, "The public key")
    builder = _builder(public_key, days, now or datetime.now(UTC))
    certificate = builder.sign(cast("RSAPrivateKey", _PrivateHalf(signer)), algorithm)
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature as error:
        raise SigningError("The signer's private key does not belong to public_key.") from error
    return certificate


class _PrivateHalf:
    """What cryptography asks of a private key when it makes a certificate: to sign."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(self, data: bytes, _padding: object, _algorithm: object) -> bytes:
        name = type(self._signer).__name__
        try:
            signature = self._signer.sign(data)
        except Exception as error:  # noqa: BLE001 - its text may hold anything
            said = f"{name} raised {type(error).__name__} when it signed the certificate."
            raise SigningError(said).with_traceback(error.__traceback__) from None
        if not isinstance(signature, bytes):
            raise SigningError(f"{name} must return the signature as bytes.")
        return signature


RSAPrivateKey.register(_PrivateHalf)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as a PEM document."""
    return certificate.public_bytes(Encoding.PEM)


def certificate_problems(
    certificate: x509.Certificate, *, public_key: RSAPublicKey | None = None, now: datetime | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a certificate: the one list of its rules. ``public_key`` is that of the private key."""
    now = now or datetime.now(UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    left = (end - now) / timedelta(days=1)
    ends = f"The certificate {'expired' if left < 0 else 'ends'} on {end.date()}"
    renew = "make a new one from the same key with `certificate`."
    if left >= 0 and begin > now:
        message = f"The certificate is not valid before {begin.date()}; check the clock of this machine."
        yield InvalidKeyError(message, "certificate-not-yet-valid")
    elif left < MIN_DAYS_LEFT:
        yield InvalidKeyError(
            f"{ends}, and Salesforce requires {MIN_DAYS_LEFT} more days; {renew}", "certificate-validity"
        )
    elif left < WARN_DAYS_LEFT:
        yield FinMessengerAuthWarning(f"{ends}; {renew}", "certificate-renew")
    if public_key is not None and certificate.public_key() != public_key:
        yield InvalidKeyError(
            "The certificate is for another key than the private key; make one from the private key with "
            "`certificate`.",
            "key-differs",
        )


def _builder(public_key: RSAPublicKey, days: int, now: datetime) -> x509.CertificateBuilder:
    if days <= MIN_DAYS_LEFT:
        raise ConfigurationError(f"days: expected over {MIN_DAYS_LEFT}, which Salesforce requires.")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _COMMON_NAME)])
    try:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"The certificate cannot be made: {error}.") from error
