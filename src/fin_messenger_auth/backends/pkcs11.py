"""Signs RS256 or RS512 in an HSM, through PKCS#11. Needs the extra ``pkcs11`` and the HSM's own module."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from types import ModuleType
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from fin_messenger_auth._json_values import fill
from fin_messenger_auth._keys import KeySource, MaskedBytes, read_key
from fin_messenger_auth._processes import PerProcess, at_fork
from fin_messenger_auth.errors import FinMessengerAuthError, KeyUnavailableError, SigningError

from ._remote import RemoteKey, check_names, check_that_it_signs, import_client

__all__ = ["PKCS11Signer"]

# What stands before the digest (RFC 8017 §9.2, note 1): the HSM pads and signs, and hashes nothing.
_DIGEST_INFO = {
    "RS256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "RS512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

LONGEST_WAIT = 5.0
"""Seconds that a thread waits for its turn, before it gives up."""

FORK_WAITS = 1.0
"""Seconds that a fork waits until the module is idle, so that the child inherits it in good order."""

_one_at_a_time = PerProcess(Lock)


class PKCS11Signer(RemoteKey):
    """RS256 or RS512 with a key in an HSM: one call a signature, and only the digest is handed over.

    The token is logged in to once; a session that the HSM has dropped is replaced, and a token that was away is used
    again. It blocks on the HSM, and its time-outs are those of the module's own configuration: wrap it in
    :func:`~fin_messenger_auth.with_deadline`, which gives it a deadline. It may be made before a fork: the child
    initializes the module for itself, as PKCS#11 requires, and logs in when it first signs.

    Threads take turns, in all signers of a process together, because python-pkcs11 tells the module to
    expect one thread at a time. So nothing else in the process may use the module while this signs.

    Its attributes are those of :class:`.RemoteKey`: ``alg``, ``kid`` and ``public_key``.

    Args:
        module: The path of the HSM's PKCS#11 module, a shared library.
        token: The label of the token that holds the key.
        key: The label of the private key. It must be the only RSA private key of that label: a new
            version of a key needs a label, and a ``kid``, of its own.
        pin: Where the user PIN comes from. One trailing line end is dropped.
        kid: The key id for the header: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.

    Raises:
        KeyUnavailableError: There is no such module, token or key; the PIN is wrong or cannot be read.
        InvalidKeyError: The key has fewer than 2048 bits.
        ConfigurationError: ``alg`` or ``kid`` is not what it must be; python-pkcs11 is not installed.
    """

    __slots__ = ("_session",)

    _session: _Session

    def __init__(  # noqa: PLR0913 - where the key lies has four parts, each by its name
        self,
        module: str | os.PathLike[str],
        /,
        *,
        token: str,
        key: str,
        pin: KeySource,
        kid: str,
        alg: Literal["RS256", "RS512"] = "RS256",
    ) -> None:
        check_names(kid=kid, alg=alg)
        [client] = import_client("pkcs11", extra="pkcs11")
        session = _Session(client, os.fspath(module), token, key, pin)
        super().__init__(session.public_key(), kid=kid, alg=alg)
        fill(self, "_session", session)
        check_that_it_signs(self)

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature of the message (RFC 7518 §3.3).

        Raises:
            SigningError: The HSM did not sign, or answered with something else than this key's signature.
        """
        digest = self.digest(signing_input)
        return self.checked(self._session.sign(_DIGEST_INFO[self.alg] + digest), digest)


# What the client says by the name of an error, and what that means here.
_REASONS = {
    "MultipleObjectsReturned": "several RSA private keys have that label",
    "MultipleTokensReturned": "several tokens have that label",
    "NoSuchKey": "there is no RSA private key of that label",
    "NoSuchToken": "there is no token of that label",
    "PinIncorrect": "the PIN is wrong",
    "PinLocked": "the PIN is locked",
}
_LASTING = set(_REASONS.values()) - {_REASONS["NoSuchToken"]}  # what initializing the module again would not change

_IMPORTED_IN = os.getpid()
_modules: PerProcess[dict[str, tuple[Any, object]]] = PerProcess(dict)


def _module(client: ModuleType, path: str, *, again: bool = False) -> tuple[Any, object]:
    """Return a module as this process has initialized it, and its epoch; ``again`` ends it and all its sessions."""
    modules = _modules()
    if again or path not in modules:
        library = client.lib(path)
        if again or os.getpid() != _IMPORTED_IN:  # the parent may have initialized it
            with suppress(client.PKCS11Error):  # it has noticed the fork itself
                library.finalize()
            library.initialize()
        modules[path] = library, object()
    return modules[path]


_held_for_fork: list[Lock] = []


def _before_fork() -> None:
    lock = _one_at_a_time()
    if lock.acquire(timeout=FORK_WAITS):
        _held_for_fork.append(lock)


def _after_fork_in_parent() -> None:
    if _held_for_fork:
        _held_for_fork.pop().release()


at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_held_for_fork.clear)


@dataclass(eq=False, repr=False)
class _Session:
    """One session on the token, logged in, with the key in it; opened again when the HSM has dropped it."""

    client: ModuleType
    path: str  # of the module
    token: str
    label: str  # of the key
    pin: KeySource
    pin_refused: bool = False
    login: Any = None  # kept open: closing it would log out every session of this process
    key: Any = None  # the private key, as the open session sees it
    epoch: object = None  # of the module, when the session was opened

    def public_key(self) -> RSAPublicKey:
        """Read the public half from the private key's own attributes, so that the two belong together."""
        attribute = self.client.Attribute
        with _one_at_a_time():
            try:
                self._open()
                numbers = [int.from_bytes(self.key[part]) for part in (attribute.PUBLIC_EXPONENT, attribute.MODULUS)]
                return RSAPublicNumbers(*numbers).public_key()
            except FinMessengerAuthError:  # the PIN cannot be read
                raise
            except Exception as error:
                raise KeyUnavailableError(f"The HSM does not give out the public key: {_reason(error)}.") from error

    def sign(self, data: bytes) -> bytes:
        """Pad and sign ``data``, in a new session if the old one fails."""
        lock = _one_at_a_time()
        if not lock.acquire(timeout=LONGEST_WAIT):
            raise SigningError(f"The HSM did not sign: other threads have kept it busy for {LONGEST_WAIT} seconds.")
        try:
            if self.epoch is _module(self.client, self.path)[1]:
                with suppress(Exception):  # the session may have died since; a new one tells whether it was only that
                    return self._sign(data)
                self._close(self.key.session)
            try:
                self._open()
                return self._sign(data)
            except Exception as error:
                if _reason(error) in _LASTING:
                    raise
            _module(self.client, self.path, again=True)  # some modules see a token that is back in no other way
            self._open()
            return self._sign(data)
        except Exception as error:
            raise SigningError(f"The HSM did not sign: {_reason(error)}.") from error
        finally:
            lock.release()

    def _sign(self, data: bytes) -> bytes:
        signature: bytes = self.key.sign(data, mechanism=self.client.Mechanism.RSA_PKCS)
        return signature

    def _open(self) -> None:
        library, epoch = _module(self.client, self.path)
        token = library.get_token(token_label=self.token)
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

    def _find(self, session: Any) -> Any:  # noqa: ANN401 - the client is an extra
        attribute, kind = self.client.Attribute, self.client.ObjectClass.PRIVATE_KEY
        wanted = {attribute.CLASS: kind, attribute.KEY_TYPE: self.client.KeyType.RSA, attribute.LABEL: self.label}
        found = list(session.get_objects(wanted))  # all of them: the client minds a search that stops half-way
        if not found:
            raise self.client.NoSuchKey
        if len(found) > 1:
            raise self.client.MultipleObjectsReturned
        return found[0]

    def _log_in(self, token: Any) -> None:  # noqa: ANN401 - see above
        if self.pin_refused:  # trying it again would lock the token, for everyone
            raise self.client.PinIncorrect
        try:
            with suppress(self.client.UserAlreadyLoggedIn):  # by another signer on the same token
                self.login = token.open(user_pin=_text(read_key(self.pin).without_line_end()))
        except self.client.PinIncorrect:
            self.pin_refused = True
            raise

    def _close(self, session: Any) -> None:  # noqa: ANN401 - see above
        with suppress(self.client.PKCS11Error):  # it is closed already, or the HSM is gone
            session.close()


def _text(pin: MaskedBytes) -> str:
    try:
        return pin.decode()
    except UnicodeDecodeError:
        raise KeyUnavailableError("The PIN is not UTF-8.") from None  # its own error would hold the PIN


def _reason(error: Exception) -> str:
    name = type(error).__name__
    return str(error).removesuffix(".") if isinstance(error, KeyUnavailableError) else _REASONS.get(name, name)
