"""A compact JWS to its header, claims and signature, without verifying it (RFC 7515 §5.2)."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass, field
from typing import Any

from .errors import masked
from .json_values import read_json
from .jws import base64url

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
    def unsigned(self) -> bool:
        """Whether there is no signature to verify."""
        return self.header.get("alg") in (None, "none") or not self.signature


@masked
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
