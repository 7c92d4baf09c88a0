"""Claims and a signer to a compact JWS (RFC 7515 §7.1). Pure: no clock and no I/O but the signer's.

This is our own, and short, because joserfc takes no foreign signer, has no async path and copies
private numbers into a dict. The tests hold it to the RFC's vectors and to joserfc's output, byte for byte.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from json import JSONEncoder
from typing import Any

from .errors import ConfigurationError, InvalidClaimError, SigningError, warn
from .signers import AsyncSigner, Signer, signs_async, signs_at_once, unwrapped

DEFAULT_LIFETIME = timedelta(hours=1)
"""How long a token is valid, as in Intercom's article."""

RECOMMENDED_LIFETIME = timedelta(minutes=5)
"""A token with a shorter lifetime may expire while a page loads or a clock is off."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_header_json = JSONEncoder(separators=(",", ":"))
# Without its own search for cycles: the values were checked when they came in, and a cycle that came in another
# way raises RecursionError.
_claims_json = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)


def base64url(data: bytes) -> bytes:
    """Encode without padding (RFC 7515 §2)."""
    return b2a_base64(data).translate(_URL_SAFE, b"=\n")


def signing_input(claims: Mapping[str, Any], signer: Signer | AsyncSigner) -> bytes:
    """Return what is signed: header and claims, each in Base64URL, joined by a dot (RFC 7515 §5.1).

    Args:
        claims: The JWT claims set (RFC 7519 §4).
        signer: Says ``alg`` and ``kid`` for the header; a ``kid`` of ``None`` is left out.

    Raises:
        InvalidClaimError: A claim is not a JSON value.
    """
    try:
        payload = _claims_json.encode(claims).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidClaimError(_offending_claim(claims), "the value is not a JSON value.") from error
    return _protected_header(signer.alg, signer.kid) + base64url(payload)


def encode(claims: Mapping[str, Any], signer: Signer | AsyncSigner, token: str | None = None) -> str:
    """Sign ``claims`` into a compact JWS.

    Args:
        claims: The JWT claims set (RFC 7519 §4).
        signer: What signs.
        token: The setting that carries the token, for the error.

    Raises:
        ConfigurationError: The signer has ``asign`` only.
        InvalidClaimError: A claim is not a JSON value.
        SigningError: The signer raised, or did not return a signature.
    """
    if not signs_at_once(signer):
        raise ConfigurationError(
            f"{type(signer).__name__} signs asynchronously only; await abuild or abuild_settings instead.",
            "signer-async-only",
        )
    try:
        message = signing_input(claims, signer)
        return _compact(message, signer.sign(message), signer)
    except InvalidClaimError:
        raise
    except SigningError as error:
        raise _described(error, signer, token)  # noqa: B904 - it is the same error
    except Exception as error:
        name = type(unwrapped(signer)).__name__
        raise _described(SigningError(f"{name} raised {type(error).__name__}."), signer, token) from error


async def aencode(claims: Mapping[str, Any], signer: Signer | AsyncSigner, token: str | None = None) -> str:
    """Sign ``claims`` into a compact JWS, awaiting ``asign`` where the signer has it. Arguments as for :func:`encode`.

    Raises:
        InvalidClaimError: A claim is not a JSON value.
        SigningError: The signer raised, or did not return a signature.
    """
    if not signs_async(signer):
        return encode(claims, signer, token)
    try:
        message = signing_input(claims, signer)
        return _compact(message, await signer.asign(message), signer)
    except InvalidClaimError:
        raise
    except SigningError as error:
        raise _described(error, signer, token)  # noqa: B904 - it is the same error
    except Exception as error:
        name = type(unwrapped(signer)).__name__
        raise _described(SigningError(f"{name} raised {type(error).__name__}."), signer, token) from error


def whole_seconds(lifetime: timedelta, token: str) -> int:
    """Return the lifetime of ``token`` in seconds, checked at start-up (``exp``, RFC 7519 §4.1.4).

    Raises:
        TypeError: It is not a ``timedelta``; a bare number could be seconds or milliseconds.
        ConfigurationError: It is under one second.

    Warns:
        FinMessengerAuthWarning: It is under :data:`RECOMMENDED_LIFETIME`.
    """
    if not isinstance(lifetime, timedelta):
        raise TypeError(f"lifetime: expected a datetime.timedelta, got {type(lifetime).__name__}.")
    seconds = lifetime // timedelta(seconds=1)
    if seconds < 1:
        raise ConfigurationError(f"The lifetime of {token} must be at least one second.", "lifetime-invalid")
    if lifetime < RECOMMENDED_LIFETIME:
        warn(
            f"The lifetime of {token} is {seconds} s, under {RECOMMENDED_LIFETIME // timedelta(minutes=1)} minutes: "
            "it may expire while a page loads or a clock is off.",
            "lifetime-short",
        )
    return seconds


@lru_cache(maxsize=64)
def _protected_header(alg: str, kid: str | None) -> bytes:
    header = {"alg": alg, "typ": "JWT"}
    if kid is not None:
        header["kid"] = kid
    return base64url(_header_json.encode(header).encode()) + b"."


def _compact(message: bytes, signature: bytes, signer: Signer | AsyncSigner) -> str:
    if not isinstance(signature, bytes) or not signature:
        got = "b''" if signature == b"" else type(signature).__name__
        raise SigningError(f"{type(unwrapped(signer)).__name__}: expected a signature as bytes, got {got}.")
    return (message + b"." + base64url(signature)).decode("ascii")


def _described(error: SigningError, signer: Signer | AsyncSigner, token: str | None) -> SigningError:
    """Return the error, told what failed."""
    error.token, error.signer = token, unwrapped(signer)
    with suppress(Exception):  # reading it may be what failed
        error.kid = signer.kid
    return error


def _offending_claim(claims: Mapping[str, Any]) -> str:
    return next((str(name) for name, value in claims.items() if not _has_json_form({name: value})), "claims")


def _has_json_form(claims: Mapping[str, Any]) -> bool:
    try:
        _claims_json.encode(claims).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
