"""Reads keys from an environment variable, a file or a string in memory, and turns PEM into a checked key.

A source reads at each call and caches nothing; the signers read theirs once, at start-up.
Write your own: any object with a ``read`` method that returns bytes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_ssh_public_key,
)

from ._material import (
    ENCRYPTED,
    ENCRYPTED_PEM,
    MISTAKES,
    PKCS12,
    RSA_PSS,
    Thing,
    check_algorithm,
    check_content,
    check_ends,
    find_private_key,
    find_public_key,
    in_utf_8,
    looks_like_path,
    not_rsa,
)
from .errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, masked, warn

_PEM_ARMOUR = b"-----BEGIN "
_EXTENSIONS = (".crt", ".html", ".json", ".key", ".p8", ".pem", ".txt")


class KeySource(Protocol):
    """Where a key or secret comes from."""

    def read(self) -> bytes:
        """Read the key now, as the bytes of a PEM document or of a secret.

        Raises:
            KeyUnavailableError: It cannot be read.
        """
        ...


class MaskedBytes(bytes):
    """Bytes whose ``repr`` hides them, as tracebacks with local variables print it."""

    def __repr__(self) -> str:
        """Say that there is a value, and nothing about it."""
        return "<masked>"

    __str__ = __repr__

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - the two forms of the base class
        """Hide a slice too: error trackers shorten long values."""
        part = super().__getitem__(key)
        return MaskedBytes(part) if isinstance(part, bytes) else part

    def looks_like_pem(self) -> bool:
        """Tell whether this holds PEM armour (RFC 7468)."""
        return self.find(_PEM_ARMOUR) >= 0

    def with_line_ends(self) -> MaskedBytes:
        r"""Make line ends of ``\n`` written out, as deployment tools and JSON leave them in PEM documents."""
        return MaskedBytes(self.replace(rb"\r", b"").replace(rb"\n", b"\n"))

    def without_line_end(self) -> MaskedBytes:
        """Drop one trailing line end, which editors and ``echo`` write at the end of a file."""
        return MaskedBytes(self.removesuffix(b"\n").removesuffix(b"\r"))


class Sealed:
    """Base class of objects that hold key material: pickling is refused, and a copy is the object itself."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle would contain the key."""
        raise TypeError(
            f"{type(self).__name__} holds a key and refuses to be pickled; create it in the process that uses it."
        )

    def __copy__(self, _memo: object = None) -> Self:
        """Return the object itself."""
        return self

    __deepcopy__ = __copy__


class EnvKeySource(Sealed):
    r"""A key in an environment variable.

    A PEM document may have its newlines written as ``\n``, as many deployment tools leave them; they become
    newlines. A secret is not changed.

    Args:
        name: The variable's name.
        environ: Where to look it up; the process's own environment if left out.
    """

    __slots__ = ("_environ", "_name")

    def __init__(self, name: str, *, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._environ: Mapping[str, str] = os.environ if environ is None else environ

    def __repr__(self) -> str:
        """Name the variable, not its value."""
        return f"EnvKeySource({self._name!r})"

    def read(self) -> bytes:
        """Read the variable.

        Raises:
            KeyUnavailableError: It is not set, or blank, which counts as not set; it is not a valid string.
        """
        try:
            value = MaskedBytes(os.fsencode(self._environ.get(self._name, "")))
        except (TypeError, ValueError):  # which would hold the value, so it is not the cause
            message = f"The environment variable {self._name} is not a valid string."
            raise KeyUnavailableError(message, variable=self._name) from None
        if not value.strip():
            message = f"The environment variable {self._name} is not set or blank."
            raise KeyUnavailableError(message, variable=self._name)
        is_json = value.lstrip()[:1] in (b"{", b"[", b'"')  # where the reader of JSON makes the newlines
        return value if is_json or not value.looks_like_pem() else value.with_line_ends()


class FileKeySource(Sealed):
    """A key in a file, such as a mounted secret.

    Args:
        path: The file. A relative path is looked up from the working directory at each read.

    Raises:
        ConfigurationError: It is not a path, but perhaps the key itself.
    """

    __slots__ = ("_path",)

    @masked
    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike):
            raise ConfigurationError(f"FileKeySource: expected a file path, got {type(path).__name__}.")
        if _PEM_ARMOUR.decode() in os.fsdecode(path):
            raise ConfigurationError(
                "FileKeySource: expected a file path, got PEM data; pass PEM data to StringKeySource."
            )
        self._path = os.fspath(path)

    def __repr__(self) -> str:
        """Name the file."""
        return f"FileKeySource({shown_path(self._path)})"

    def read(self) -> bytes:
        """Read the file.

        Raises:
            KeyUnavailableError: The file does not exist or cannot be read.
        """
        try:
            with open(self._path, "rb") as file:
                return MaskedBytes(file.read())
        except ValueError as error:
            raise KeyUnavailableError(
                "The path of the key file contains characters that are not valid in a path."
            ) from error
        except OSError as error:
            error.filename = None  # the message below names the file, unless it could be a secret
            raise KeyUnavailableError(
                f"The key file {shown_path(self._path)} cannot be read: {error.strerror}."
            ) from error


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return a path for a message, unless it could be a secret, a token or a page in place of a path."""
    plain = os.fspath(path)
    directory, extension = os.path.dirname(plain), os.path.splitext(plain)[1]
    is_path = extension in _EXTENSIONS or looks_like_path(plain) or (directory.strip("/") and os.path.isdir(directory))
    return repr(plain) if is_path else "<path not shown: it could be a secret>"


class StringKeySource(Sealed):
    """A key that is already in memory: fetched from a secret manager, or made for a test.

    Args:
        value: The PEM document or the secret. It shows in no ``repr`` and no traceback.

    Raises:
        ConfigurationError: It is neither ``str`` nor ``bytes``, such as a setting that is ``None``.
    """

    __slots__ = ("_value",)

    @masked
    def __init__(self, value: str | bytes) -> None:
        if not isinstance(value, str | bytes):
            raise ConfigurationError(f"StringKeySource: expected a str or bytes, got {type(value).__name__}.")
        self._value = MaskedBytes(value.encode(errors="surrogatepass") if isinstance(value, str) else value)

    def __repr__(self) -> str:
        """Say that there is a value, and nothing about it."""
        return f"StringKeySource({self._value!r})"

    def read(self) -> bytes:
        """Return the value."""
        return self._value


@masked
def read_key(source: KeySource) -> MaskedBytes:
    """Read a source, whoever wrote it, and wrap its errors."""
    if not callable(getattr(source, "read", None)):
        raise ConfigurationError(
            f"Expected a KeySource, got {type(source).__name__}; "
            "wrap the key in StringKeySource, FileKeySource or EnvKeySource."
        )
    try:
        value = source.read()
    except KeyUnavailableError:
        raise
    except Exception as error:
        raise KeyUnavailableError(
            f"{type(source).__name__} raised {type(error).__name__} when it read the key."
        ) from error
    if not isinstance(value, bytes):
        raise KeyUnavailableError(f"{type(source).__name__}.read(): expected bytes, got {type(value).__name__}.")
    return MaskedBytes(value)


OPENSSH = b"ssh-"  # how a public key of OpenSSH begins
MIN_RSA_BITS = 2048  # the least that RFC 7518 §3.3 allows
MIN_EXPONENT = 65_537  # the least public exponent that NIST SP 800-56B §6.2 allows

_PASSWORD = "The password of the private key"  # noqa: S105 - its name
_KEY_BAG = bytes.fromhex("060b2a864886f70d010c0a0102")  # the OID of an encrypted key in PKCS#12 (RFC 7292 §4.2.2)


@masked
def read_private_key(data: bytes, password: bytes | None = None) -> RSAPrivateKey:
    """Read an RSA private key of at least 2048 bits from PEM, DER or PKCS#12, in whatever it is wrapped."""
    found = find_private_key(data)
    for mistake in dict.fromkeys(found.mistakes):
        warn(f"The private key {MISTAKES[mistake]}.", "key-wrapped")
    password = None if password is None else MaskedBytes(password).without_line_end()
    if password is not None and in_utf_8(password) != password:
        check_content(password, _PASSWORD, "pin")
    key = _opened(found, password) if found.kind is PKCS12 else _loaded(found, password)
    if not isinstance(key, RSAPrivateKey):
        raise not_rsa(_algorithm_name(key), "The private key")
    checked_rsa_key(key.public_key(), "The private key")
    return key


def _loaded(found: Thing, password: bytes | None) -> object:
    encrypted = found.kind in (ENCRYPTED, ENCRYPTED_PEM)
    if encrypted and not password:
        raise _password_missing("The private key is encrypted", "openssl pkey -in FILE -passin pass: -out COPY")
    if password is not None and not encrypted:
        message = "A password was given, but the private key is not encrypted; unset the password, or encrypt the key."
        raise InvalidKeyError(message, "key-password-unneeded")
    try:
        return (load_pem_private_key if found.kind is ENCRYPTED_PEM else load_der_private_key)(found.data, password)
    except (ValueError, UnsupportedAlgorithm) as error:
        if not encrypted:
            message = "The private key is inconsistent: its numbers do not belong together. Copy the whole file again."
            raise InvalidKeyError(message, "key-damaged") from error
        if "nknown" in str(error) or isinstance(error, UnsupportedAlgorithm):  # how cryptography says that of a cipher
            raise InvalidKeyError(
                "The private key is encrypted with a cipher that is not supported; whether the password is right is "
                "not known. Encrypt a copy with another: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out COPY "
                "(for old ciphers with -provider legacy -provider default).",
                "key-cipher",
            ) from error
        _check_password(password or b"")
        message = "The private key cannot be decrypted: the password is wrong, or the key is damaged."
        raise InvalidKeyError(message, "key-password-wrong") from error


def _opened(found: Thing, password: bytes | None) -> object:
    if found.data.count(_KEY_BAG) > 1:
        raise InvalidKeyError("The PKCS#12 file has several private keys; keep the one that signs.", "key-several")
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates  # noqa: PLC0415 - rare

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of BER in place of DER, as old Windows writes it
            key, certificate, _ = load_key_and_certificates(found.data, password or None)
    except (ValueError, UnsupportedAlgorithm) as error:
        if not password:
            raise _password_missing("The private key is in a PKCS#12 file with a password", found.kind.fix) from error
        _check_password(password)
        message = (
            "The PKCS#12 file cannot be opened: the password is wrong, or its cipher is not supported; "
            "then convert it: openssl pkcs12 -legacy -in FILE -nodes -nocerts -out private-key.pem"
        )
        raise InvalidKeyError(message, "key-password-wrong") from error
    if key is None:
        raise InvalidKeyError("The PKCS#12 file has certificates and no private key.", "key-public")
    if certificate is not None and certificate.public_key_algorithm_oid.dotted_string == RSA_PSS:
        check_algorithm("RSA-PSS", "The private key")
    return key


def _check_password(password: bytes) -> None:
    """Say what a password is that opens nothing, with a ``ConfigurationError``, which no error of the key is."""
    check_content(password, _PASSWORD, "pin")
    check_ends(password.decode(errors="replace"), _PASSWORD)


def _password_missing(what: str, without: str) -> InvalidKeyError:
    return InvalidKeyError(
        f"{what}, but no password was given; set SALESFORCE_PRIVATE_KEY_PASSWORD, or with a key file give "
        f"--password-file. If the password is empty, make a copy without one: {without.removeprefix('Convert it: ')}",
        "key-password-missing",
    )


@masked
def read_public_key(data: bytes) -> RSAPublicKey:
    """Read an RSA public key from PEM or DER, as a KMS returns it, or in the form of OpenSSH.

    Raises:
        InvalidKeyError: It is not an RSA public key of at least 2048 bits.
    """
    of_openssh = data.lstrip().startswith(OPENSSH)
    found = data.strip() if of_openssh else find_public_key(data)
    try:
        key = load_ssh_public_key(found) if of_openssh else load_der_public_key(found)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKeyError("The public key cannot be read: it is damaged.") from error
    return checked_rsa_key(key, "The public key")


def checked_rsa_key(key: object, name: str) -> RSAPublicKey:
    """Return a public key of cryptography, checked to be RSA of at least 2048 bits, with usual numbers."""
    if not isinstance(key, RSAPublicKey):
        raise not_rsa(_algorithm_name(key), name)
    numbers = key.public_numbers()
    if numbers.n % 2 == 0 or numbers.e < MIN_EXPONENT:  # cryptography refuses an even exponent
        message = f"{name} has an even modulus, or an exponent under {MIN_EXPONENT}. Make a new key."
        raise InvalidKeyError(message, "key-weak")
    if key.key_size < MIN_RSA_BITS:
        raise InvalidKeyError(
            f"{name} has {key.key_size} bits; at least {MIN_RSA_BITS} are required. Make a new key.", "key-weak"
        )
    return key


def _algorithm_name(key: object) -> str:
    return type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
