"""Where a key is read from: an environment variable, a file, or a string already in memory.

A source reads at each call and caches nothing; the signers read theirs once, at start-up.
Write your own: any object with a ``read`` method that returns bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from .errors import ConfigurationError, KeyUnavailableError, masked
from .json_values import Frozen, fill_once

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


class Sealed(Frozen):
    """For objects that hold key material: immutable, never pickled, and a copy is the object itself."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle would contain the key."""
        raise TypeError(
            f"{type(self).__name__} holds a key and refuses to be pickled; create it in the process that uses it."
        )


class EnvKeySource(Sealed):
    r"""A key in an environment variable.

    A PEM document may have its newlines written as ``\n``, as many deployment tools leave them; they become
    newlines. A secret is not changed.

    Args:
        name: The variable's name.
        environ: Where to look it up; the process's own environment if left out.
    """

    __slots__ = ("_environ", "_name")

    _environ: Mapping[str, str]
    _name: str

    def __init__(self, name: str, *, environ: Mapping[str, str] | None = None) -> None:
        fill_once(self, _name=name, _environ=os.environ if environ is None else environ)

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
            raise KeyUnavailableError(f"The environment variable {self._name} is not a valid string.") from None
        if not value.strip():
            raise KeyUnavailableError(f"The environment variable {self._name} is not set or blank.")
        return value.with_line_ends() if value.looks_like_pem() else value


class FileKeySource(Sealed):
    """A key in a file, such as a mounted secret.

    Args:
        path: The file. A relative path is looked up from the working directory at each read.

    Raises:
        ConfigurationError: It is not a path, but perhaps the key itself.
    """

    __slots__ = ("_path",)

    _path: str

    @masked
    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike):
            raise ConfigurationError(f"FileKeySource: expected a file path, got {type(path).__name__}.")
        if _PEM_ARMOUR.decode() in os.fsdecode(path):
            raise ConfigurationError(
                "FileKeySource: expected a file path, got PEM data; pass PEM data to StringKeySource."
            )
        fill_once(self, _path=os.fspath(path))

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


def shown_path(path: str) -> str:
    """Return a path for a message, unless it could be a secret, a token or a page in place of a path."""
    directory, extension = os.path.dirname(path), os.path.splitext(path)[1]
    is_plainly_a_path = extension in _EXTENSIONS or (directory.strip("/") and os.path.isdir(directory))
    return repr(path) if is_plainly_a_path else "<path not shown: it could be a secret>"


class StringKeySource(Sealed):
    """A key that is already in memory: fetched from a secret manager, or made for a test.

    Args:
        value: The PEM document or the secret. It shows in no ``repr`` and no traceback.

    Raises:
        ConfigurationError: It is neither ``str`` nor ``bytes``, such as a setting that is ``None``.
    """

    __slots__ = ("_value",)

    _value: MaskedBytes

    @masked
    def __init__(self, value: str | bytes) -> None:
        if not isinstance(value, str | bytes):
            raise ConfigurationError(f"StringKeySource: expected a str or bytes, got {type(value).__name__}.")
        fill_once(self, _value=MaskedBytes(value.encode(errors="surrogatepass") if isinstance(value, str) else value))

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
