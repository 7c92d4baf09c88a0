"""Findings that follow from another are folded into it, so that the first line is the one thing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .findings import Finding

_ABOUT_A_KEY = (
    "salesforce-signature",
    "key-differs",
    "jwk-certificate-differs",
    "directory-differs",
    "salesforce-kid-differs",
    "salesforce-algorithm-differs",
)
_ABOUT_OWN_KEYS = (*_ABOUT_A_KEY, "salesforce-issuer-differs", "unknown-keyset", "unchecked", "salesforce-kid-missing")

# The finding on the left explains those on the right.
_CONSEQUENCES = {
    "issuer-fin": _ABOUT_OWN_KEYS,
    "salesforce-signature": _ABOUT_A_KEY,
    "key-differs": _ABOUT_A_KEY,
    "page-broken": ("page-settings-missing", "token-missing"),
    "page-anonymous": ("token-missing",),
    "token-user-hash": ("settings-token-missing",),
    "token-milliseconds": ("token-lifetime-long",),
    "clock-wrong": ("certificate-not-yet-valid", "certificate-validity", "token-expired"),
}
_ONCE = ("certificate-validity", "certificate-renew", "certificate-not-yet-valid", "file-permissions", "key-weak")


def fold(findings: Iterable[Finding], *, kid: str | None = None) -> list[Finding]:
    """Return findings without those that follow from others, each code of a shared cause once.

    Args:
        findings: What was found, in the order of the checks.
        kid: The key ID in use, for the fix of a replaced key.
    """
    given = list(dict.fromkeys(findings))
    explained: dict[str, str] = {}
    for code, consequences in _CONSEQUENCES.items():
        if code not in explained and any(each.code == code for each in given):
            explained.update({each: code for each in consequences if each != code})
    kept: list[Finding] = []
    for each in given:
        again = each.code in _ONCE and any(other.code == each.code for other in kept)
        if each.code not in explained and not again:
            kept.append(_with_both_ways_out(each, kid) if each.code == "salesforce-signature" else each)
    return kept


def _with_both_ways_out(replaced: Finding, kid: str | None) -> Finding:
    """Name both fixes of a signing key that is not the uploaded one."""
    old = "the uploaded JWK" if kid is None else f'kid "{kid}"'
    fix = (
        f"Either restore the old key: point SALESFORCE_PRIVATE_KEY_FILE to the private key of {old}. Or upload the new "
        "one: `fin-messenger-auth certificate --private-key FILE > certificate.pem`, `fin-messenger-auth jwk "
        "--private-key FILE --certificate certificate.pem --kid NEW > jwk.json`, upload jwk.json, add it to the "
        "keyset, and set SALESFORCE_KEY_ID=NEW."
    )
    return replace(replaced, fix=fix)
