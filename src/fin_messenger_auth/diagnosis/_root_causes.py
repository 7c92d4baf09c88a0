"""Folds findings into the one that they follow from, and completes each fix with what is known here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fin_messenger_auth._environment import Reading
from fin_messenger_auth._verification import VerifyingKey

from ._findings import Finding
from ._token_checks import audience_for, kids_of

_ABOUT_A_KEY = (
    "salesforce-signature",
    "key-differs",
    "jwk-certificate-differs",
    "directory-differs",
    "salesforce-kid-differs",
    "salesforce-algorithm-differs",
)
_ABOUT_OWN_KEYS = (*_ABOUT_A_KEY, "salesforce-issuer-differs", "unknown-keyset", "unchecked", "salesforce-kid-missing")
_ABOUT_TOKENS = ("settings-token-missing", "token-missing", "page-not-anonymous")

# The finding on the left explains those on the right.
_CONSEQUENCES = {
    "issuer-fin": _ABOUT_OWN_KEYS,
    "salesforce-signature": _ABOUT_A_KEY,
    "key-differs": _ABOUT_A_KEY,
    "jwk-member": ("salesforce-algorithm-differs",),
    "value-wrapped": ("salesforce-kid-differs",),
    "certificate-validity": ("directory-differs",),
    "directory-differs": ("certificate-renew",),
    "page-broken": ("page-settings-missing", "token-missing"),
    "page-anonymous": ("token-missing",),
    "page-settings-twice": _ABOUT_TOKENS,
    "setting-unknown": _ABOUT_TOKENS,
    "token-user-hash": ("settings-token-missing",),
    "token-milliseconds": ("token-lifetime-long",),
    "clock-wrong": ("certificate-not-yet-valid", "certificate-validity", "token-expired"),
}
_ONCE = ("certificate-validity", "certificate-renew", "certificate-not-yet-valid", "file-permissions", "key-weak")
_BOTH_WAYS_OUT = (
    "Either restore the old key: point SALESFORCE_PRIVATE_KEY_FILE to the private key of {old}. Or upload the new one: "
    "`fin-messenger-auth certificate --private-key FILE > certificate.pem`, then `fin-messenger-auth jwk "
    "--private-key FILE --certificate certificate.pem --kid NEW > jwk.json`, upload jwk.json, add it to the keyset, "
    "and set SALESFORCE_KEY_ID=NEW."
)


def fold(findings: Iterable[Finding], reading: Reading, keys: Sequence[VerifyingKey]) -> list[Finding]:
    """Return findings without those that follow from others, each code of a shared cause once."""
    given = list(dict.fromkeys(findings))
    explained: dict[str, str] = {}
    for code, consequences in _CONSEQUENCES.items():
        if code not in explained and any(each.code == code for each in given):
            explained.update({each: code for each in consequences if each != code})
    kept: list[Finding] = []
    for each in given:
        again = each.code in _ONCE and any(other.code == each.code for other in kept)
        if each.code not in explained and not again:
            kept.append(replace(each, fix=_completed(each, reading, keys)))
    return kept


def _completed(each: Finding, reading: Reading, keys: Sequence[VerifyingKey]) -> str:
    """Return the fix with the key, the key ID and the audience of this environment in it."""
    fix, kid, audience = each.fix, reading.kid, reading.value("SALESFORCE_AUDIENCE")
    if each.code == "salesforce-signature":
        fix = _BOTH_WAYS_OUT.format(old=f"kid {kids_of(keys)}" if any(key.kid for key in keys) else "the uploaded JWK")
    if audience:
        fix = fix.replace("https://<subdomain>.my.salesforce-scrt.com", audience_for(audience))
    if reading.salesforce_signer is not None:
        option = f"--env --prefix {reading.prefix}" if reading.prefix else "--env"
        fix = fix.replace("--private-key FILE", option)
    return fix if kid is None else fix.replace("--kid KID", f"--kid={shlex.quote(kid)}")
