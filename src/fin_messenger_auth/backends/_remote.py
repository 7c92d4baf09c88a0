"""Signs with an RSA key that another service holds: sends the digest only, and verifies each answer.

A digest is short, whatever the token contains, and no service sees a claim. Verifying takes under 0.1 ms, and finds an
answer that was truncated, mixed up or made with another key, which would make header and key differ.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Literal, NotRequired, TypedDict, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import HashAlgorithm

from fin_messenger_auth._deadline import PROBES
from fin_messenger_auth._json_values import set_field
from fin_messenger_auth._keys import MIN_RSA_BITS, Sealed, checked_rsa_key
from fin_messenger_auth._material import configured_string
from fin_messenger_auth._processes import PerProcess
from fin_messenger_auth._signers import rsa_hash
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthError,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
)

Alg = Literal["RS256", "RS512"]
Make = Callable[[], Any] | None  # what makes a client; each service's has its own class

TIMEOUT = 1.5
"""Seconds to connect, and as many to answer, with the clients that are made here. They try twice."""

CONNECTIONS = 32 + PROBES
"""Connections that such a client keeps: as many as ``with_deadline`` has calls at once, hanging ones included."""

RENEWAL_PAUSE = 5.0
"""Seconds until a client whose credentials were refused is made again once more."""

_T = TypeVar("_T")


class FromJWK(TypedDict):
    """What the uploaded JWK says of a signer."""

    kid: str
    alg: NotRequired[Alg]
    public_key: NotRequired[RSAPublicKey | None]


@dataclass(frozen=True, init=False, eq=False)
class RemoteKey(Sealed):
    """The local half of a remote RSA key: its public key, its names, and the check of its signatures.

    A signer can hold one, or inherit from it: then ``sign`` is all that it adds.

    Args:
        public_key: The public key, from the service or from the uploaded JWK.
        kid: The key ID for the header: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not valid.
        InvalidKeyError: It is not an RSA key of at least 2048 bits.
    """

    kid: str
    alg: str
    public_key: RSAPublicKey = field(repr=False)

    def __init__(self, public_key: PublicKeyTypes, *, kid: str, alg: str = "RS256") -> None:
        self._set_names(kid, alg)
        self._set_key(public_key)

    def _set_names(self, kid: str, alg: str) -> None:
        rsa_hash(alg)
        set_field(self, "kid", configured_string(kid, "kid", "kid"))
        set_field(self, "alg", alg)

    def _set_key(self, public_key: object) -> None:
        set_field(self, "public_key", checked_rsa_key(public_key, "The remote key"))

    def digest(self, signing_input: bytes) -> bytes:
        """Return the digest to send: SHA-256 for RS256, SHA-512 for RS512."""
        return hashlib.new(rsa_hash(self.alg).name, signing_input).digest()

    def checked(self, signature: bytes, digest: bytes) -> bytes:
        """Return ``signature``, verified with the public key.

        Raises:
            SigningError: It is truncated, or not the RSASSA-PKCS1-v1_5 signature of ``digest`` by this key.
        """
        if mistake := self._mistake_in(signature, digest):
            raise SigningError(mistake)
        return signature

    def _mistake_in(self, signature: bytes, digest: bytes) -> str | None:
        """Say what is wrong with a signature; ``None`` if it is right."""
        size, hash_ = (self.public_key.key_size + 7) // 8, rsa_hash(self.alg)
        if not isinstance(signature, bytes) or len(signature) != size:
            return f"The answer is not a signature of {size} bytes, as the key of kid {self.kid!r} would make."
        if self._made(signature, digest, PKCS1v15(), Prehashed(hash_)):
            return None
        if self._made(signature, digest, PKCS1v15(), hash_):
            return (
                "The service hashed the digest again, and Salesforce would reject the token; the request must say that "
                "it holds a digest. An emulator that ignores that, as moto does, cannot be used."
            )
        if self._made(signature, digest, PSS(MGF1(hash_), PSS.AUTO), Prehashed(hash_)):
            return "The service signed with RSASSA-PSS, and Salesforce would reject the token; it takes PKCS #1 v1.5."
        return (
            "The signature in the answer is not this key's over this digest: the service signs with another key, or "
            f"version of it, than the uploaded JWK of kid {self.kid!r} has; or the answer was damaged in transit."
        )

    def _made(self, signature: bytes, data: bytes, padding: PKCS1v15 | PSS, hash_: HashAlgorithm | Prehashed) -> bool:
        try:
            self.public_key.verify(signature, data, padding, hash_)
        except InvalidSignature:
            return False
        return True


class RemoteSigner(RemoteKey):
    """Base class of the signers here: sends a digest to a service, and verifies its answer.

    It blocks on a network: wrap it in :func:`~fin_messenger_auth.with_deadline`. It may be made before a fork: each
    process makes a client of its own, once, and again where the service refuses the credentials, so that new ones are
    found. Errors are in our own words; the client's are not chained to them, as their text comes from the service.

    A signature is made and verified at start-up, so that a disabled key or a missing permission is found before the
    first visitor. With a ``public_key`` the service is asked for none. Each signer says what its arguments are.

    Raises:
        KeyUnavailableError: The service does not give out the public key, or does not sign.
        InvalidKeyError: The key is not an RSA key of at least 2048 bits for signatures, or not the ``public_key``.
        ConfigurationError: An argument is not valid; the client is not installed or not configured.
    """

    service: ClassVar[str]  # its name, as the first words of a sentence
    _form: ClassVar[re.Pattern[str]] = re.compile(".+")  # of what identifies one version of one key
    _expected: ClassVar[str]  # the form, in words
    reasons: ClassVar[Mapping[str | int, str]]  # what a code, a status or the class of an error means here
    refusals: ClassVar[frozenset[str | int]] = frozenset()  # errors that fresh credentials may end: one retry

    def __init__(
        self, key: str, /, *, kid: str, alg: Alg = "RS256", client: Make = None, public_key: RSAPublicKey | None = None
    ) -> None:
        self._set_names(kid, alg)
        self._key = configured_string(key, "key", "key-name")
        if not self._form.fullmatch(key):
            raise ConfigurationError(f"key: expected {self._expected}.")
        if not (client is None or callable(client)):
            raise ConfigurationError("client: expected a function that makes one, which each process calls once.")
        _check_that_gevent_comes_first()
        self._clients: PerProcess[Any] = PerProcess(client or self._client)
        self._renewed = -RENEWAL_PAUSE
        digest = self.digest(b"start-up")  # without a dot, so the signature can never be part of a token
        try:
            self._set_key(public_key or self._ask("give out the public key", self._fetch))
            signature = self._ask("sign", lambda client: self._request(client, digest))
        except SigningError as error:
            raise KeyUnavailableError(str(error), error.code) from None
        if mistake := self._mistake_in(signature, digest):
            whole = isinstance(signature, bytes) and len(signature) >= MIN_RSA_BITS // 8
            raise (InvalidKeyError if whole else KeyUnavailableError)(mistake)

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature of the message (RFC 7518 §3.3), or raise ``SigningError``."""
        digest = self.digest(signing_input)
        try:
            signature = self._ask("sign", lambda client: self._request(client, digest))
        except (ConfigurationError, KeyUnavailableError) as error:
            raise SigningError(error.message) from error
        return self.checked(signature, digest)

    def _client(self) -> Any:
        """Make the client, for callers that give no function that does."""
        raise NotImplementedError

    def _fetch(self, client: Any, /) -> object:
        """Ask for the public key, and check that the key is made for ``alg``."""
        raise NotImplementedError

    def _request(self, client: Any, digest: bytes, /) -> bytes:
        """Ask for the signature of a digest."""
        raise NotImplementedError

    def _codes(self, error: BaseException) -> list[object]:
        """Return the codes and the status that an error of the client holds, the most telling first."""
        return []

    def _ask(self, what: str, ask: Callable[[Any], _T]) -> _T:
        """Return what the service answers, or raise ``SigningError``; an error of ours is passed on."""
        try:
            client = self._clients()
            try:
                return ask(client)
            except Exception as error:
                renewed = client if self.refusals.isdisjoint(self._names(error)) else self._renew(client)
                if renewed is client:
                    raise
                return ask(renewed)
        except FinMessengerAuthError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the client's
            if isinstance(error, RecursionError) and "gevent.monkey" in sys.modules:
                raise _gevent_came_late() from None
            reason, code = self._reason(error), self._finding(error)
        failure = SigningError(f"{self.service} did not {what}: {reason}.")
        failure.code = code
        raise failure

    def _renew(self, client: Any) -> Any:
        now = time.monotonic()
        if now - self._renewed < RENEWAL_PAUSE:
            return self._clients()
        self._renewed = now
        return self._clients.renew(client)

    def _names(self, error: BaseException | None) -> Iterator[str | int]:
        """Yield all by which ``reasons`` may know an error: its codes, its classes, and those of its causes."""
        while error is not None:
            yield from (each for each in self._codes(error) if isinstance(each, str | int))
            yield from (kind.__name__ for kind in type(error).__mro__)
            inner = getattr(error, "inner_exception", None)  # Azure's
            error = inner or error.__cause__ or error.__context__

    def _reason(self, error: Exception) -> str:
        status = next((each for each in self._codes(error) if isinstance(each, int)), None)
        name = type(error).__name__ if status is None else f"{type(error).__name__} with HTTP status {status:d}"
        return next((self.reasons[each] for each in self._names(error) if each in self.reasons), name)

    def _finding(self, error: Exception) -> str:
        """Return the code of the finding with the fix."""
        found = (FINDINGS[each] for each in self._names(error) if each in FINDINGS)
        return next(found, KeyUnavailableError.default_code)


# The names of the errors that a finding explains: codes, statuses and classes.
_EXPLAINED: dict[str, tuple[str | int, ...]] = {
    "remote-key-disabled": (
        *("DisabledException", "KMSInvalidStateException", "FailedPrecondition"),
        *("KeyDisabled", "KeyExpired", "KeyNotYetValid"),
    ),
    "remote-key-forbidden": ("AccessDeniedException", "Forbidden", 403),
    "remote-key-missing": ("NotFoundException", "NotFound", "InvalidPath", "NoSuchKey", "NoSuchToken", 404),
    "remote-throttled": ("ThrottlingException", "TooManyRequests", "RateLimitExceeded", 429),
    "remote-clock": ("InvalidSignatureException", "RequestExpired"),
    "remote-credentials": (
        *("ExpiredTokenException", "UnrecognizedClientException", "NoCredentialsError", "PartialCredentialsError"),
        *("CredentialRetrievalError", "DefaultCredentialsError", "RefreshError"),
        *("CredentialUnavailableError", "ClientAuthenticationError", "Unauthorized"),
    ),
    "remote-unreachable": (
        *("ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "DeadlineExceeded", "ConnectionError"),
        *("EndpointConnectionError", "ServiceUnavailable", "SSLError", "ProxyError", "VaultDown"),
    ),
    "remote-pin": ("PinIncorrect",),
    "remote-pin-locked": ("PinLocked",),
}
FINDINGS = {name: code for code, names in _EXPLAINED.items() for name in names}


def over_http(*, certificates: str) -> dict[str | int, str]:
    """Return what the errors of HTTP clients mean; ``certificates`` is the variable that names the trusted ones."""
    return {
        "SSLError": f"TLS failed. If its certificate is of your own authority, name that in {certificates}",
        "ProxyError": "the proxy does not let the request through; see HTTPS_PROXY and NO_PROXY",
        "ConnectTimeout": "it did not answer in time",
        "ReadTimeout": "it did not answer in time",
        "ConnectionError": "there is no connection to it",
        "KeyError": "its answer lacks a field",
    }


def pool(session: Any) -> Any:
    """Let a session of ``requests`` keep as many connections as it can have calls at the same time."""
    adapter = import_module("requests.adapters").HTTPAdapter(pool_maxsize=CONNECTIONS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def import_client(*modules: str, extra: str) -> list[ModuleType]:
    """Import the client of a service, or raise ``ConfigurationError``."""
    try:
        return [import_module(module) for module in modules]
    except ImportError as error:
        raise ConfigurationError(
            f"The client for {extra} is not installed; install fin-messenger-auth with the extra {extra}."
        ) from error


def _check_that_gevent_comes_first() -> None:
    """Refuse to start in the master of gunicorn's gevent workers, which patch ``ssl`` when it has been imported."""
    monkey = sys.modules.get("gevent.monkey")
    if "gunicorn.workers.ggevent" in sys.modules and monkey and not monkey.is_module_patched("ssl"):
        raise _gevent_came_late()


def _gevent_came_late() -> ConfigurationError:
    return ConfigurationError(
        "gevent replaces ssl and threads after the client has imported them, and requests would fail or hang. Call "
        "gevent.monkey.patch_all() before anything else is imported: with gunicorn, in the first lines of "
        "gunicorn.conf.py."
    )
