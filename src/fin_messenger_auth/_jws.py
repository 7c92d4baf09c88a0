"""Makes a compact JWS of claims and a signer (RFC 7515 §7.1), and parses one without verifying it (§5.2).

Pure: no clock and no I/O but the signer's. This is our own, and short, because joserfc takes no foreign signer, has no
async path and copies private numbers into a dict. The tests hold it to the RFC's vectors and to joserfc's output, byte
for byte.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from json import JSONEncoder
from typing import Any

from ._json_values import read_json
from ._late_signer import FirstChecked
from ._signers import AsyncSigner, Signer, signs_async, signs_at_once, unwrapped
from .errors import ConfigurationError, InvalidClaimError, SigningError

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_NOT_JSON = (TypeError, ValueError, RecursionError)

_header_json = JSONEncoder(separators=(",", ":"))
# Without its own search for cycles: the values were checked when they came in, and a cycle that came in another
# way raises RecursionError.
_claims_json = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)


def base64url(data: bytes) -> bytes:
    """Encode without padding (RFC 7515 §2)."""
    return b2a_base64(data).translate(_URL_SAFE, b"=\n")


@dataclass(slots=True, eq=False)
class Unsigned:
    """A token that awaits its signature."""

    message: bytes = field(repr=False)  # the signing input: header and claims in Base64URL (RFC 7515 §5.1)
    signer: Signer | AsyncSigner
    token: str | None  # the setting that carries it, for the error

    def sign(self) -> str:
        """Return the token, signed by a signer that has ``sign``."""
        signer: Any = self.signer
        try:
            return self._finished(signer.sign(self.message))
        except Exception as error:
            _describe(error, signer, self.token)
            raise

    async def asign(self) -> str:
        """Return the token, awaiting ``asign`` where the signer has it."""
        if not signs_async(self.signer):
            return self.sign()
        try:
            return self._finished(await self.signer.asign(self.message))
        except Exception as error:
            _describe(error, self.signer, self.token)
            raise

    def _finished(self, signature: bytes) -> str:
        if not isinstance(signature, bytes) or not signature:
            got = "b''" if signature == b"" else type(signature).__name__
            raise SigningError(f"{type(unwrapped(self.signer)).__name__}: expected a signature as bytes, got {got}.")
        return (self.message + b"." + base64url(signature)).decode("ascii")


def unsigned(claims: Mapping[str, Any], signer: Signer | AsyncSigner, token: str | None = None) -> Unsigned:
    """Return a JWT claims set (RFC 7519 §4) that awaits its signature; ``token`` names the setting that carries it."""
    try:
        payload = _claims_json.encode(claims).encode()
    except _NOT_JSON as error:
        raise InvalidClaimError("claims", "a value is not a JSON value.") from error
    try:
        header = _protected_header(signer.alg, signer.kid)
    except Exception as error:
        _describe(error, signer, token)
        raise
    return Unsigned(header + base64url(payload), signer, token)


def encode(claims: Mapping[str, Any], signer: Signer | AsyncSigner, token: str | None = None) -> str:
    """Sign a JWT claims set."""
    check_signs_at_once(signer)
    return unsigned(claims, signer, token).sign()


async def aencode(claims: Mapping[str, Any], signer: Signer | AsyncSigner, token: str | None = None) -> str:
    """Do what :func:`encode` does, awaiting ``asign`` where the signer has it."""
    return await unsigned(claims, signer, token).asign()


def check_signs_at_once(signer: Signer | AsyncSigner) -> None:
    """Refuse a signer that has ``asign`` only, before anything is signed."""
    inner = signer.signer if isinstance(signer, FirstChecked) else signer
    if not signs_at_once(inner):
        raise ConfigurationError(
            f"{type(inner).__name__} signs asynchronously only; await abuild or abuild_settings instead.",
            "signer-async-only",
        )


def _describe(error: Exception, signer: Signer | AsyncSigner, token: str | None) -> None:
    """Tell a ``SigningError`` what failed, and raise one in place of a foreign error."""
    failed, failure = unwrapped(signer), error
    if not isinstance(failure, SigningError):
        failure = SigningError(f"{type(failed).__name__} raised {type(error).__name__}.")
    failure.token, failure.signer = token, failed
    with suppress(Exception):  # reading it may be what failed
        failure.kid = signer.kid
    if failure is not error:  # its lines are shown, not its text, which may be a service's and hold anything
        raise failure.with_traceback(error.__traceback__) from None


@lru_cache(maxsize=64)
def _protected_header(alg: str, kid: str | None) -> bytes:
    header = {"alg": alg, "typ": "JWT"}
    if kid is not None:
        header["kid"] = kid
    return base64url(_header_json.encode(header).encode()) + b"."


_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_PARTS = ("header", "payload", "signature")
_TO_STANDARD = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """A token that was parsed, not verified: header and claims, signing input (RFC 7515 §2) and signature."""

    header: dict[str, Any]
    claims: dict[str, Any] = field(repr=False)
    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def compact(self) -> str:
        """The token itself, without what stood around it."""
        return (self.message + b"." + base64url(self.signature)).decode()

    @property
    def unsigned(self) -> bool:
        """Whether there is no signature to verify."""
        return self.header.get("alg") in (None, "none") or not self.signature


def parse_token(token: object) -> ParsedToken:
    """Parse a compact JWS, or raise a ``ValueError`` that says why it is none, without any part of it."""
    if not isinstance(token, str):
        raise ValueError(f"expected a str, got {type(token).__name__}")  # noqa: TRY004 - like every other bad token
    parts = token.split(".")
    if len(parts) != len(_PARTS):
        raise ValueError(f"expected 3 parts, got {len(parts)}{' (encrypted, JWE)' if len(parts) == 5 else ''}")  # noqa: PLR2004 - RFC 7516 §3.1
    head, claims, signature = (_decode(part, name) for part, name in zip(parts, _PARTS, strict=True))
    header = _json_object(head, "header")
    if "crit" in header:
        raise ValueError("the header has crit, an extension that must be understood (RFC 7515 §4.1.11), and none is")
    return ParsedToken(
        header=header,
        claims=_json_object(claims, "payload"),
        message=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def _decode(part: str, name: str) -> bytes:
    if not _BASE64URL.fullmatch(part):
        raise ValueError(f"the {name} has padding or characters that are not Base64URL")
    try:
        data = a2b_base64(part.translate(_TO_STANDARD) + "=" * (-len(part) % 4))
    except Base64Error as error:
        raise ValueError(f"the {name} is truncated") from error
    if base64url(data) != part.encode():
        raise ValueError(f"the {name} is truncated or altered: its last character is not canonical Base64URL")
    return data


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = read_json(data)
    except ValueError:
        raise ValueError(f"the {name} is not valid JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"the {name} is not a JSON object")  # noqa: TRY004 - the token is at fault, not the caller
    return value
