"""Claims and a signer to a compact JWS (RFC 7515 §7.1). Pure: no clock and no I/O but the signer's.

This is our own, and short, because joserfc takes no foreign signer, has no async path and copies
private numbers into a dict. The tests hold it to the RFC's vectors and to joserfc's output, byte for byte.
"""

from __future__ import annotations

import warnings
from binascii import b2a_base64
from datetime import timedelta
from functools import lru_cache
from json import JSONEncoder
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError, FinMessengerAuthWarning, InvalidClaimError, SigningError
from .signers import signs_async, signs_at_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .signers import AsyncSigner, Signer

DEFAULT_LIFETIME = timedelta(hours=1)
"""How long a token is valid, as in Intercom's article."""

RECOMMENDED_LIFETIME = timedelta(minutes=5)
"""A token that lives shorter may expire while a page loads or a clock is off."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_header_json = JSONEncoder(separators=(",", ":"))
# Without its own search for cycles: the values were searched when they came in, and one that came in by another
# way ends as a RecursionError.
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
        InvalidClaimError: A claim is no JSON value.
    """
    try:
        payload = _claims_json.encode(claims).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidClaimError(_culprit(claims), "the value has no JSON form.") from error
    return _protected_header(signer.alg, signer.kid) + base64url(payload)


def encode(claims: Mapping[str, Any], signer: Signer | AsyncSigner) -> str:
    """Sign ``claims`` into a compact JWS.

    Raises:
        ConfigurationError: The signer can only be awaited.
        InvalidClaimError: A claim is no JSON value.
        SigningError: The signer raised, or returned something that is no signature.
    """
    if not signs_at_once(signer):
        raise ConfigurationError(
            f"{type(signer).__name__} signs asynchronously only; await abuild or abuild_settings instead."
        )
    try:
        message = signing_input(claims, signer)
        signature = signer.sign(message)
    except (InvalidClaimError, SigningError):
        raise
    except Exception as error:
        raise SigningError(f"{type(signer).__name__} raised {type(error).__name__}.") from error
    return _compact(message, signature, signer)


async def aencode(claims: Mapping[str, Any], signer: Signer | AsyncSigner) -> str:
    """Sign ``claims`` into a compact JWS, awaiting ``asign`` where the signer has it.

    Raises:
        InvalidClaimError: A claim is no JSON value.
        SigningError: The signer raised, or returned something that is no signature.
    """
    if not signs_async(signer):
        return encode(claims, signer)
    try:
        message = signing_input(claims, signer)
        signature = await signer.asign(message)
    except (InvalidClaimError, SigningError):
        raise
    except Exception as error:
        raise SigningError(f"{type(signer).__name__} raised {type(error).__name__}.") from error
    return _compact(message, signature, signer)


async def aencode_all(work: Sequence[tuple[Mapping[str, Any], Signer | AsyncSigner]]) -> list[str]:
    """Sign several claims sets, at the same time where more than one signer has to be awaited.

    If one fails or the caller is cancelled, the others are cancelled too and none is left running.

    Raises:
        InvalidClaimError: A claim is no JSON value.
        SigningError: A signer raised, or returned something that is no signature.
    """
    if sum(signs_async(signer) for _, signer in work) < 2:  # noqa: PLR2004 - one cannot wait for another
        return [await aencode(claims, signer) for claims, signer in work]
    from asyncio import TaskGroup, sleep  # noqa: PLC0415 - 25 ms that a synchronous application need not pay

    await sleep(0)  # a burst of pages makes its claims in one turn of the loop, and encodes them in the next
    try:
        async with TaskGroup() as group:
            tasks = [group.create_task(aencode(claims, signer)) for claims, signer in work[1:]]
            first = await aencode(*work[0])
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
    return [first, *(task.result() for task in tasks)]


def whole_seconds(lifetime: timedelta, token: str) -> int:
    """Return the lifetime of ``token`` in seconds, checked at start-up (``exp``, RFC 7519 §4.1.4).

    Raises:
        TypeError: It is no ``timedelta``; a bare number could be seconds or milliseconds.
        ConfigurationError: It is under one second.

    Warns:
        FinMessengerAuthWarning: It is under :data:`RECOMMENDED_LIFETIME`.
    """
    if not isinstance(lifetime, timedelta):
        raise TypeError(f"lifetime must be a datetime.timedelta, not {type(lifetime).__name__}.")
    seconds = lifetime // timedelta(seconds=1)
    if seconds < 1:
        raise ConfigurationError(f"The lifetime of {token} must be at least one second, or it is made expired.")
    if lifetime < RECOMMENDED_LIFETIME:
        warnings.warn(
            f"The lifetime of {token} is {seconds} s, under {RECOMMENDED_LIFETIME // timedelta(minutes=1)} minutes: "
            "it may expire while a page loads or a clock is off.",
            FinMessengerAuthWarning,
            stacklevel=4,
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
        got = "no bytes" if signature == b"" else type(signature).__name__
        raise SigningError(f"{type(signer).__name__} must return the signature as bytes; it returned {got}.")
    return (message + b"." + base64url(signature)).decode("ascii")


def _culprit(claims: Mapping[str, Any]) -> str:
    return next((str(name) for name, value in claims.items() if not _has_json_form({name: value})), "claims")


def _has_json_form(claims: Mapping[str, Any]) -> bool:
    try:
        _claims_json.encode(claims).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
