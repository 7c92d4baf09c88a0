"""A token taken apart, as far as it goes, and what is wrong with its form."""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from .findings import finding

if TYPE_CHECKING:
    from .findings import Finding

INTERCOM = "intercom_user_jwt"
SALESFORCE = "salesforce_identity_token"

LOST = frozenset({"", "none", "null", "undefined", "nan"})
"""What a value that was lost on the way reads as, in lower case."""

_USER_HASH = re.compile(r"[0-9a-fA-F]{64}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_PARTS = ("header", "payload", "signature")
_JWE_PARTS = 5
_TRANSLATION = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token taken apart, not verified.

    Attributes:
        header: The JOSE header (RFC 7515 §4).
        claims: The JWT claims set (RFC 7519 §4).
        message: What was signed (RFC 7515 §5.1).
        signature: The signature.
    """

    header: dict[str, Any]
    claims: dict[str, Any] = field(repr=False)
    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def unsigned(self) -> bool:
        """Whether there is no signature to verify."""
        return self.header.get("alg") in (None, "none") or not self.signature

    @property
    def name(self) -> str:
        """Which of the two tokens this is, by its claims, or by its algorithm where they do not tell."""
        if ("user_id" in self.claims) != ("sub" in self.claims):
            return INTERCOM if "user_id" in self.claims else SALESFORCE
        return INTERCOM if str(self.header.get("alg")).startswith("HS") else SALESFORCE


def read_token(token: str, name: str) -> tuple[ReadToken | None, list[Finding]]:
    """Take a token apart, looking through blanks, quotes and ``Bearer`` around it.

    Args:
        token: The token, as it was found.
        name: Which token stands here, for the findings.

    Returns:
        The token, or ``None`` if it is none; and what is wrong with its form.
    """
    bare, around = _unwrapped(token)
    if bare.lower() in LOST:
        return None, [finding("token-missing", token=name)]
    findings = [finding("token-wrapped", token=name, what=around)] if around else []
    parts = bare.split(".")
    if _USER_HASH.fullmatch(bare):
        return None, [*findings, finding("token-user-hash", token=name)]
    if len(parts) == _JWE_PARTS:
        return None, [*findings, finding("token-encrypted", token=name)]
    try:
        read = _taken_apart(parts)
    except ValueError as error:
        return None, [*findings, finding("token-malformed", token=name, what=error)]
    if read.unsigned:
        findings.append(finding("token-unsigned", token=name))
    if str(read.header.get("typ", "JWT")).upper() != "JWT":
        findings.append(finding("token-type", got=shown(read.header["typ"])))
    return read, findings


def shown(value: object) -> str:
    """Return a header or an issuer as it can stand in a message: quoted, on one line, and not for ever."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f'{text[:76]}…"'  # noqa: PLR2004 - a line


def kind_of(value: object) -> str:
    """Say what a JSON value is, without saying what it holds."""
    kinds = {
        str: "a text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def _unwrapped(token: str) -> tuple[str, str]:
    bare, around = token.strip(), []
    if bare != token:
        around.append("blanks or a line end")
    if bare[:7].lower() == "bearer ":
        bare = bare[7:].strip()
        around.append("the word Bearer")
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1].strip()
        around.append("quotes")
    return bare, " and ".join(around)


def _taken_apart(parts: list[str]) -> ReadToken:
    if len(parts) != len(_PARTS):
        raise ValueError(f"it has {len(parts)} parts and not 3")
    header, claims, signature = (_decoded(part, which) for part, which in zip(parts, _PARTS, strict=True))
    return ReadToken(
        header=_json_object(header, "header"),
        claims=_json_object(claims, "payload"),
        message=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def _decoded(part: str, which: str) -> bytes:
    if not _BASE64URL.fullmatch(part):
        raise ValueError(f"its {which} holds characters that are not Base64URL, or padding")
    try:
        return a2b_base64(part.translate(_TRANSLATION) + "=" * (-len(part) % 4))
    except Base64Error as error:
        raise ValueError(f"its {which} is cut off") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _json_object(data: bytes, which: str) -> dict[str, Any]:
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {which} is no JSON") from error
    if not isinstance(value, dict):
        raise ValueError(f"its {which} is no JSON object")  # noqa: TRY004 - the token is at fault, not the caller
    return value
