"""What both tokens have in common: the form, the header and the user; the times stand in ``validity``."""

from __future__ import annotations

import json
import re
from typing import Any

from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import is_lost, looks_like_email
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.token_parser import ParsedToken, parse_token

from .findings import Finding, finding

_USER_HASH = re.compile(r"[0-9a-fA-F]{64}")
_NUMBER = "a number"
_JSON_TYPES = {str: "a string", bool: "a boolean", int: _NUMBER, float: _NUMBER, list: "a list", dict: "an object"}


def check_form(token: str, name: str) -> tuple[ParsedToken | None, list[Finding]]:
    """Parse a token, ignoring whitespace, quotes and ``Bearer`` around it, and check its form.

    Args:
        token: The token, as it was found.
        name: Which token belongs there, for the findings.

    Returns:
        The token, or ``None`` if it cannot be parsed; and what is wrong with its form.
    """
    bare, around = _unwrapped(token)
    if is_lost(bare):
        return None, [finding("token-missing", token=name)]
    findings = [finding("token-wrapped", token=name, what=around)] if around else []
    if _USER_HASH.fullmatch(bare):
        return None, [*findings, finding("token-user-hash", name=name, wanted="a JWT", got="a user_hash")]
    try:
        parsed = parse_token(bare)
    except ValueError as error:
        return None, [*findings, finding("token-malformed", token=name, why=error)]
    if parsed.unsigned:
        findings.append(finding("token-unsigned", token=name))
    if str(parsed.header.get("typ", "JWT")).upper() != "JWT":
        findings.append(finding("token-type", got=quoted(parsed.header["typ"])))
    return parsed, findings


def token_name(token: ParsedToken) -> str:
    """Tell which of the two tokens this is, by its claims, or by its algorithm if the claims are ambiguous."""
    if ("user_id" in token.claims) != ("sub" in token.claims):
        return INTERCOM if "user_id" in token.claims else SALESFORCE
    return INTERCOM if str(token.header.get("alg")).startswith("HS") else SALESFORCE


def check_swapped(token: ParsedToken, name: str) -> list[Finding]:
    """Check that a token is not the other platform's, by its claims and its algorithm.

    Args:
        token: The token.
        name: Which token belongs there.
    """
    prefix = "RS" if name == INTERCOM else "HS"
    swapped = token_name(token) != name and str(token.header.get("alg")).startswith(prefix)
    return [finding("token-swapped", token=name)] if swapped else []


def check_user(claims: dict[str, Any], claim: str) -> list[Finding]:
    """Check the claim that identifies the user.

    Args:
        claims: The claims of the token.
        claim: ``user_id`` or ``sub``.
    """
    value = claims.get(claim)
    if not isinstance(value, str):
        return [finding("token-user", claim=claim, got=json_type(value) if claim in claims else "nothing")]
    if is_lost(value):
        return [finding("user-id-lost", claim=claim)]
    return [finding("user-id-email", claim=claim)] if looks_like_email(value) else []


def quoted(value: object) -> str:
    """Return a header or an issuer for a message: in quotes, on one line and of limited length."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f'{text[:76]}…"'  # noqa: PLR2004 - a line


def json_type(value: object) -> str:
    """Return the JSON type of a value, with its article."""
    return _JSON_TYPES.get(type(value), "null")


def _unwrapped(token: str) -> tuple[str, str]:
    bare, around = token.strip(), []
    if bare != token:
        around.append("whitespace or a newline")
    if bare[:7].lower() == "bearer ":
        bare = bare[7:].strip()
        around.append("the word Bearer")
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1].strip()
        around.append("quotes")
    return bare, " and ".join(around)
