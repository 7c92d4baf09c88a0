"""Makes a key directory, and says what to do with its files in Salesforce and in the environment."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from fin_messenger_auth._keys import KeySource, StringKeySource, read_key
from fin_messenger_auth._material import configured_string
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth._tokens import AUDIENCE_PLACEHOLDER, FIN_ISSUER, is_fin_issuer
from fin_messenger_auth.errors import ConfigurationError, masked

from ._certificate import DEFAULT_DAYS, certificate_pem, self_signed_certificate
from ._jwk import make_jwk, make_jwks

PRIVATE_KEY = "private-key.pem"  # the private key, PKCS#8; read and written by its owner only
CERTIFICATE = "certificate.pem"
JWK = "jwk.json"  # what is uploaded to Salesforce
JWKS = "jwks.json"  # what is served for a keyset of type Endpoint URL
KEY_SIZES = (2048, 3072, 4096)  # the sizes that a new key can have, in bits
_MAX_SHOWN = 200
_MAX_PASSWORD_BYTES = 1023  # OpenSSL's limit


@dataclass(frozen=True, slots=True)
class KeyDirectory:
    """A directory that holds a key.

    Attributes:
        path: The directory.
        kid: The key ID, which the JWK has too.
        alg: ``RS256`` or ``RS512``.
        encrypted: Whether the private key needs a password.
    """

    path: Path
    kid: str
    alg: str
    encrypted: bool

    @property
    def private_key(self) -> Path:
        """Where the private key is."""
        return self.path / PRIVATE_KEY

    @property
    def jwk(self) -> Path:
        """Where the JWK is."""
        return self.path / JWK


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


@masked
def make_key_directory(  # noqa: PLR0913 - one for each choice, all but the first by name
    path: str | os.PathLike[str],
    *,
    kid: str | None = None,
    bits: int = 2048,
    days: int = DEFAULT_DAYS,
    alg: Literal["RS256", "RS512"] = "RS256",
    password: KeySource | None = None,
) -> KeyDirectory:
    """Make a key and write it, its certificate, its JWK and its JWKS into a directory.

    No file is ever overwritten. The private key is created readable by its owner only; nobody else can ever
    open it.

    Args:
        path: The directory; it is created if it does not exist.
        kid: The key ID; the RFC 7638 thumbprint if left out.
        bits: 2048, 3072 or 4096.
        days: How long the certificate is valid.
        alg: ``RS256`` or ``RS512``.
        password: What to encrypt the private key with.

    Raises:
        ConfigurationError: A file already exists or cannot be written; an argument is not valid.
        KeyUnavailableError: The password cannot be read.
    """
    directory = Path(path)
    for name in (PRIVATE_KEY, CERTIFICATE, JWK, JWKS):
        if os.path.lexists(directory / name):
            raise _already_exists(directory / name)
    key = generate_private_key(bits)
    signer = RSASigner(StringKeySource(private_key_pem(key)), alg=alg)
    certificate = self_signed_certificate(signer, signer.public_key, days=days)
    jwk = make_jwk(signer.public_key, certificate, kid=kid, alg=alg)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        shown = path if len(str(path)) < _MAX_SHOWN else "The directory"  # a long path may be a key in its place
        raise ConfigurationError(f"{shown} cannot be created: {error.strerror}.") from error
    _write_new(directory / PRIVATE_KEY, private_key_pem(key, password=password), 0o600)
    _write_new(directory / CERTIFICATE, certificate_pem(certificate))
    _write_new(directory / JWK, json.dumps(jwk, indent=2).encode() + b"\n")
    _write_new(directory / JWKS, json.dumps(make_jwks([jwk]), indent=2).encode() + b"\n")
    return KeyDirectory(path=directory, kid=jwk["kid"], alg=alg, encrypted=password is not None)


def _write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Create the file with its mode in one step, so that it never exists with another mode."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise _already_exists(path) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    with open(descriptor, "wb") as file:  # noqa: PTH123 - pathlib does not open descriptors
        file.write(data)


def _already_exists(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} already exists and is not overwritten; choose another directory.")


DEFAULT_ISSUER = "fin-messenger-auth"  # the default issuer. Any string will do: Salesforce only compares it
PASSWORD_PLACEHOLDER = "/path/to/the/password"  # noqa: S105 - a path, which does not exist
"""What is printed for the path of the password's file, to be replaced."""


def own_issuer(issuer: object, name: str = "issuer") -> str:
    """Return the issuer of a new keyset, checked; ``name`` is what the error calls it."""
    plain = configured_string(issuer, name, "issuer")
    if is_fin_issuer(plain):
        raise ConfigurationError(
            f"{name} is {FIN_ISSUER}, the issuer of the tokens that Fin makes with its own key; choose another.",
            "issuer-fin",
        )
    return plain


def environment_lines(directory: KeyDirectory, *, issuer: str = DEFAULT_ISSUER) -> list[str]:
    """Return the Salesforce half of the environment, one ``NAME=value`` a line, quoted for a shell.

    Args:
        directory: The key.
        issuer: The keyset's issuer.
    """
    path = directory.private_key.absolute()
    variables = {
        "SALESFORCE_JWK_FILE": str(directory.jwk.absolute()),
        "SALESFORCE_ISSUER": own_issuer(issuer),
        "SALESFORCE_AUDIENCE": AUDIENCE_PLACEHOLDER,
        "SALESFORCE_PRIVATE_KEY_FILE": str(path),
    }
    if directory.encrypted:
        variables["SALESFORCE_PRIVATE_KEY_PASSWORD_FILE"] = PASSWORD_PLACEHOLDER
    return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]


def salesforce_steps(directory: KeyDirectory, *, issuer: str = DEFAULT_ISSUER) -> list[str]:
    """Return the steps in Salesforce's Setup, in order, with the values filled in.

    Args:
        directory: The key.
        issuer: The keyset's issuer.
    """
    own_issuer(issuer)
    add = f'add the key "{directory.kid}". In a rotation, add it to the existing keyset, and stop here'
    return [
        f"Setup > Enhanced Chat User Verification > New Key: upload {directory.jwk} and activate the key.",
        f'The same page > New Keyset: issuer "{issuer}", exactly so; type Keys; {add}.',
        "Setup > Messaging Settings > the channel's row > Edit: tick Add User Verification.",
        "Open the channel > User Verification Configuration > New: choose the keyset, tick Active.",
        "Setup > Embedded Service Deployments > the deployment (type Custom Client): Publish.",
        "Fin's setup page for Salesforce: press Verify.",
    ]
