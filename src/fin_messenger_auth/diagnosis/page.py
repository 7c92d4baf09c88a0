"""What is wrong with a page: its settings, the tokens in them, its headers and its scripts."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import cast
from urllib.parse import urlsplit

from fin_messenger_auth.errors import masked
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import is_lost
from fin_messenger_auth.page import csp_sources
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.settings import API_BASES, Region

from .findings import Finding, finding
from .intercom_token import check_intercom_token
from .page_reader import Page, PageSettings, read_page
from .salesforce_token import check_pair, check_salesforce_token
from .token_checks import check_form, quoted
from .verifying_key import VerifyingKey

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*")
_PERSONAL = ("user_id", "email", INTERCOM, SALESFORCE)
_OF_OTHERS = frozenset({"app_id", "api_base", "region", "user_id", INTERCOM, SALESFORCE})


@masked
def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Check the settings of a page, except for the tokens, which have checks of their own.

    Args:
        settings: The settings of the page, from ``build_settings`` or from another program.
    """
    token, user_hash, user_id = settings.get(INTERCOM), settings.get("user_hash"), settings.get("user_id")
    findings = []
    if user_id is not None and not token:
        findings.append(finding("settings-token-missing"))
    if user_id is None and (token or settings.get(SALESFORCE)):
        findings.append(
            finding(
                "page-not-anonymous", names=" and ".join(name for name in (INTERCOM, SALESFORCE) if settings.get(name))
            )
        )
    if isinstance(user_id, str) and is_lost(user_id):
        findings.append(finding("user-id-lost", claim="user_id in the settings"))
    if isinstance(user_hash, str) and _JWT.fullmatch(user_hash):
        findings.append(finding("token-user-hash", name="user_hash", wanted="no value", got="a JWT"))
    elif user_hash is not None and token:
        findings.append(finding("settings-user-hash"))
    parsed = check_form(token, INTERCOM)[0] if isinstance(token, str) else None
    if parsed is not None:
        twice = [name for name in settings if name in parsed.claims and name not in _OF_OTHERS]
        findings += [finding("settings-signed-twice", name=repr(name)) for name in twice]
    return findings


@masked
def check_page(  # noqa: PLR0913 - one for each thing to compare with, all but the first by name
    document: str,
    *,
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
    of ``Intercom('boot', …)``, of the npm package, and of a JSON endpoint. No finding contains a token or a personal
    value.

    Args:
        document: The HTML or the JSON.
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
    if page.broken:
        return [finding("page-broken")]
    if not page.settings:
        return [finding("page-settings-missing")]
    merged: dict[str, object] = {}
    for each in page.settings:
        merged.update(each.values)
    unknown = {name for each in page.settings for name in each.unknown} - merged.keys()
    moment = time.time() if now is None else now
    findings = [finding("issuer-fin")] if fin_managed and merged.pop(SALESFORCE, None) else []
    findings += check_settings(merged) if INTERCOM not in unknown else []
    findings += _check_expected(merged, page.settings, app_id=app_id, region=region)
    findings += _check_user(merged, user_id)
    findings += _check_tokens(merged, secret=secret, keys=keys, issuer=issuer, audience=audience, now=moment)
    if not fin_managed and merged.get(INTERCOM) and not merged.get(SALESFORCE) and SALESFORCE not in unknown:
        findings.append(finding("token-missing", token=SALESFORCE))
    findings += [
        finding("unchecked", what=f"{name} in the page, an expression,", how="Save the page as the browser has it.")
        for name in sorted(unknown & {"user_id", INTERCOM, SALESFORCE})
    ]
    if headers is not None:
        findings += _check_headers(page, {name.lower(): value for name, value in headers.items()}, merged, region)
    if _needs_shutdown(page):
        findings.append(finding("page-shutdown-missing"))
    return list(dict.fromkeys(findings))


def _check_expected(
    settings: Mapping[str, object], found: Sequence[PageSettings], *, app_id: str | None, region: str | None
) -> list[Finding]:
    findings = []
    got = settings.get("app_id", settings.get("appId"))
    if app_id and got is not None and got != app_id:
        findings.append(finding("settings-differ", name="app_id", wanted=quoted(app_id), got=quoted(got)))
    wanted, name = API_BASES.get(region or ""), "api_base"
    base = settings.get("api_base", API_BASES["us"])
    if found[-1].source == "npm" or "region" in settings:  # the npm package sets api_base itself
        name, base = "region", API_BASES.get(str(settings.get("region", "us")))
    if wanted is not None and str(base).rstrip("/") != wanted:
        findings.append(finding("settings-differ", name=name, wanted=quoted(wanted), got=quoted(base)))
    return findings


def _check_user(settings: Mapping[str, object], wanted: str | None) -> list[Finding]:
    got = settings.get("user_id")
    if wanted is None:
        return []
    if wanted == "":
        personal = [name for name in _PERSONAL if settings.get(name)]
        return [finding("page-not-anonymous", names=" and ".join(personal))] if personal else []
    if got is None and not settings.get(INTERCOM):
        return [finding("page-anonymous")]
    return [finding("intercom-user-id-differs")] if got is not None and str(got) != wanted else []


def _check_tokens(  # noqa: PLR0913 - one for each thing to compare with, all but the first by name
    settings: Mapping[str, object],
    *,
    secret: str | bytes | None,
    keys: Sequence[VerifyingKey],
    issuer: str | None,
    audience: str | None,
    now: float,
) -> list[Finding]:
    intercom, salesforce = settings.get(INTERCOM), settings.get(SALESFORCE)
    beside = settings.get("user_id")
    findings: list[Finding] = []
    if intercom is not None:
        user_id = None if beside is None else str(beside)
        findings += check_intercom_token(str(intercom), secret=secret, user_id=user_id, now=now)
    if salesforce is not None:
        findings += check_salesforce_token(str(salesforce), keys=keys, issuer=issuer, audience=audience, now=now)
    if intercom is not None and salesforce is not None:
        findings += check_pair(str(intercom), str(salesforce))
    return findings


def _needs_shutdown(page: Page) -> bool:
    by_hand = {"window.intercomSettings", "Intercom('boot')", "npm", "script"}
    return any(each.source in by_hand for each in page.settings) and not page.calls_shutdown


def _check_headers(
    page: Page, headers: Mapping[str, str], settings: Mapping[str, object], region: str | None
) -> list[Finding]:
    findings = []
    carries_tokens = bool(settings.get(INTERCOM) or settings.get(SALESFORCE))
    if carries_tokens and "no-store" not in headers.get("cache-control", "").lower():
        findings.append(finding("page-cached", got=quoted(headers.get("cache-control", ""))))
    policies = [headers["content-security-policy"]] if "content-security-policy" in headers else []
    for policy in [*policies, *page.policies]:
        findings += _check_policy(page, policy, str(settings.get("api_base") or API_BASES.get(region or "us")))
    return findings


def _check_policy(page: Page, policy: str, api_base: str) -> list[Finding]:
    directives = {words[0].lower(): words[1:] for words in (each.split() for each in policy.split(";")) if words}
    scripts = directives.get("script-src-elem", directives.get("script-src", directives.get("default-src")))
    connects = directives.get("connect-src", directives.get("default-src"))
    blocked = []
    if scripts is not None and page.settings[0].source != "JSON":
        blocked += [
            "the inline script with the settings (script-src has neither its nonce nor its hash)"
            for nonce, source in page.scripts
            if any(each in source for each in ("app_id", "appId")) and not _allows_inline(scripts, nonce, source)
        ]
        if "'strict-dynamic'" not in scripts:
            blocked += [f"{host} (script-src)" for host in csp_sources()["script-src"] if not _allows(scripts, host)]
    if connects is not None:
        region = next((name for name, base in API_BASES.items() if base == api_base), None)
        wanted = [api_base] if region is None else csp_sources(cast("Region", region))["connect-src"]
        blocked += [f"{host} (connect-src)" for host in wanted if not _allows(connects, host)]
    return [finding("page-csp", what=what) for what in blocked[:1]]


def _allows_inline(sources: Sequence[str], nonce: str | None, script: str) -> bool:
    digest = b64encode(sha256(script.encode(errors="replace")).digest()).decode()
    if f"'nonce-{nonce}'" in sources or f"'sha256-{digest}'" in sources:
        return True
    restricted = any(each.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for each in sources)
    return "'unsafe-inline'" in sources and not restricted and "'strict-dynamic'" not in sources


def _allows(sources: Sequence[str], url: str) -> bool:
    """Tell whether a list of sources allows a URL: by scheme, host, or a wildcard for subdomains."""
    wanted = urlsplit(url)
    for source in sources:
        if source in ("*", f"{wanted.scheme}:"):
            return True
        scheme, _, host = source.rpartition("://")
        host = host.split("/")[0].split(":")[0].lower()
        same_scheme = not scheme or scheme in (wanted.scheme, {"wss": "https"}.get(wanted.scheme))
        name = wanted.hostname or ""
        if same_scheme and (host == name or (host.startswith("*.") and name.endswith(host[1:]))):
            return True
    return False
