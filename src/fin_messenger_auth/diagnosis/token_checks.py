"""What both tokens have in common: the form, the header and the claims that say who and until when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import is_lost, looks_like_email
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.token_parser import ParsedToken, parse_token

from .findings import Finding, finding
from .validity import check_validity, json_type

_USER_HASH = re.compile(r"[0-9a-fA-F]{64}")
_OF_BYTES = re.compile(r"b'(.*)'|b\"(.*)\"", re.DOTALL)
_QUOTED_LENGTH = 80


def check_form(token: str, name: str) -> tuple[ParsedToken | None, list[Finding]]:
    """Parse a token, ignoring what stands around it; ``None`` if that fails. Find what is wrong with its form."""
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
    return parsed, findings


def open_token(token: str, name: str) -> tuple[ParsedToken | None, list[Finding]]:
    """Do as :func:`check_form` does, and refuse the token of the other platform, by its claims and its algorithm."""
    parsed, findings = check_form(token, name)
    prefix = "RS" if name == INTERCOM else "HS"
    if parsed and token_name(parsed) != name and str(parsed.header.get("alg")).startswith(prefix):
        return None, [*findings, finding("token-swapped", token=name)]
    return parsed, findings


def token_name(token: ParsedToken) -> str:
    """Tell which of the two tokens this is, by its claims, or by its algorithm if the claims are ambiguous."""
    if ("user_id" in token.claims) != ("sub" in token.claims):
        return INTERCOM if "user_id" in token.claims else SALESFORCE
    return INTERCOM if str(token.header.get("alg")).startswith("HS") else SALESFORCE


def check_claims(token: ParsedToken, name: str, now: float) -> Iterator[Finding]:
    """Check the claim that identifies the user, and the times."""
    claim = "user_id" if name == INTERCOM else "sub"
    value = token.claims.get(claim)
    if not isinstance(value, str):
        yield finding("token-user", claim=claim, got=json_type(value) if claim in token.claims else "nothing")
    elif is_lost(value):
        yield finding("user-id-lost", claim=claim)
    elif looks_like_email(value):
        yield finding("user-id-email", claim=claim)
    yield from check_validity(token, name, now)


def quoted(value: object) -> str:
    """Return a header or an issuer for a message: in quotes, on one line and of limited length."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _QUOTED_LENGTH else f'{text[: _QUOTED_LENGTH - 4]}…"'


def _unwrapped(token: str) -> tuple[str, str]:
    bare, around = token.strip(), []
    if bare != token:
        around.append("whitespace or a newline")
    if bare[:7].lower() == "bearer ":
        bare = bare[7:].strip()
        around.append("the word Bearer")
    if of_bytes := _OF_BYTES.fullmatch(bare):
        bare = of_bytes[1] or of_bytes[2] or ""
        around.append("Python's b'…' (call .decode() on bytes)")
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1].strip()
        around.append("quotes")
    return bare, " and ".join(around)
