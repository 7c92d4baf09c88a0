"""What is wrong with a page: its settings, the tokens in them, its headers and its scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from fin_messenger_auth.errors import masked
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import is_lost
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.settings import API_BASES, RULES
from fin_messenger_auth.signers import MIN_SECRET_BYTES

from .findings import Finding, Level, finding
from .known import Known
from .literal_reader import SPREAD
from .page_policy import check_policies
from .page_reader import Page, PageSettings, read_page
from .token_checks import check_form, quoted
from .validity import is_in_milliseconds
from .verifying_key import VerifyingKey

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*")
_TOKENS = (INTERCOM, SALESFORCE)
_IDENTIFIES = ("user_id", "email")
_OF_OTHERS = frozenset({"app_id", "api_base", "region", "user_id", *_TOKENS})
_BY_HAND = frozenset({"window.intercomSettings", "Intercom('boot')", "npm", "script"})
_REDIRECT, _REFUSED = 300, 400  # the first status of each kind
_SIGNED_IN = (
    'This one is of an anonymous visitor. Give the session, `--cookie NAME=VALUE`, and `--user ID`; or `--user ""` if '
    "it should be anonymous."
)

# What a page is in place of one with settings, and what to do then.
_HOW = {
    "it is a page to sign in": "Give the cookie of a signed-in session: `--cookie NAME=VALUE`.",
    "its scripts get them from elsewhere": "Give the URL from which its scripts fetch the settings: `--page URL`.",
    "it is JSON without an app_id": "Answer with what `build_settings` returns, or give another URL: `--page URL`.",
}


@masked
def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Check the settings of a page, except for the tokens, which have checks of their own.

    Args:
        settings: The settings of the page, from ``build_settings`` or from another program.
    """
    return list(_wrong_with(settings))


def _wrong_with(settings: Mapping[str, object]) -> Iterator[Finding]:
    token, user_hash, user_id = settings.get(INTERCOM), settings.get("user_hash"), settings.get("user_id")
    jwts = [name for name, value in settings.items() if isinstance(value, str) and _JWT.fullmatch(value)]
    for name in set(jwts) - {*_TOKENS, "user_hash"}:
        message = f"{name} holds a JWT. The Messenger reads it as {INTERCOM} or {SALESFORCE} only."
        yield replace(finding("setting-unknown"), message=message)
    if "user_hash" in jwts:
        yield finding("token-user-hash", name="user_hash", wanted="no value", got="a JWT")
    elif user_hash is not None and not token:
        yield finding("token-user-hash", name=INTERCOM, wanted="a JWT", got="only a user_hash")
    elif user_hash is not None:
        yield finding("settings-user-hash")
    named = [name for name in _IDENTIFIES if settings.get(name) is not None]
    if named and not token:
        yield finding("settings-token-missing", where="", name=named[0])
    if user_id is None and (token or settings.get(SALESFORCE)):
        yield finding("page-not-anonymous", names=" and ".join(name for name in _TOKENS if settings.get(name)))
    if isinstance(user_id, str) and is_lost(user_id):
        yield finding("user-id-lost", claim="user_id in the settings")
    yield from _wrong_with_values(settings)


def _wrong_with_values(settings: Mapping[str, object]) -> Iterator[Finding]:
    parsed, _ = check_form(str(settings.get(INTERCOM)), INTERCOM)
    signed = {} if parsed is None else parsed.claims
    twice = [name for name in settings if name in signed and name not in _OF_OTHERS]
    yield from (finding("settings-signed-twice", name=repr(name)) for name in twice)
    if is_in_milliseconds(settings.get("created_at")):
        yield finding("token-milliseconds", claim="created_at in the settings")
    if "session_duration" in settings and not RULES["session_duration"].holds(settings["session_duration"]):
        message = f"session_duration: expected {RULES['session_duration'].expected}, in milliseconds."
        yield replace(finding("setting-invalid"), message=message, level=Level.WARNING)


@masked
def check_page(  # noqa: PLR0913 - one for each thing to compare with, all but the first by name
    document: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    secret: str | bytes | None = None,
    keys: Sequence[VerifyingKey] = (),
    issuer: str | None = None,
    audience: str | None = None,
    app_id: str | None = None,
    region: str | None = None,
    user_id: str | None = None,
    fin_managed: bool = False,
    now: float | None = None,
) -> list[Finding]:
    """Check a page of a site, or the answer of its endpoint, for everything that keeps a user from being verified.

    Finds the settings of ``render_snippet``, of a hand-written ``window.intercomSettings``,
    of ``Intercom('boot', …)``, of the npm package, of JSON in the page, and of a JSON endpoint. No finding contains a
    token or a personal value.

    Args:
        document: The HTML or the JSON.
        status: The status of the response, if it is known.
        headers: The headers of the response, if they are known.
        secret: The Messenger API Secret.
        keys: The public keys of the keyset.
        issuer: The keyset's issuer.
        audience: The expected ``aud``.
        app_id: The expected ID of the Intercom workspace.
        region: The expected region.
        user_id: The expected user; ``""`` for an anonymous visitor.
        fin_managed: Whether Fin makes the Salesforce token, so that the page must not carry one.
        now: The time, in Unix seconds; the machine's if left out.
    """
    page = read_page(document)
    raw = secret.encode() if isinstance(secret, str) else secret or b""
    known = Known(secret=raw, keys=keys, issuer=issuer, audience=audience)
    private = ["PRIVATE KEY-----", *([raw.decode(errors="replace")] if len(raw) >= MIN_SECRET_BYTES else [])]
    findings = [finding("page-secret")] if any(each in document for each in private) else []
    headers = None if headers is None else {name.lower(): value for name, value in headers.items()}
    if page.broken:
        return [*findings, finding("page-broken", why=page.broken)]
    merged: dict[str, object] = {}
    for each in page.settings:
        merged.update(each.values)
    if (status or 0) >= _REDIRECT or not any(each.names() for each in page.settings):
        return [*findings, _without_settings(page, document, status, headers or {})]
    unknown = {name for each in page.settings for name in each.unknown}
    unknown = (unknown | ({"user_id", *_TOKENS} if SPREAD in unknown else set())) - merged.keys()
    if page.twice:
        findings.append(finding("page-settings-twice"))
    if fin_managed and merged.pop(SALESFORCE, None):
        message = f"The page carries {SALESFORCE}, which Fin makes here."
        findings.append(replace(finding("issuer-fin"), check="page", message=message))
    if INTERCOM not in unknown:
        findings += check_settings(merged)
    findings += _check_updates(page)
    findings += _check_expected(merged, page.settings, app_id=app_id, region=region)
    findings += _check_user(merged, unknown, user_id)
    findings += known.check_tokens(merged, time.time() if now is None else now)
    if not fin_managed and merged.get(INTERCOM) and not merged.get(SALESFORCE) and SALESFORCE not in unknown:
        findings.append(finding("token-missing", token=SALESFORCE))
    findings += [
        finding("unchecked", what=f"{name} in the page, an expression,", how="Save the page as the browser has it.")
        for name in sorted(unknown & {"user_id", INTERCOM, *([] if fin_managed else [SALESFORCE])})
    ]
    if headers is not None:
        findings += _check_caching(headers, merged)
    policies = [] if headers is None else [headers.get("content-security-policy", "")]
    findings += check_policies(page, policies, str(merged.get("api_base") or API_BASES.get(region or "us")))
    if not page.calls_shutdown and any(each.source in _BY_HAND for each in page.settings):
        findings.append(finding("page-shutdown-missing"))
    return list(dict.fromkeys(findings))


def _without_settings(page: Page, document: str, status: int | None, headers: Mapping[str, str]) -> Finding:
    why, how = page.instead, _HOW.get(page.instead)
    if status is not None and status >= _REFUSED:
        why = f"it was answered with status {status}"
        how = _HOW["it is a page to sign in"] if status in (401, 403) else "Give the URL of a page that works."
    elif "location" in headers:
        target = urlsplit(headers["location"])._replace(query="", fragment="").geturl()
        why = f"it redirects to {quoted(target)}"
        how = f"Give that URL, `--page {target}`, or `--cookie NAME=VALUE` if the page needs a user."
        how = how if "://" in target else _HOW["it is a page to sign in"]
    elif not document.strip():
        why = "it is empty"
    how = how or "Put `render_snippet(build_settings(user))` at the end of <body>."
    return finding("page-settings-missing", why=f": {why}" if why else "", how=how)


def _check_updates(page: Page) -> list[Finding]:
    updates = [each for each in page.settings if each.source == "Intercom('update')"]
    missing = [each for each in updates if "user_id" in each.names() and not each.names() & {INTERCOM, SPREAD}]
    return [finding("settings-token-missing", where=" of Intercom('update')", name="user_id")] if missing else []


def _check_expected(
    settings: Mapping[str, object], found: Sequence[PageSettings], *, app_id: str | None, region: str | None
) -> list[Finding]:
    findings = []
    got = settings.get("app_id", settings.get("appId"))
    if app_id and got is not None and got != app_id:
        findings.append(finding("settings-differ", name="app_id", wanted=quoted(app_id), got=quoted(got)))
    name, default = ("api_base", API_BASES["us"])
    wanted: str | None = API_BASES.get(region or "")
    if found[-1].source == "npm" or "region" in settings:  # the npm package sets api_base itself
        name, default, wanted = "region", "us", region
    base = str(settings.get(name, default)).rstrip("/")
    if wanted is not None and API_BASES.get(base, base) != API_BASES.get(wanted, wanted):
        findings.append(finding("settings-differ", name=name, wanted=quoted(wanted), got=quoted(base)))
    return findings


def _check_user(settings: Mapping[str, object], unknown: set[str], wanted: str | None) -> list[Finding]:
    got = settings.get("user_id")
    personal = [name for name in (*_IDENTIFIES, *_TOKENS) if settings.get(name)]
    anonymous = got is None and not settings.get(INTERCOM) and not unknown & {"user_id", INTERCOM}
    if wanted is None:
        return [finding("unchecked", what="A page of a signed-in user", how=_SIGNED_IN)] if anonymous else []
    if wanted == "":
        return [finding("page-not-anonymous", names=" and ".join(personal))] if personal else []
    if anonymous:
        return [finding("page-anonymous")]
    return [finding("intercom-user-id-differs")] if got is not None and str(got) != wanted else []


def _check_caching(headers: Mapping[str, str], settings: Mapping[str, object]) -> list[Finding]:
    policy = headers.get("cache-control", "")
    how = "" if "no-store" in policy.lower() else f"its Cache-Control is {quoted(policy)}, without no-store"
    if (age := headers.get("age", "")).strip("0"):
        how = f"its header Age: {quoted(age)[1:-1]} says that this one comes from a cache"
    return [finding("page-cached", how=how)] if how and any(map(settings.get, _TOKENS)) else []
