"""A new RSA key, and its PEM document."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from fin_messenger_auth.errors import ConfigurationError, masked
from fin_messenger_auth.keys import KeySource, read_key

KEY_SIZES = (2048, 3072, 4096)  # the sizes that a new key can have, in bits
_MAX_PASSWORD_BYTES = 1023  # OpenSSL's limit


@masked
def generate_private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make a new RSA key.

    Args:
        bits: 2048, 3072 or 4096.

    Raises:
        ConfigurationError: It is another size.
    """
    if bits not in KEY_SIZES:
        raise ConfigurationError(f"bits: expected {', '.join(map(str, KEY_SIZES[:-1]))} or {KEY_SIZES[-1]}.")
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@masked
def private_key_pem(key: rsa.RSAPrivateKey, *, password: KeySource | None = None) -> bytes:
    """Return a private key as a PKCS#8 PEM document.

    Args:
        key: The key.
        password: What to encrypt it with. One trailing newline is dropped, as on reading.

    Raises:
        KeyUnavailableError: The password cannot be read.
        ConfigurationError: It is blank, or longer than OpenSSL accepts.
    """
    if password is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret = read_key(password).without_line_end()
    if not secret.strip() or len(secret) > _MAX_PASSWORD_BYTES:
        raise ConfigurationError(f"The password must have 1 to {_MAX_PASSWORD_BYTES} bytes and not be blank.")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret))
