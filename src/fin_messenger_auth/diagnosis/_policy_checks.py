"""Checks what a page's Content-Security-Policy blocks of the Messenger (CSP Level 3)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256, sha384, sha512
from typing import cast

from fin_messenger_auth._settings import API_BASES, Region
from fin_messenger_auth.page._csp import vendor_sources

from ._findings import Finding, finding
from ._http import origin_of
from ._page_reader import Page

_HASHES = {"sha256": sha256, "sha384": sha384, "sha512": sha512}
_KEPT = ("'nonce-", *(f"'{name}-" for name in _HASHES))
_SETTINGS = ("app_id", "appId", "startMessenger(")
_PORTS = {"https": "443", "wss": "443", "http": "80", "ws": "80"}


def check_policies(page: Page, header: str, api_base: str) -> list[Finding]:
    """Return everything that the policies block, those of the header and those in the page, as one finding."""
    region = next((name for name, base in API_BASES.items() if base == api_base), None)
    hosts: dict[str, Sequence[str]] = {
        "script-src": vendor_sources()["script-src"],
        "connect-src": [api_base] if region is None else vendor_sources(cast("Region", region))["connect-src"],
    }
    blocked = [what for policy in (*header.split(","), *page.policies) for what in _blocked(page, policy, hosts)]
    if not blocked:
        return []
    return [finding("page-csp", what="; ".join(dict.fromkeys(blocked)), region=region or "us")]


def _blocked(page: Page, policy: str, hosts: dict[str, Sequence[str]]) -> Iterator[str]:
    directives = _directives(policy)

    def sources(name: str) -> Sequence[str] | None:
        return next((directives[each] for each in (f"{name}-elem", name, "default-src") if each in directives), None)

    if "sandbox" in directives and "allow-scripts" not in directives["sandbox"]:
        yield "every script (sandbox, without allow-scripts)"
    scripts, styles = sources("script-src"), sources("style-src")
    for nonce, source in page.scripts:
        if any(each in source for each in _SETTINGS) and not _allows_inline(scripts, nonce, source):
            yield "the inline script with the settings (script-src has neither its nonce nor its hash)"
    for name, wanted in hosts.items():
        listed = sources(name)
        if listed is None or (name == "script-src" and "'strict-dynamic'" in listed):
            continue
        if lost := [host for host in wanted if not _allows(listed, host)]:
            yield f"{', '.join(lost)} ({name})"
    if not _allows_inline(styles, None, ""):
        ignored = styles is not None and "'unsafe-inline'" in styles
        because = "browsers ignore 'unsafe-inline' beside a nonce or a hash" if ignored else "it lacks 'unsafe-inline'"
        yield f"the Messenger's inline styles (style-src: {because})"
    if "require-trusted-types-for" in directives and not any("createPolicy" in source for _, source in page.scripts):
        yield "the address of the widget's script, a plain string (require-trusted-types-for)"


def _directives(policy: str) -> dict[str, Sequence[str]]:
    directives: dict[str, Sequence[str]] = {}
    for name, *words in filter(None, (each.split() for each in policy.split(";"))):
        directives.setdefault(name.lower(), [_plain(each) for each in words])  # of one name, the first counts
    return directives


def _plain(source: str) -> str:
    """Return a keyword in lower case; hosts are compared so in any case, and nonces and hashes as they are."""
    return source if source.lower().startswith(_KEPT) else source.lower()


def _allows_inline(sources: Sequence[str] | None, nonce: str | None, text: str) -> bool:
    if sources is None:
        return True
    encoded = text.encode(errors="replace")
    hashes = [f"'{name}-{b64encode(make(encoded).digest()).decode()}'" for name, make in _HASHES.items()]
    if f"'nonce-{nonce}'" in sources or any(each in sources for each in hashes):
        return True
    restricted = any(each.startswith(_KEPT) for each in sources)
    return "'unsafe-inline'" in sources and not restricted and "'strict-dynamic'" not in sources


def _allows(sources: Sequence[str], url: str) -> bool:
    """Tell whether a list of sources allows a host (§6.7.2.8): a wildcard stands for whole labels."""
    wanted, host, _ = origin_of(url)
    for source in map(str.lower, sources):
        scheme, mark, rest = source.rpartition("://")
        if source in ("*", f"{wanted}:", f"{wanted.removesuffix('s')}:"):
            return True
        name, _, port = rest.split("/")[0].partition(":")
        same_scheme = not mark or scheme in (wanted, wanted.removesuffix("s"))  # `http:` allows `https:`, too
        same_port = not port or port == "*" or port == _PORTS.get(wanted)
        same_host = name == host or (name.startswith("*.") and host.endswith(name[1:]))
        if same_scheme and same_port and same_host:
            return True
    return False
