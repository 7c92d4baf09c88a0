"""Defines the two signer protocols, and signs with keys that this process holds.

A signer takes the *message* (the JWS signing input, RFC 7515 §2), not a digest, and returns the raw
signature that RFC 7518 §3 defines for its ``alg``. ``alg`` and ``kid`` stand on the signer, so that a
token's header always matches the key that signs it. A signer is one immutable value: rotation is a
new signer. Any object with these three members is a signer; there is no base class and no registry.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any, Literal, Protocol, TypeGuard

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.hmac import HMAC

from ._json_values import set_field
from ._keys import KeySource, MaskedBytes, Sealed, read_key, read_private_key
from ._material import check_content, check_ends, configured_string
from .errors import ConfigurationError, InvalidKeyError, masked, warn

MIN_SECRET_BYTES = 16  # a shorter HMAC secret is refused
RECOMMENDED_SECRET_BYTES = 32  # Intercom's secrets have this length, the least that RFC 7518 §3.2 allows with HS256
RSA_HASHES: dict[str, SHA256 | SHA512] = {"RS256": SHA256(), "RS512": SHA512()}
"""The RSA algorithms that Salesforce accepts, with their hash (RFC 7518 §3.3)."""

_INVALID = "signer-invalid"
_SECRET = "The Messenger API Secret"  # noqa: S105 - its name
_PKCS1V15 = PKCS1v15()


class _Key(Protocol):
    @property
    def alg(self) -> str:
        """The JWS algorithm by its name in RFC 7518, such as ``HS256``, ``RS256`` or ``RS512``."""
        ...

    @property
    def kid(self) -> str | None:
        """The key ID for the header, or ``None`` for a header without one."""
        ...


class Signer(_Key, Protocol):
    """Signs at once, in the calling thread.

    A ``SigningError`` of its own is passed on unchanged. Any other exception becomes a ``SigningError`` that names its
    type and does not chain it: its text may hold anything.
    """

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the raw JWS signature of the message ``signing_input``."""
        ...


class AsyncSigner(_Key, Protocol):
    """Signs where waiting must not block the event loop. Its errors are handled like those of a :class:`Signer`."""

    async def asign(self, signing_input: bytes, /) -> bytes:
        """Return the raw JWS signature of the message ``signing_input``."""
        ...


class DualSigner(Signer, AsyncSigner, Protocol):
    """Signs either way, as what :func:`~fin_messenger_auth.with_deadline` returns does."""


@dataclass(frozen=True, slots=True)
class WantedKey:
    """What a signer must be, as the uploaded JWK says, or single variables."""

    kid: str | None  # None if any will do
    alg: str
    public_key: RSAPublicKey | None = field(default=None, repr=False)  # of a JWK
    ends: datetime | None = None  # the last moment of the certificate in the JWK


class _KeyHolder(Sealed):
    """Holds a key in a slot that is no field, so that ``asdict``, ``repr`` and comparisons do not see it."""

    __slots__ = ("_key",)

    _key: Any  # of cryptography


@dataclass(frozen=True, slots=True, init=False, eq=False)
class HMACSigner(_KeyHolder):
    """HS256 with a secret: what ``intercom_user_jwt`` needs.

    The secret is read once, here, and used as the raw bytes of the string, as Intercom does: neither base64
    nor hex is decoded. One trailing newline is dropped.

    Args:
        source: Where the Messenger API Secret comes from.
        kid: A key ID for the header. Intercom asks for none.

    Attributes:
        alg: ``HS256``.
        kid: The key ID for the header, or ``None``.

    Raises:
        KeyUnavailableError: The secret cannot be read.
        InvalidKeyError: It is blank, a PEM document, or shorter than 16 bytes.
        ConfigurationError: It is visibly something else, such as a reference that nothing has resolved.

    Warns:
        FinMessengerAuthWarning: It is shorter than the 32 bytes of Intercom's own secrets, or perhaps something else.
    """

    kid: str | None
    alg: str = field(repr=False)

    @masked
    def __init__(self, source: KeySource, /, *, kid: str | None = None) -> None:
        check_kid(kid)
        set_field(self, "kid", kid)
        set_field(self, "alg", "HS256")
        set_field(self, "_key", HMAC(checked_secret(read_key(source).without_line_end()), SHA256()))

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return HMAC-SHA256 of the message (RFC 7518 §3.2)."""
        mac: HMAC = self._key.copy()  # keyed with the secret once, in __init__
        mac.update(signing_input)
        return mac.finalize()


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RSASigner(_KeyHolder):
    """RS256 or RS512 with an RSA private key: what ``salesforce_identity_token`` needs.

    The key is read, parsed and checked once, here; that costs tens of milliseconds, a signature a
    fraction of one. PEM, DER and PKCS#12 are read, encrypted or not; what is wrapped around the key is taken off.

    Args:
        source: Where the private key comes from.
        kid: The key ID for the header. Salesforce needs it: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.
        password: Where the password of an encrypted key comes from. One trailing newline is dropped.

    Attributes:
        alg: ``RS256`` or ``RS512``.
        kid: The key ID for the header, or ``None``.
        public_key: The public key, which verifies the tokens and is in the JWK.

    Raises:
        KeyUnavailableError: The key or its password cannot be read.
        InvalidKeyError: It is not an RSA private key of at least 2048 bits, or one of several; the password is wrong,
            missing or not needed.
        ConfigurationError: ``alg`` or ``kid`` is not valid; the password is visibly something else.

    Warns:
        FinMessengerAuthWarning: What is wrapped around the key is a mistake.
    """

    kid: str | None
    alg: str
    public_key: RSAPublicKey = field(repr=False)

    @masked
    def __init__(
        self,
        source: KeySource,
        /,
        *,
        kid: str | None = None,
        alg: Literal["RS256", "RS512"] = "RS256",
        password: KeySource | None = None,
    ) -> None:
        rsa_hash(alg)
        check_kid(kid)
        key = read_private_key(read_key(source), None if password is None else read_key(password))
        set_field(self, "kid", kid)
        set_field(self, "alg", alg)
        set_field(self, "public_key", key.public_key())
        set_field(self, "_key", key)

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature of the message (RFC 7518 §3.3)."""
        signature: bytes = self._key.sign(signing_input, _PKCS1V15, RSA_HASHES[self.alg])
        return signature


class Wrapper(Sealed):
    """A signer around another one, ``signer``, whose names it has. Metrics and tracing can be added in the same way."""

    __slots__ = ("signer",)

    def __init__(self, signer: Signer | AsyncSigner | WantedKey) -> None:
        self.signer: Any = signer

    def __repr__(self) -> str:
        """Show the signer."""
        return f"{type(self).__name__}({self.signer!r})"

    @property
    def alg(self) -> str:
        """The signer's ``alg``."""
        alg: str = self.signer.alg
        return alg

    @property
    def kid(self) -> str | None:
        """The signer's ``kid``."""
        kid: str | None = self.signer.kid
        return kid


def signs_at_once(signer: Signer | AsyncSigner) -> TypeGuard[Signer]:
    """Tell whether ``signer`` has ``sign``."""
    return callable(getattr(signer, "sign", None))


def signs_async(signer: Signer | AsyncSigner) -> TypeGuard[AsyncSigner]:
    """Tell whether ``signer`` has ``asign``."""
    return callable(getattr(signer, "asign", None))


def unwrapped(signer: Signer | AsyncSigner) -> Signer | AsyncSigner:
    """Return the innermost signer: a wrapper names what it wraps in its attribute ``signer``, as ``with_deadline``."""
    inner = getattr(signer, "signer", None)
    return unwrapped(inner) if inner is not None and (signs_at_once(inner) or signs_async(inner)) else signer


def public_key_of(signer: Signer | AsyncSigner) -> RSAPublicKey | None:
    """Return the public key that a signer, or the signer that it wraps, offers; ``None`` if it offers none."""
    key = getattr(unwrapped(signer), "public_key", None)
    return key if isinstance(key, RSAPublicKey) else None


def check_signer_for(
    token: str, signer: Signer | AsyncSigner, algorithms: Collection[str], *, kid_required: bool
) -> None:
    """Check at start-up that ``signer`` can sign ``token``, the setting of that name."""
    name = type(signer).__name__
    if not (signs_at_once(signer) or signs_async(signer)):
        raise ConfigurationError(f"The signer of {token}: expected alg, kid and sign or asign, got {name}.", _INVALID)
    if signs_at_once(signer) and iscoroutinefunction(signer.sign):
        raise ConfigurationError(f"{name}.sign is a coroutine function; rename it to asign.", _INVALID)
    try:
        alg, kid = signer.alg, signer.kid
    except Exception as error:
        raise ConfigurationError(f"The alg or kid of {name} cannot be read.", _INVALID) from error
    if alg not in algorithms:
        raise ConfigurationError(
            f"{token} is signed with {' or '.join(algorithms)}; the signer's alg is {alg!r}.",
            f"{token.partition('_')[0]}-algorithm",
        )
    check_kid(kid)
    if kid is None and kid_required:
        raise ConfigurationError(
            f"The signer of {token} has no kid; pass kid=, exactly as in the JWK that was uploaded to Salesforce.",
            "salesforce-kid-missing",
        )


def check_kid(kid: object) -> None:
    """Check that a key ID is a valid string, or ``None`` for a header without one."""
    if kid is not None:
        configured_string(kid, "kid", "kid")


def configured_secret(value: MaskedBytes) -> MaskedBytes:
    """Return the Messenger API Secret of a variable or a file, where quotes and whitespace are mistakes."""
    secret = checked_secret(value.without_line_end())
    check_ends(secret.decode(errors="replace"), _SECRET)
    return secret


def checked_secret(secret: MaskedBytes) -> MaskedBytes:
    """Return the Messenger API Secret, checked. The trailing newline of its file is removed already."""
    if not secret.strip():
        raise InvalidKeyError(f"{_SECRET} is blank; copy it from Intercom.", "secret-short")
    if secret.looks_like_pem():
        raise InvalidKeyError(
            f"{_SECRET} is a PEM document; expected a short string (Intercom: Settings > Messenger > Security).",
            "secret-pem",
        )
    check_content(secret, _SECRET, "secret")
    if len(secret) < MIN_SECRET_BYTES:
        raise InvalidKeyError(
            f"{_SECRET} has {len(secret)} bytes, fewer than {MIN_SECRET_BYTES}; copy the whole secret from Intercom.",
            "secret-short",
        )
    if len(secret) < RECOMMENDED_SECRET_BYTES:
        warn(
            f"{_SECRET} has {len(secret)} bytes; Intercom's have {RECOMMENDED_SECRET_BYTES} or more. "
            "Check that it was copied whole.",
            "secret-weak",
        )
    return secret


def rsa_hash(alg: str) -> SHA256 | SHA512:
    """Return the hash of an RSA algorithm that Salesforce accepts."""
    if alg not in tuple(RSA_HASHES):
        raise ConfigurationError(
            f"alg: expected {' or '.join(RSA_HASHES)}, which Salesforce accepts.", "salesforce-algorithm"
        )
    return RSA_HASHES[alg]
