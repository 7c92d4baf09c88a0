"""What Intercom would say of ``intercom_user_jwt``."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from typing import Any

from fin_messenger_auth.altered_secrets import altered_secrets
from fin_messenger_auth.errors import masked
from fin_messenger_auth.intercom import ALGORITHMS
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import is_lost
from fin_messenger_auth.signers import MIN_SECRET_BYTES
from fin_messenger_auth.token_parser import ParsedToken
from fin_messenger_auth.users import MAX_ATTRIBUTES, MAX_COMPANY_ATTRIBUTES, RESERVED_NAMES, attribute_problems

from .findings import Finding, finding, finding_of
from .token_checks import check_claims, open_token, quoted

_BOOLEANS = ("true", "false")


@masked
def check_intercom_token(
    token: str, *, secret: str | bytes | None = None, user_id: str | None = None, now: float | None = None
) -> list[Finding]:
    """Check ``intercom_user_jwt``, without asking Intercom.

    Args:
        token: The token, as it is in the settings.
        secret: The Messenger API Secret. Without it the signature is not verified, except that an empty
            secret is recognized.
        user_id: The ``user_id`` beside the token in the settings, to be compared.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, with an ``unchecked`` finding for what could not be checked. Empty if nothing is wrong.
    """
    parsed, findings = open_token(token, INTERCOM)
    if parsed is None:
        return findings
    return [
        *findings,
        *_check_signature(parsed, secret.encode() if isinstance(secret, str) else secret or b""),
        *check_claims(parsed, INTERCOM, time.time() if now is None else now),
        *_compare_user(parsed.claims.get("user_id"), user_id),
        *_check_attributes(parsed.claims),
    ]


def _check_signature(token: ParsedToken, secret: bytes) -> Iterator[Finding]:
    if token.unsigned:
        return  # reported already, with the form
    if token.header["alg"] not in ALGORITHMS:
        yield finding("intercom-algorithm", got=quoted(token.header["alg"]))
    elif _is_signed_with(token, b""):
        yield finding("intercom-secret-altered", how="left empty, so anyone can forge it")
    elif len(secret) < MIN_SECRET_BYTES:
        how = f"Give the whole Messenger API Secret, which has at least {MIN_SECRET_BYTES} bytes: --secret-file FILE."
        yield finding("unchecked", check="signature", what="The signature", how=how)
    elif not _is_signed_with(token, secret):
        changes = (change for change, altered in altered_secrets(secret) if _is_signed_with(token, altered))
        change = next(changes, None)
        yield finding("intercom-signature") if change is None else finding("intercom-secret-altered", how=change)


def _is_signed_with(token: ParsedToken, secret: bytes) -> bool:
    """Verify HS256; not with joserfc, which refuses an empty secret and so cannot tell that one was used."""
    return hmac.compare_digest(hmac.digest(secret, token.message, "sha256"), token.signature)


def _compare_user(signed: object, expected: str | None) -> Iterator[Finding]:
    if expected is not None and isinstance(signed, str) and signed != expected:
        yield finding("intercom-user-id-differs")


def _check_attributes(claims: dict[str, Any]) -> Iterator[Finding]:
    custom = {name: value for name, value in claims.items() if name not in RESERVED_NAMES}
    yield from map(finding_of, attribute_problems(custom, MAX_ATTRIBUTES))
    for name, value in custom.items():
        if isinstance(value, str) and (value.lower() in _BOOLEANS or (value.strip() and is_lost(value))):
            yield finding("attribute-stringified", name=repr(name))
    company = claims.get("company", {"id": "…"})
    if isinstance(company, dict) and company.get("id"):
        of_company = {name: value for name, value in company.items() if name not in ("id", "name")}
        yield from map(finding_of, attribute_problems(of_company, MAX_COMPANY_ATTRIBUTES))
    else:
        yield finding("intercom-company-id")
