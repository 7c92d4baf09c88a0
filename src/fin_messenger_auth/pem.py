"""The one reader of RSA keys in PEM and DER, with the one limit of their size.

A certificate is read in ``onboarding.certificate`` and a JWK in ``onboarding.jwk``: what they need takes longer to
import than all that signs. The keys in them are checked here.
"""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from .errors import InvalidKeyError, masked
from .keys import MaskedBytes

MIN_RSA_BITS = 2048  # the least that RFC 7518 §3.3 allows
MIN_EXPONENT = 65_537  # the least public exponent that NIST SP 800-56B §6.2 allows
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")

# What a PEM document contains instead of an RSA private key, by its label (RFC 7468), and the code of that finding.
_OTHER_LABELS = {
    b"CERTIFICATE": ("a certificate; use the private key that belongs to it", "key-public"),
    b"PUBLIC KEY": ("a public key; use the private key that belongs to it", "key-public"),
    b"RSA PUBLIC KEY": ("a public key; use the private key that belongs to it", "key-public"),
    b"OPENSSH PRIVATE KEY": ("an OpenSSH key; convert a copy: ssh-keygen -p -m PKCS8 -f COPY", "key-openssh"),
    b"EC PRIVATE KEY": ("an EC key; Salesforce accepts RSA keys only", "key-not-rsa"),
    b"DSA PRIVATE KEY": ("a DSA key; Salesforce accepts RSA keys only", "key-not-rsa"),
}


@masked
def read_private_key(pem: bytes, password: bytes | None = None) -> RSAPrivateKey:
    r"""Read an RSA private key of at least 2048 bits from PEM, PKCS#1 or PKCS#8.

    Args:
        pem: The PEM document. Its newlines may be written as ``\\n``.
        password: What it is encrypted with. One trailing newline is dropped.
    """
    pem = MaskedBytes(pem).with_line_ends()
    password = None if password is None else MaskedBytes(password).without_line_end()
    _check_label(pem)
    if password == b"":
        raise InvalidKeyError(
            "The password of the private key is blank; set it, or leave it out if the key is not encrypted.",
            "key-password-missing",
        )
    try:
        key = load_pem_private_key(pem, password)
    except TypeError as error:  # how cryptography says that password and encryption do not go together
        if password is None:
            message = (
                "The private key is encrypted, but no password was given; set SALESFORCE_PRIVATE_KEY_PASSWORD, "
                "or with a key file give --password-file."
            )
            raise InvalidKeyError(message, "key-password-missing") from error
        message = "A password was given, but the private key is not encrypted; unset the password, or encrypt the key."
        raise InvalidKeyError(message, "key-password-unneeded") from error
    except UnsupportedAlgorithm as error:
        raise InvalidKeyError("The private key is not RSA; Salesforce accepts RSA keys only.", "key-not-rsa") from error
    except ValueError as error:
        if password is None:
            message = "The private key is damaged: it cannot be parsed. Copy the whole file again."
            raise InvalidKeyError(message, "key-damaged") from error
        message = "The private key cannot be decrypted: the password is wrong, or the key is damaged."
        raise InvalidKeyError(message, "key-password-wrong") from error
    if not isinstance(key, RSAPrivateKey):
        raise _not_rsa(key, "The private key")
    checked_rsa_key(key.public_key(), "The private key")
    return key


@masked
def read_public_key(data: bytes) -> RSAPublicKey:
    """Read an RSA public key from PEM or DER, as a KMS returns it.

    Raises:
        InvalidKeyError: It is not an RSA public key of at least 2048 bits.
    """
    if b"PRIVATE KEY-----" in data:
        raise InvalidKeyError("Expected a public key, got a private key.", "argument-invalid")
    if b"-----BEGIN CERTIFICATE-----" in data:
        raise InvalidKeyError(
            "Expected a public key, got a certificate; `openssl x509 -pubkey -noout -in FILE` prints the key in it.",
            "argument-invalid",
        )
    load = load_pem_public_key if b"-----BEGIN " in data else load_der_public_key
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKeyError("The public key cannot be read: it is neither PEM nor DER, or is damaged.") from error
    return checked_rsa_key(key, "The public key")


def checked_rsa_key(key: object, name: str) -> RSAPublicKey:
    """Return a public key of cryptography, checked to be RSA of at least 2048 bits, with usual numbers."""
    if not isinstance(key, RSAPublicKey):
        raise _not_rsa(key, name)
    numbers = key.public_numbers()
    if numbers.n % 2 == 0 or numbers.e < MIN_EXPONENT or numbers.e % 2 == 0:
        raise InvalidKeyError(
            f"{name} has an even modulus, or an exponent other than an odd number of at least {MIN_EXPONENT}. "
            "Make a new key.",
            "key-weak",
        )
    if key.key_size < MIN_RSA_BITS:
        raise InvalidKeyError(
            f"{name} has {key.key_size} bits; at least {MIN_RSA_BITS} are required. Make a new key.", "key-weak"
        )
    return key


def _not_rsa(key: object, name: str) -> InvalidKeyError:
    kind = type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    return InvalidKeyError(f"{name} is {kind}; Salesforce accepts RSA keys only.", "key-not-rsa")


def _check_label(pem: MaskedBytes) -> None:
    labels = _LABEL.findall(pem)
    label = next((each for each in labels if each.endswith(b"PRIVATE KEY") and each not in _OTHER_LABELS), None)
    if not labels:
        raise InvalidKeyError(
            "The private key is not a PEM document: it has no -----BEGIN PRIVATE KEY----- line. "
            "Is it empty, the Intercom secret, a path, a JWK, a DER file or Base64?",
            "key-not-pem",
        )
    if label is None:
        none = ("not a private key", "key-not-pem")
        what, code = next((_OTHER_LABELS[each] for each in labels if each in _OTHER_LABELS), none)
        raise InvalidKeyError(f"The PEM document is {what}.", code)
    if pem.find(b"-----END " + label + b"-----") < 0:
        raise InvalidKeyError("The private key is truncated: its -----END line is missing. Copy the whole file again.")
