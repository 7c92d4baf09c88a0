"""Signs RS256 or RS512 with a key in an HSM, through PKCS#11. Needs the extra ``pkcs11`` and the HSM's own module."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from fin_messenger_auth._keys import KeySource, read_key, shown_path
from fin_messenger_auth._material import configured_string
from fin_messenger_auth._processes import PerProcess, at_fork, lock_per_process
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthError,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
    masked,
)

from ._refused_pins import one_login
from ._remote import Alg, RemoteSigner, import_client

__all__ = ["PKCS11Signer"]

# What stands before the digest (RFC 8017 §9.2, note 1): the HSM pads and signs, and hashes nothing.
_DIGEST_INFO = {
    "RS256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "RS512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

LONGEST_WAIT = 5.0
"""Seconds that a thread waits for its turn, before it gives up."""

FORK_WAITS = 1.0
"""Seconds that a fork waits until the module is idle, so that the child inherits it in a consistent state."""

# What identifies the token and the key in a URI (RFC 7512 §2.3), and where the client has it.
_TOKEN = {"token": "label", "serial": "serial", "manufacturer": "manufacturer_id", "model": "model"}
_KEY = {"object": "LABEL", "id": "ID"}


class PKCS11Signer(RemoteSigner):
    """RS256 or RS512 with a key in an HSM: one call a signature, and only the digest is handed over.

    The token is logged in to once; a session that the HSM has dropped is replaced, and a token that was away is used
    again. No PIN is tried that this user's processes have seen refused in the last week, and none at all where one more
    mistake would lock the token. It blocks on the HSM, whose module alone has time-outs: wrap it in
    :func:`~fin_messenger_auth.with_deadline`.

    Threads take turns, in all signers of a process together, because python-pkcs11 tells the module to expect one
    thread at a time. So nothing else in the process may use the module while this signs.

    Args:
        module: The path of the HSM's PKCS#11 module, a shared library.
        token: The label of the token that holds the key.
        key: The label of the private key. It must be the only RSA private key of that label: a new version of a key
            needs a label, and a ``kid``, of its own.
        uri: In place of ``token`` and ``key``, the URI of the private key (RFC 7512), such as
            ``pkcs11:serial=0123;id=%01``.
        pin: Where the user PIN comes from. One trailing line end is dropped.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, as in the uploaded JWK.
        public_key: The key of the uploaded JWK; the HSM is asked for none then.

    Raises:
        KeyUnavailableError: There is no such token or key; the PIN is refused or cannot be read.
        InvalidKeyError: The key has fewer than 2048 bits, or is not ``public_key``; the PIN has a quote, whitespace
            or a byte order mark around it.
        ConfigurationError: An argument is not valid; the module cannot be loaded; python-pkcs11 is not installed.
    """

    service = "The HSM"
    reasons: ClassVar[Mapping[str | int, str]] = {
        "MultipleObjectsReturned": "several RSA private keys have that label or ID",
        "MultipleTokensReturned": "several tokens have that label; give SALESFORCE_PKCS11_URI with the serial",
        "NoSuchKey": "there is no RSA private key of that label or ID",
        "NoSuchToken": "there is no such token",
        "PinIncorrect": "the PIN is wrong",
        "PinLocked": "the PIN is locked",
    }

    def __init__(
        self,
        module: str | os.PathLike[str],
        /,
        *,
        token: str | None = None,
        key: str | None = None,
        uri: str | None = None,
        pin: KeySource,
        kid: str,
        alg: Alg = "RS256",
        public_key: RSAPublicKey | None = None,
    ) -> None:
        [client] = import_client("pkcs11", extra="pkcs11")
        path = configured_string(os.fspath(module), "The path of the PKCS#11 module", "module")
        place: dict[str, Any]
        if uri is None:
            name = configured_string(key, "key", "key-name")
            place = {"token": configured_string(token, "token", "key-name"), "object": name}
        elif token is not None or key is not None:
            raise ConfigurationError("A PKCS#11 URI takes the place of token and key; give one or the other.")
        else:
            name, place = uri, _parsed(uri)
        self._session = partial(_Session, client, path, place, pin)
        super().__init__(name, kid=kid, alg=alg, public_key=public_key)

    def _client(self) -> _Session:
        return self._session()

    def _fetch(self, client: _Session, /) -> RSAPublicKey:
        return client.public_key()

    def _request(self, client: _Session, digest: bytes, /) -> bytes:
        return client.sign(_DIGEST_INFO[self.alg] + digest)


def _parsed(uri: str) -> dict[str, str | bytes]:
    """Return the attributes of a URI (RFC 7512 §2.3) that identify one key."""
    if not isinstance(uri, str) or not uri.startswith("pkcs11:"):
        raise ConfigurationError("The PKCS#11 URI: expected pkcs11:name=value;…, each name once (RFC 7512).")
    configured_string(uri, "The PKCS#11 URI")
    path, _, query = uri.partition("?")
    parts = [each.partition("=") for each in path.removeprefix("pkcs11:").split(";") if each]
    values = {name: unquote_to_bytes(value) for name, _, value in parts}
    if len(values) != len(parts):
        raise ConfigurationError("The PKCS#11 URI: expected pkcs11:name=value;…, each name once (RFC 7512).")
    if query:
        raise ConfigurationError(
            "The PKCS#11 URI: module and PIN have variables of their own; remove the ? and the rest."
        )
    if unknown := values.keys() - {*_TOKEN, *_KEY, "slot-id", "type"}:
        raise ConfigurationError(f"The PKCS#11 URI: {min(unknown)} is not known here.")
    if values.pop("type", b"private") != b"private":
        raise ConfigurationError("The PKCS#11 URI: expected type=private, the key that signs.")
    if values.keys().isdisjoint(_KEY) or values.keys() <= {*_KEY}:
        raise ConfigurationError("The PKCS#11 URI must say which token (token or serial) and which key (object or id).")
    try:
        return {name: value if name == "id" else value.decode() for name, value in values.items()}
    except UnicodeDecodeError:
        raise ConfigurationError("The PKCS#11 URI: a value is not UTF-8.") from None


_one_at_a_time = lock_per_process()
_IMPORTED_IN = os.getpid()
_modules: PerProcess[dict[str, tuple[Any, object]]] = PerProcess(dict)
_held_for_fork: list[threading.Lock] = []


def _before_fork() -> None:
    lock = _one_at_a_time()
    if lock.acquire(timeout=FORK_WAITS):
        _held_for_fork.append(lock)


def _after_fork_in_parent() -> None:
    if _held_for_fork:
        _held_for_fork.pop().release()


at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_held_for_fork.clear)


@contextmanager
def _turn() -> Iterator[None]:
    lock = _one_at_a_time()
    if not lock.acquire(timeout=LONGEST_WAIT):
        raise SigningError(f"The HSM did not sign: other threads have kept it busy for {LONGEST_WAIT} seconds.")
    try:
        yield
    finally:
        lock.release()


def _module(client: ModuleType, path: str, *, again: bool = False) -> tuple[Any, object]:
    """Return a module as this process has initialized it, and its epoch; ``again`` ends it and all its sessions."""
    modules = _modules()
    if again or path not in modules:
        try:
            library = client.lib(path)
        except client.PKCS11Error as error:
            if type(error) is not client.PKCS11Error:  # it is loaded, and the HSM does not want to be initialized
                raise
            raise ConfigurationError(
                f"The PKCS#11 module {shown_path(path)} cannot be loaded: {_why(path)}.", "pkcs11-module"
            ) from None
        if again or os.getpid() != _IMPORTED_IN:  # the parent may have initialized it
            with suppress(client.PKCS11Error):  # it has noticed the fork itself
                library.finalize()
            library.initialize()
        modules[path] = library, object()
    return modules[path]


def _why(path: str) -> str:
    """Say why the system does not load a shared library."""
    try:
        kinds = [Path(each).read_bytes()[:20] for each in (path, sys.executable)]
    except OSError:
        return "there is no such file, or it cannot be read"
    module, python = ((kind[:4], kind[4:6], kind[18:]) for kind in kinds)  # ELF: magic, class and order, machine
    if module[0] != python[0]:
        return "it is not a shared library of this system"
    return (
        "it is made for another processor" if module != python else "a library that it needs is missing; ldd names it"
    )


@dataclass(eq=False, repr=False)
class _Session:
    """One session on the token, logged in, with the key in it; opened again when the HSM has dropped it."""

    client: ModuleType
    path: str  # of the module
    place: Mapping[str, str | bytes]  # of the key: attributes of a URI
    pin: KeySource
    login: Any = None  # kept open: closing it would log out every session of this process
    key: Any = None  # the private key, as the open session sees it
    epoch: object = None  # of the module, when the session was opened

    def public_key(self) -> RSAPublicKey:
        """Read the public half from the private key's own attributes, so that the two belong together."""
        attribute = self.client.Attribute
        with _turn():
            self._open()
            numbers = [int.from_bytes(self.key[part]) for part in (attribute.PUBLIC_EXPONENT, attribute.MODULUS)]
        return RSAPublicNumbers(*numbers).public_key()

    def sign(self, data: bytes) -> bytes:
        """Pad and sign ``data``, in a new session if the old one fails."""
        lasting = tuple(getattr(self.client, str(name)) for name in PKCS11Signer.reasons if name != "NoSuchToken")
        with _turn():
            if self.key is not None and self.epoch is _module(self.client, self.path)[1]:
                with suppress(Exception):  # the session may have died since; a new one tells whether it was only that
                    return self._sign(data)
                self._close(self.key.session)
            try:
                self._open()
                return self._sign(data)
            except (FinMessengerAuthError, *lasting):
                raise
            except Exception:  # noqa: BLE001 - some modules see a token that is back only when initialized again
                _module(self.client, self.path, again=True)
            self._open()
            return self._sign(data)

    def _sign(self, data: bytes) -> bytes:
        signature: bytes = self.key.sign(data, mechanism=self.client.Mechanism.RSA_PKCS)
        return signature

    def _open(self) -> None:
        library, epoch = _module(self.client, self.path)
        token = self._token(library)
        session = token.open()
        try:
            try:
                self.key = self._find(session)
            except self.client.NoSuchKey:  # hidden, until this process has logged in
                self._log_in(token)
                self.key = self._find(session)
            self.epoch = epoch
        except Exception:
            self._close(session)
            raise

    def _token(self, library: Any) -> Any:
        def there(token: Any) -> dict[str, str]:
            found = {name: getattr(token, where) for name, where in _TOKEN.items()} | {"slot-id": token.slot.slot_id}
            return {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in found.items()}

        wanted = {name: value for name, value in self.place.items() if name not in _KEY}
        tokens = [each for each in library.get_tokens() if wanted.items() <= there(each).items()]
        if len(tokens) != 1:
            raise self.client.MultipleTokensReturned if tokens else self.client.NoSuchToken
        return tokens[0]

    def _find(self, session: Any) -> Any:
        attribute, kind = self.client.Attribute, self.client.ObjectClass.PRIVATE_KEY
        wanted = {getattr(attribute, where): self.place[name] for name, where in _KEY.items() if name in self.place}
        wanted |= {attribute.CLASS: kind, attribute.KEY_TYPE: self.client.KeyType.RSA}
        found = list(session.get_objects(wanted))  # all of them: python-pkcs11 fails if a search is not read to its end
        if len(found) != 1:
            raise self.client.MultipleObjectsReturned if found else self.client.NoSuchKey
        return found[0]

    @masked
    def _log_in(self, token: Any) -> None:
        pin, flag = read_key(self.pin).without_line_end(), self.client.TokenFlag
        text = _text(pin)
        name = "/".join(map(str, (token.manufacturer_id, token.model, token.serial, token.label)))
        with one_login(pin, name) as mine:
            flags = token.slot.get_token().flags  # as they are now
            if flags & flag.USER_PIN_LOCKED:
                raise self.client.PinLocked
            why = ""
            if flags & flag.USER_PIN_FINAL_TRY:
                why = "one more wrong PIN would lock the token. Log in once with the HSM's own tool and the right PIN."
            elif mine.was_refused():
                why = (
                    "the HSM has refused this PIN before, and a few wrong ones lock a token. Set the right one, or "
                    f"{mine.undo} if this one is right now."
                )
            elif flags & flag.USER_PIN_COUNT_LOW and mine.path is None:
                why = (
                    "the HSM has refused a PIN, and there is no private directory (below TMPDIR) to remember which. "
                    "Log in once with the HSM's own tool."
                )
            if why:
                raise KeyUnavailableError(f"No login was attempted: {why}", "remote-pin")
            try:
                with suppress(self.client.UserAlreadyLoggedIn):  # by another signer on the same token
                    self.login = token.open(user_pin=text)
            except (self.client.PinIncorrect, self.client.PinInvalid, self.client.PinLenRange):
                mine.refuse()
                raise

    def _close(self, session: Any) -> None:
        with suppress(self.client.PKCS11Error):  # it is closed already, or the HSM is gone
            session.close()


def _text(pin: bytes) -> str:
    try:
        return configured_string(pin.decode(), "The PIN", "pin")
    except UnicodeDecodeError:
        raise InvalidKeyError("The PIN is not UTF-8.") from None  # its own error would hold the PIN
