"""Fetches and checks a page: its settings, the tokens in them, its headers and scripts, and what belongs to it."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from fin_messenger_auth._json_values import is_lost
from fin_messenger_auth._settings import API_BASES, RULES
from fin_messenger_auth._signers import MIN_SECRET_BYTES
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning

from ._expected import Expected
from ._findings import Finding, finding, finding_of, naming
from ._http import NoAnswerError, joined, origin_of, send
from ._page_reader import JWT, NEEDS_EXTRA, SPREAD, Page, decoded, read_page
from ._policy_checks import check_policies
from ._token_checks import check_form, is_in_milliseconds, quoted

_TOKENS = (INTERCOM_TOKEN, SALESFORCE_TOKEN)
_IDENTIFIES = ("user_id", "email")
_OF_OTHERS = frozenset({"app_id", "api_base", "region", "user_id", *_TOKENS})
_BY_HAND = frozenset({"window.intercomSettings", "Intercom('boot')", "npm", "script"})
_DATA = frozenset({"JSON", "data", "attribute"})  # of which a script makes what it likes
_PRIVATE_KEY = "PRIVATE KEY-----"
_MARK = "<fin-messenger-mark"
_REDIRECT, _REFUSED = 300, 400  # the first status of each kind
_HITS = ("x-cache", "cf-cache-status", "cache-status", "x-vercel-cache", "x-proxy-cache", "x-drupal-cache")
_OF_CDNS = re.compile(r".*cdn-cache-control|surrogate-control")


@dataclass(frozen=True, slots=True)
class Document:
    """A page, or the answer of an endpoint.

    Args:
        text: The HTML or the JSON.
        headers: The headers of the response; ``None`` if they are not known.
        status: The status of the response, likewise.
        url: The address that answered, after redirects within its origin; blank for a file.
        asked: The address that was asked for.
        target: Where the answer redirects to; blank if it does not.
        failure: Why there was no answer.
        role: ``page``, or, beside a page, its renewal ``script``, that script's ``endpoint``, or the page for
            ``nobody``.
        others: What was fetched beside a page.
    """

    text: str = field(repr=False)
    headers: Mapping[str, str] | None = None
    status: int | None = None
    url: str = ""
    asked: str = ""
    target: str = ""
    failure: str = ""
    role: str = "page"
    others: tuple[Document, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """The headers, by their names in lower case."""
        return {name.lower(): value for name, value in (self.headers or {}).items()}


_MODULE = "fin-messenger-auth"
_ASKS = {"X-Fin-Messenger": "1"}  # the header with which the module asks


def fetch_site(url: str, headers: Mapping[str, str], *, also_without_session: bool = False) -> Document:
    """Fetch a page, and once each, within its origin: its renewal script, the script's endpoint, the page for nobody.

    Args:
        url: The address of the page.
        headers: The headers to send, the session's cookie among them.
        also_without_session: Whether to fetch the page without the cookie, too.

    Returns:
        The page; :attr:`Document.failure` says why there is none.
    """
    page = _fetch(url, headers)
    others = [
        replace(_fetch(address, {**headers, **_ASKS} if role == "endpoint" else headers), role=role)
        for role, address in dict.fromkeys(_targets(page))
        if origin_of(address) == origin_of(page.url)
    ]
    without = {name: value for name, value in headers.items() if name.lower() not in ("cookie", "authorization")}
    if also_without_session and len(without) < len(headers):
        others.append(replace(_fetch(url, without), role="nobody"))
    return replace(page, others=tuple(others))


def _fetch(url: str, headers: Mapping[str, str]) -> Document:
    try:
        answer = send(url, headers)
    except NoAnswerError as error:
        return Document("", url=url, asked=url, failure=str(error))
    text = decoded(answer.body, answer.headers.get("content-type", ""))
    return Document(text, answer.headers, answer.status, url=answer.url, asked=url, target=answer.target)


def _targets(page: Document) -> Iterator[tuple[str, str]]:
    """Yield what the page's own renewal script is, and which endpoint it asks."""
    read = read_page(page.text)
    for module in read.imports:
        if _MODULE in module:
            yield "script", joined(page.url, module)
    for asked in read.requests:
        if any("startMessenger(" in source and asked in source for _, source in read.scripts):
            yield "endpoint", joined(page.url, asked)


_NOTHING = Expected()


def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Check the settings of a page, except for the tokens, which have checks of their own.

    Args:
        settings: The settings of the page, from ``build_settings`` or from another program.
    """
    return [*_wrong_with_users(settings), *_wrong_with_values(settings)]


def _wrong_with_users(settings: Mapping[str, object]) -> Iterator[Finding]:
    token, user_hash, user_id = settings.get(INTERCOM_TOKEN), settings.get("user_hash"), settings.get("user_id")
    jwts = [name for name, value in settings.items() if isinstance(value, str) and JWT.fullmatch(value)]
    if others := sorted(set(jwts) - {*_TOKENS, "user_hash"}):
        message = f"{' and '.join(others)}: the Messenger reads a JWT as {INTERCOM_TOKEN} or {SALESFORCE_TOKEN} only."
        yield finding_of(ConfigurationError(message, "setting-unknown"))
    if "user_hash" in jwts:
        yield finding("token-user-hash", name="user_hash", wanted="no value", got="a JWT")
    elif user_hash is not None and token in (None, ""):
        yield finding("token-user-hash", name=INTERCOM_TOKEN, wanted="a JWT", got="only a user_hash")
    elif user_hash is not None:
        message = f"The settings have a user_hash, which is deprecated, beside {INTERCOM_TOKEN}."
        yield finding_of(FinMessengerAuthWarning(message, "token-user-hash"))
    named = [name for name in _IDENTIFIES if settings.get(name) is not None]
    if named and token in (None, ""):
        yield finding("settings-token-missing", where="", name=named[0])
    if user_id is None and not token and settings.get(SALESFORCE_TOKEN):
        yield finding("page-not-anonymous", names=SALESFORCE_TOKEN)
    if isinstance(user_id, str) and is_lost(user_id):
        yield finding("user-id-lost", claim="user_id in the settings")


def _wrong_with_values(settings: Mapping[str, object]) -> Iterator[Finding]:
    signed = _signed(settings)
    twice = [name for name in settings if name in signed and name not in _OF_OTHERS]
    yield from (finding("settings-signed-twice", name=repr(name)) for name in twice)
    if is_in_milliseconds(settings.get("created_at")):
        yield finding("token-milliseconds", claim="created_at in the settings")
    if "session_duration" in settings and not RULES["session_duration"].holds(settings["session_duration"]):
        message = f"session_duration: expected {RULES['session_duration'].expected}, in milliseconds."
        yield finding_of(FinMessengerAuthWarning(message, "setting-invalid"))


def _signed(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the claims of the Intercom token, unverified; none if it cannot be read."""
    parsed, _ = check_form(str(settings.get(INTERCOM_TOKEN)), INTERCOM_TOKEN)
    return {} if parsed is None else parsed.claims


def _user_of(settings: Mapping[str, object]) -> object:
    """Return the user of a page: the ``user_id`` in the settings, or else the token's, which identifies alone."""
    return settings.get("user_id") or _signed(settings).get("user_id")


def check_page(document: Document, expected: Expected = _NOTHING, *, now: float | None = None) -> list[Finding]:
    """Check a page of a site, or the answer of its endpoint, for everything that keeps a user from being verified.

    Finds the settings of ``render_snippet``, of a hand-written ``window.intercomSettings``,
    of ``Intercom('boot', …)``, of the npm package, of JSON in the page, and of a JSON endpoint, which may answer with
    nothing but the token: ``{"token": …}`` or ``{"jwt": …}``. No finding contains a token or a personal value.

    Args:
        document: The page.
        expected: What its settings are compared with, and its tokens are verified with.
        now: The time, in Unix seconds; the machine's if left out.
    """
    with naming(secret=expected.secret.decode(errors="replace")):
        return check_site(document, read_page(document.text), expected, time.time() if now is None else now)


def check_site(document: Document, page: Page, expected: Expected, now: float) -> list[Finding]:
    """Do as :func:`check_page` does with a page that was read, and with what was fetched beside it."""
    found = [*_wrong_with_page(document, page, expected, now)]
    known = {each.code for each in found}
    for each in document.others:
        found += _wrong_beside(each, known, expected, now)
    return list(dict.fromkeys(found))


def _wrong_with_page(document: Document, page: Page, expected: Expected, now: float) -> Iterator[Finding]:
    if document.failure:
        missing = find_spec("urllib3") is None
        yield finding("unchecked", "extra") if missing else finding("page-unreachable", why=document.failure)
        return
    secret = expected.secret.decode(errors="replace")
    parts = [check_form(str(page.values.get(name)), name)[0] for name in _TOKENS]
    shown = "".join([document.text, *(json.dumps([each.header, each.claims]) for each in parts if each)])
    if _PRIVATE_KEY in shown or (len(secret) >= MIN_SECRET_BYTES and secret in shown):
        yield finding("page-secret")
    if _MARK in document.text:
        yield finding("page-mark")
    if page.broken:
        yield finding("page-broken", why=page.broken)
        return
    if page.stopped == NEEDS_EXTRA:
        yield finding("unchecked", "extra")
        return
    if page.stopped:
        yield finding("unchecked", "settings", check="page", what=f"What the page passes on ({page.stopped})")
        if not page.settings:
            return
    if (document.status or 0) >= _REDIRECT or not any(each.names() for each in page.settings):
        yield _without_settings(page, document)
        return
    yield from _wrong_with_what_it_passes(document, page, expected, now)


def _wrong_with_what_it_passes(document: Document, page: Page, expected: Expected, now: float) -> Iterator[Finding]:
    headers, settings = document.names, dict(page.values)
    copied = _of_a_cache(headers)
    if expected.fin_managed and settings.pop(SALESFORCE_TOKEN, None):
        yield finding("issuer-fin", "page")
    yield from _wrong_with_passing(page)
    users = {str(each) for each in (settings.get("user_id"), _signed(settings).get("user_id")) if each}
    other = bool(expected.user_id and users) and expected.user_id not in users
    if copied and other:  # whose page it is, follows from that
        yield _cached(headers, f"{copied}, and it is another user's")
    yield from _compare(page, settings, expected, copied, other=other and not copied)
    found = list(expected.check_tokens(settings, now))
    yield from (each for each in found if not (copied and each.code == "token-expired"))
    stored = _may_be_stored(headers)
    carries = document.headers is not None and any(map(settings.get, _TOKENS))
    if carries and (copied or stored) and not (copied and other):
        yield _cached(headers, copied or stored)
    api_base = str(settings.get("api_base") or API_BASES.get(expected.region or "us"))
    if page.scripts:
        yield from check_policies(page, headers.get("content-security-policy", ""), api_base)


def _wrong_beside(other: Document, known: set[str], expected: Expected, now: float) -> Iterator[Finding]:
    """Find what is wrong with what was fetched beside a page, and was not found in that."""
    path = quoted(urlsplit(other.asked).path)
    if other.role == "nobody":
        if _user_of(read_page(other.text).values) is not None:
            yield finding("page-cached", "nobody")
    elif other.role == "script":
        kind = other.names.get("content-type", "")
        if other.failure or (other.status or 0) >= _REDIRECT or "javascript" not in kind:
            got = other.failure or f"it is answered with status {other.status} and the Content-Type {quoted(kind)}"
            yield finding("page-script", path=path, got=got)
    else:
        for each in _wrong_with_page(other, read_page(other.text), expected, now):
            if each.code not in known and each.level != "unchecked":
                yield replace(each, message=f"In the answer of the settings endpoint, {path}: {each.message}")


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


def _without_settings(page: Page, document: Document) -> Finding:
    location = document.names.get("location", page.moved)
    if (document.status or 0) >= _REFUSED:
        kind = "refused" if document.status in (401, 403) else "status"
        return finding("page-settings-missing", kind, status=document.status)
    if not location and document.url != document.asked and page.instead in ("", "sign-in"):
        location = urlsplit(document.url).path
    if location:
        shown, target = (_without_query(each) for each in (location, document.target or joined(document.url, location)))
        given = shlex.quote(target) if "://" in target else "URL"
        return finding("page-settings-missing", "redirect", location=quoted(shown), given=given)
    return finding("page-settings-missing", page.instead if document.text.strip() else "empty")


def _without_query(url: str) -> str:
    """Return a URL without what may hold a token."""
    return re.split(r"[?#]", url, maxsplit=1)[0]


def _compare(
    page: Page, settings: Mapping[str, object], expected: Expected, kept: str, *, other: bool
) -> Iterator[Finding]:
    unknown, wanted = page.unknown, {INTERCOM_TOKEN} if expected.fin_managed else {*_TOKENS}
    if INTERCOM_TOKEN not in unknown:
        yield from check_settings(settings)
    yield from _compare_workspace(page, settings, expected)
    yield from _compare_user(settings, unknown, expected.user_id, kept, other=other)
    if page.settings[0].source == "token":
        wanted = {INTERCOM_TOKEN}  # the other comes another way
    if settings.get(INTERCOM_TOKEN) and SALESFORCE_TOKEN in wanted - unknown and not settings.get(SALESFORCE_TOKEN):
        yield finding("token-missing", token=SALESFORCE_TOKEN)
    if names := sorted(unknown & {"user_id", *wanted}):
        yield finding("unchecked", "settings", what=f"What comes from elsewhere in the page ({', '.join(names)})")


def _compare_workspace(page: Page, settings: Mapping[str, object], expected: Expected) -> Iterator[Finding]:
    got = settings.get("app_id", settings.get("appId"))
    lost = page.loaders and settings.get("app_id") is None and not page.unknown & {"app_id", SPREAD}
    if lost or (expected.app_id and got not in (None, expected.app_id)):
        wanted = quoted(expected.app_id or "the ID of the workspace")
        yield finding("settings-differ", name="app_id", wanted=wanted, got="nothing" if lost else quoted(got))
    if got is None:
        return  # the answer of an endpoint that says nothing of the workspace, or another script does
    name, default, base = "api_base", API_BASES["us"], API_BASES.get(expected.region or "")
    source = page.settings[-1].source
    if source == "npm" or ("region" in settings and source in _DATA):  # only the package's initialiser maps region
        name, default, base = "region", "us", expected.region
    used = str(settings.get(name, default)).rstrip("/")
    if base is not None and API_BASES.get(used, used) != API_BASES.get(base, base):
        yield finding("settings-differ", name=name, wanted=quoted(base), got=quoted(used))


def _compare_user(
    settings: Mapping[str, object], unknown: set[str], wanted: str | None, kept: str, *, other: bool
) -> Iterator[Finding]:
    personal = [name for name in (*_IDENTIFIES, *_TOKENS) if settings.get(name)]
    anonymous = settings.get("user_id") is None and not settings.get(INTERCOM_TOKEN)
    if anonymous and not unknown & {"user_id", INTERCOM_TOKEN} and wanted != "":
        if wanted is None:
            yield finding("unchecked", "anonymous")
        else:
            yield finding("page-anonymous", kept=f"; {kept}, which keeps one copy for everybody" if kept else "")
    elif personal and wanted == "":
        yield finding("page-not-anonymous", names=" and ".join(personal))
    elif other:
        yield finding("page-user-differs")


def _cached(headers: Mapping[str, str], how: str) -> Finding:
    """Return the finding of a page that a cache keeps, with the fix that the page does not follow already."""
    of_cdn = next(filter(_OF_CDNS.fullmatch, headers), "")
    forbidden = "no-store" in headers.get("cache-control", "").lower()
    return finding("page-cached", "cdn" if of_cdn else "rule" if forbidden else "", how=how, name=of_cdn)


def _may_be_stored(headers: Mapping[str, str]) -> str:
    """Say which header lets a cache keep the page; empty if none does. CDNs heed their own before Cache-Control."""
    for name, value in headers.items():
        if _OF_CDNS.fullmatch(name) and re.search(r"age=[1-9]", value):
            return f"its {name} is {quoted(value)}, which a CDN heeds before Cache-Control"
    policy = headers.get("cache-control", "")
    return "" if "no-store" in policy.lower() else f"its Cache-Control is {quoted(policy)}, without no-store"


def _of_a_cache(headers: Mapping[str, str]) -> str:
    """Say by what headers the page is surely a copy that a cache kept; empty if it need not be one."""
    for name, sign in (("age", "[1-9]"), *((name, r"(?i)\bhit\b") for name in _HITS)):
        if re.search(sign, headers.get(name, "")):
            return f"its header {name}: {quoted(headers[name])[1:-1]} says that this one comes from a cache"
    return ""
