"""Names the cause of a case: findings that follow from another are folded into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fin_messenger_auth._tokens import SALESFORCE_TOKEN

from ._expected import Expected
from ._findings import Finding, finding
from ._page_reader import Page
from ._token_checks import check_form, kids_of, quoted

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
    "issuer-fin": (*_ABOUT_OWN_KEYS, "salesforce-audience", "token-missing"),
    "salesforce-signature": _ABOUT_A_KEY,
    "key-differs": _ABOUT_A_KEY,
    "jwk-member": ("salesforce-algorithm-differs", "directory-differs", "jwk-x5c-missing"),
    "jwks-empty": ("directory-differs",),
    "algorithm-differs": ("directory-differs",),
    "salesforce-signer-ambiguous": ("variable-missing",),
    "key-public": ("file-permissions",),
    "user-id-lost": ("intercom-user-id-differs", "pair-subject-differs", *_ABOUT_TOKENS),
    "token-user": ("pair-subject-differs",),
    "intercom-user-id-differs": ("pair-subject-differs",),
    "value-wrapped": ("salesforce-kid-differs",),
    "certificate-validity": ("directory-differs",),
    "directory-differs": ("certificate-renew",),
    "page-broken": ("page-settings-missing", "token-missing"),
    "page-anonymous": ("token-missing",),
    "app-id-url": ("settings-differ",),
    "messenger-off": ("page-settings-missing",),
    "page-mark": ("page-settings-missing",),
    "page-settings-twice": (*_ABOUT_TOKENS, "page-anonymous"),
    "setting-unknown": _ABOUT_TOKENS,
    "token-user-hash": ("settings-token-missing",),
    "token-milliseconds": ("token-lifetime-long",),
    "intercom-secret-altered": ("secret-base64", "secret-weak"),
    "clock-wrong": ("certificate-not-yet-valid", "certificate-validity", "token-expired"),
}
_ONCE = (
    *("certificate-validity", "certificate-renew", "certificate-not-yet-valid", "file-permissions", "key-weak"),
    *("key-password-unneeded", "jwk-member"),
)
_OF_THE_CONFIGURATION = ("algorithm", "signature", "key id", "issuer", "audience")
_RIGHT_HERE = (
    "In this environment it is right: restart or redeploy the processes that made this page. They have another "
    "configuration or an older release."
)
_OF_THE_RESPONSE = ("page-cached", "page-csp", "page-secret")


def fold(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without those that follow from others, each code of a shared cause once."""
    given = list(dict.fromkeys(findings))
    explained: set[str] = set()
    for code, consequences in _CONSEQUENCES.items():
        if code not in explained and any(each.code == code for each in given):
            explained.update(each for each in consequences if each != code)
    kept: list[Finding] = []
    for each in given:
        again = each.code in _ONCE and any(other.code == each.code for other in kept)
        if each.code not in explained and not again:
            kept.append(each)
    return sorted(kept, key=lambda each: each.code == "directory-incomplete")  # it keeps nobody from being verified


def cause_of(
    of_page: Sequence[Finding], before: list[Finding], page: Page, expected: Expected, *, right: bool
) -> list[Finding]:
    """Return all findings, those of the page in the light of the environment's.

    Args:
        of_page: What was found in the page.
        before: What was found without it.
        page: The page, as it was read.
        expected: What it was compared with.
        right: Whether the environment's own tokens verify, so that it is not the cause.
    """
    settings = page.values
    app_id = settings.get("app_id", settings.get("appId"))
    unverified = not expected.secret or any(each.code == "intercom-signature" for each in of_page)
    if expected.app_id and app_id not in (None, expected.app_id) and unverified:
        cause = finding("page-elsewhere", got=quoted(app_id), wanted=quoted(expected.app_id))
        return [cause, *before, *(each for each in of_page if each.code in _OF_THE_RESPONSE)]
    token, _ = check_form(str(settings.get(SALESFORCE_TOKEN)), SALESFORCE_TOKEN)
    kids = [quoted(None if token is None else token.header.get("kid")), kids_of(expected.keys)]
    return [*before, *(_of_page(each, kids, right=right) for each in of_page)]


def _of_page(each: Finding, kids: Sequence[str], *, right: bool) -> Finding:
    """Say that a token of the page is meant, and that the environment is not the cause if its own tokens verify."""
    if each.check in ("page", "headers", "settings", "configuration"):
        return each
    if right and each.code == "salesforce-signature" and kids[0] != kids[1]:
        return finding("salesforce-signature", "page", got=kids[0], wanted=kids[1])
    at_fault = right and each.code.startswith("salesforce-") and each.check in _OF_THE_CONFIGURATION
    return replace(each, message=f"In the page: {each.message}", fix=_RIGHT_HERE if at_fault else each.fix)
