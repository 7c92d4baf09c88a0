"""RSA keys: a new one, its PEM document, and a public one read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    load_pem_public_key,
)

from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError
from fin_messenger_auth.keys import read_key
from fin_messenger_auth.signers import MIN_RSA_BITS

if TYPE_CHECKING:
    from fin_messenger_auth.keys import KeySource

KEY_SIZES = (2048, 3072, 4096)
"""The sizes that a new key can have, in bits."""

_MAX_PASSWORD_BYTES = 1023  # OpenSSL's limit


def generate_private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make a new RSA key.

    Args:
        bits: 2048, 3072 or 4096.

    Raises:
        ConfigurationError: It is another size.
    """
    if bits not in KEY_SIZES:
        raise ConfigurationError(f"A key has {', '.join(map(str, KEY_SIZES[:-1]))} or {KEY_SIZES[-1]} bits.")
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def private_key_pem(key: rsa.RSAPrivateKey, *, password: KeySource | None = None) -> bytes:
    """Return a private key as a PKCS#8 PEM document.

    Args:
        key: The key.
        password: What to encrypt it with. One trailing line end is dropped, as on reading.

    Raises:
        KeyUnavailableError: The password cannot be read.
        ConfigurationError: It is blank, or longer than OpenSSL takes.
    """
    if password is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret = read_key(password).without_line_end()
    if not secret.strip() or len(secret) > _MAX_PASSWORD_BYTES:
        raise ConfigurationError(f"The password must have 1 to {_MAX_PASSWORD_BYTES} bytes and not be blank.")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret))


def read_public_key(data: bytes) -> rsa.RSAPublicKey:
    """Read an RSA public key from PEM or DER, as a KMS hands it out.

    Raises:
        InvalidKeyError: It is no public key, not RSA, or under 2048 bits.
    """
    if b"PRIVATE KEY-----" in data:
        raise InvalidKeyError("This is a private key; the public key is wanted here.")
    load = load_pem_public_key if b"-----BEGIN " in data else load_der_public_key
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKeyError("The public key cannot be read: it is neither PEM nor DER, or is damaged.") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidKeyError("The public key is not RSA; Salesforce needs RSA.")
    if key.key_size < MIN_RSA_BITS:
        raise InvalidKeyError(f"The RSA key has {key.key_size} bits; at least {MIN_RSA_BITS} are needed.")
    return key
