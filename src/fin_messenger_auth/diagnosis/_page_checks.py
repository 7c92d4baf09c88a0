"""Checks a page: its settings, the tokens in them, its headers and its scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from fin_messenger_auth._json_values import is_lost
from fin_messenger_auth._settings import API_BASES, RULES
from fin_messenger_auth._signers import MIN_SECRET_BYTES
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning

from ._expected import Expected
from ._findings import Finding, finding, finding_of
from ._page_reader import SPREAD, Page, read_page
from ._policy_checks import check_policies
from ._token_checks import check_form, is_in_milliseconds, quoted

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*")
_TOKENS = (INTERCOM_TOKEN, SALESFORCE_TOKEN)
_IDENTIFIES = ("user_id", "email")
_OF_OTHERS = frozenset({"app_id", "api_base", "region", "user_id", *_TOKENS})
_BY_HAND = frozenset({"window.intercomSettings", "Intercom('boot')", "npm", "script"})
_PRIVATE_KEY = "PRIVATE KEY-----"
_REDIRECT, _REFUSED = 300, 400  # the first status of each kind
_SIGNED_IN = (
    'This one is of an anonymous visitor. Give the session, `--cookie NAME=VALUE`, and `--user ID`; or `--user ""` if '
    "it should be anonymous."
)

_STOPPED = (
    "Give the settings as the browser has them: run `JSON.stringify(window.intercomSettings)` in its console, and save "
    "what it prints for `--page FILE`."
)
_SIGN_IN = "Give the cookie of a signed-in session: `--cookie NAME=VALUE`."

# What a page is in place of one with settings, and what to do then.
_HOW = {
    "it is a page to sign in": _SIGN_IN,
    "its scripts get them from elsewhere": "Give the URL from which its scripts fetch the settings: `--page URL`.",
    "it is JSON without an app_id": "Answer with what `build_settings` returns, or give another URL: `--page URL`.",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A page, or the answer of an endpoint.

    Args:
        text: The HTML or the JSON.
        headers: The headers of the response; ``None`` if they are not known.
        status: The status of the response, likewise.
    """

    text: str = field(repr=False)
    headers: Mapping[str, str] | None = None
    status: int | None = None


_OLD = 300  # seconds from which a page's Date means that it was kept
_NOTHING = Expected()


def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Check the settings of a page, except for the tokens, which have checks of their own.

    Args:
        settings: The settings of the page, from ``build_settings`` or from another program.
    """
    return [*_wrong_with_users(settings), *_wrong_with_values(settings)]


def _wrong_with_users(settings: Mapping[str, object]) -> Iterator[Finding]:
    token, user_hash, user_id = settings.get(INTERCOM_TOKEN), settings.get("user_hash"), settings.get("user_id")
    jwts = [name for name, value in settings.items() if isinstance(value, str) and _JWT.fullmatch(value)]
    for name in set(jwts) - {*_TOKENS, "user_hash"}:
        message = f"{name} holds a JWT. The Messenger reads it as {INTERCOM_TOKEN} or {SALESFORCE_TOKEN} only."
        yield finding_of(ConfigurationError(message, "setting-unknown"))
    if "user_hash" in jwts:
        yield finding("token-user-hash", name="user_hash", wanted="no value", got="a JWT")
    elif user_hash is not None and not token:
        yield finding("token-user-hash", name=INTERCOM_TOKEN, wanted="a JWT", got="only a user_hash")
    elif user_hash is not None:
        message = f"The settings have a user_hash, which is deprecated, beside {INTERCOM_TOKEN}."
        yield finding_of(FinMessengerAuthWarning(message, "token-user-hash"))
    named = [name for name in _IDENTIFIES if settings.get(name) is not None]
    if named and not token:
        yield finding("settings-token-missing", where="", name=named[0])
    if user_id is None and (token or settings.get(SALESFORCE_TOKEN)):
        yield finding("page-not-anonymous", names=" and ".join(name for name in _TOKENS if settings.get(name)))
    if isinstance(user_id, str) and is_lost(user_id):
        yield finding("user-id-lost", claim="user_id in the settings")


def _wrong_with_values(settings: Mapping[str, object]) -> Iterator[Finding]:
    parsed, _ = check_form(str(settings.get(INTERCOM_TOKEN)), INTERCOM_TOKEN)
    signed = {} if parsed is None else parsed.claims
    twice = [name for name in settings if name in signed and name not in _OF_OTHERS]
    yield from (finding("settings-signed-twice", name=repr(name)) for name in twice)
    if is_in_milliseconds(settings.get("created_at")):
        yield finding("token-milliseconds", claim="created_at in the settings")
    if "session_duration" in settings and not RULES["session_duration"].holds(settings["session_duration"]):
        message = f"session_duration: expected {RULES['session_duration'].expected}, in milliseconds."
        yield finding_of(FinMessengerAuthWarning(message, "setting-invalid"))


def check_page(document: Document, expected: Expected = _NOTHING, *, now: float | None = None) -> list[Finding]:
    """Check a page of a site, or the answer of its endpoint, for everything that keeps a user from being verified.

    Finds the settings of ``render_snippet``, of a hand-written ``window.intercomSettings``,
    of ``Intercom('boot', …)``, of the npm package, of JSON in the page, and of a JSON endpoint. No finding contains a
    token or a personal value.

    Args:
        document: The page.
        expected: What its settings are compared with, and its tokens are verified with.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return list(dict.fromkeys(_wrong_with_page(document, expected, time.time() if now is None else now)))


def _wrong_with_page(document: Document, expected: Expected, now: float) -> Iterator[Finding]:
    page, headers = read_page(document.text), {name.lower(): value for name, value in (document.headers or {}).items()}
    secret, settings = expected.secret.decode(errors="replace"), page.values
    if _PRIVATE_KEY in document.text or (len(secret) >= MIN_SECRET_BYTES and secret in document.text):
        yield finding("page-secret")
    if page.broken:
        yield finding("page-broken", why=page.broken)
        return
    if page.stopped:
        yield finding("unchecked", check="page", what=f"What the page passes on ({page.stopped})", how=_STOPPED)
        if not page.settings:
            return
    if (document.status or 0) >= _REDIRECT or not any(each.names() for each in page.settings):
        yield _without_settings(page, document, headers)
        return
    if expected.fin_managed and settings.pop(SALESFORCE_TOKEN, None):
        message = f"The page carries {SALESFORCE_TOKEN}, which Fin makes here."
        yield replace(finding("issuer-fin", check="page"), message=message)
    yield from _wrong_with_passing(page)
    copied = _of_a_cache(headers, now)
    public = "its Cache-Control says public" if "public" in headers.get("cache-control", "").lower() else ""
    yield from _compare(page, settings, expected, copied or public)
    found = list(expected.check_tokens(settings, now))
    yield from (each for each in found if not (copied and each.code == "token-expired"))
    if document.headers is not None and any(map(settings.get, _TOKENS)):
        policy = headers.get("cache-control", "")
        if copied or "no-store" not in policy.lower():
            yield finding("page-cached", how=copied or f"its Cache-Control is {quoted(policy)}, without no-store")
    api_base = str(settings.get("api_base") or API_BASES.get(expected.region or "us"))
    yield from check_policies(page, headers.get("content-security-policy", ""), api_base)


def _wrong_with_passing(page: Page) -> Iterator[Finding]:
    """Find what is wrong with how a page passes its settings on."""
    if page.twice or len(page.loaders) > 1:
        yield finding("page-settings-twice")
    first_boot = page.calls.index("boot") if "boot" in page.calls else 0
    if "shutdown" in page.calls[:first_boot] and not page.names() & {"user_id", INTERCOM_TOKEN}:
        yield finding("page-shutdown-early")
    for each in page.settings:
        names = each.names()
        if each.source == "Intercom('update')" and "user_id" in names and not names & {INTERCOM_TOKEN, SPREAD}:
            yield finding("settings-token-missing", where=" of Intercom('update')", name="user_id")
    if not page.calls_shutdown and any(each.source in _BY_HAND for each in page.settings):
        yield finding("page-shutdown-missing")


def _without_settings(page: Page, document: Document, headers: Mapping[str, str]) -> Finding:
    why, how = page.instead, _HOW.get(page.instead)
    if document.status is not None and document.status >= _REFUSED:
        why = f"it was answered with status {document.status}"
        how = _SIGN_IN if document.status in (401, 403) else "Give the URL of a page that works."
    elif "location" in headers:
        target = urlsplit(headers["location"])._replace(query="", fragment="").geturl()
        why = f"it redirects to {quoted(target)}"
        how = f"Give that URL, `--page {target}`, or `--cookie NAME=VALUE` if the page needs a user."
        how = how if "://" in target else _SIGN_IN
    elif not document.text.strip():
        why = "it is empty"
    how = how or "Put `render_snippet(build_settings(user))` at the end of <body>."
    return finding("page-settings-missing", why=f": {why}" if why else "", how=how)


def _compare(page: Page, settings: Mapping[str, object], expected: Expected, kept: str) -> Iterator[Finding]:
    unknown, wanted = page.unknown, {INTERCOM_TOKEN} if expected.fin_managed else {*_TOKENS}
    if INTERCOM_TOKEN not in unknown:
        yield from check_settings(settings)
    yield from _compare_workspace(settings, expected, npm=page.settings[-1].source == "npm")
    yield from _compare_user(settings, unknown, expected.user_id, kept)
    if settings.get(INTERCOM_TOKEN) and SALESFORCE_TOKEN in wanted - unknown and not settings.get(SALESFORCE_TOKEN):
        yield finding("token-missing", token=SALESFORCE_TOKEN)
    for name in sorted(unknown & {"user_id", *wanted}):
        how = "Save the page as the browser has it."
        yield finding("unchecked", what=f"{name} in the page, an expression,", how=how)


def _compare_workspace(settings: Mapping[str, object], expected: Expected, *, npm: bool) -> Iterator[Finding]:
    got = settings.get("app_id", settings.get("appId"))
    if expected.app_id and got is not None and got != expected.app_id:
        yield finding("settings-differ", name="app_id", wanted=quoted(expected.app_id), got=quoted(got))
    name, default, wanted = "api_base", API_BASES["us"], API_BASES.get(expected.region or "")
    if npm or "region" in settings:  # the npm package sets api_base itself
        name, default, wanted = "region", "us", expected.region
    base = str(settings.get(name, default)).rstrip("/")
    if wanted is not None and API_BASES.get(base, base) != API_BASES.get(wanted, wanted):
        yield finding("settings-differ", name=name, wanted=quoted(wanted), got=quoted(base))


def _compare_user(
    settings: Mapping[str, object], unknown: set[str], wanted: str | None, kept: str
) -> Iterator[Finding]:
    got = settings.get("user_id")
    personal = [name for name in (*_IDENTIFIES, *_TOKENS) if settings.get(name)]
    anonymous = got is None and not settings.get(INTERCOM_TOKEN) and not unknown & {"user_id", INTERCOM_TOKEN}
    if anonymous and wanted is None:
        yield finding("unchecked", what="A page of a signed-in user", how=_SIGNED_IN)
    elif anonymous and wanted:
        yield finding("page-anonymous", kept=f"; {kept}, which keeps one copy for everybody" if kept else "")
    elif personal and wanted == "":
        yield finding("page-not-anonymous", names=" and ".join(personal))
    elif wanted and got is not None and str(got) != wanted:
        yield finding("page-user-differs")


def _of_a_cache(headers: Mapping[str, str], now: float) -> str:
    """Say by what headers the page is surely a copy that a cache kept; empty if it need not be one."""
    age, date = headers.get("age", ""), headers.get("date", "")
    if age.strip("0"):
        return f"its header Age: {quoted(age)[1:-1]} says that this one comes from a cache"
    with suppress(ValueError, OverflowError):
        if now - parsedate_to_datetime(date).timestamp() > _OLD:
            return f"its header Date: {quoted(date)[1:-1]} says that this one was kept"
    return ""
