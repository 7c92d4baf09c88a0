"""Names what a page's Content-Security-Policy blocks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import cast
from urllib.parse import urlsplit

from fin_messenger_auth._settings import API_BASES, Region
from fin_messenger_auth.page._csp import vendor_sources

from ._findings import Finding, finding
from ._page_reader import Page


def check_policies(page: Page, header: str, api_base: str) -> list[Finding]:
    """Return the first thing that each policy blocks: those of the header, and those in the page."""
    blocked = [next(_blocked(page, policy, api_base), None) for policy in (*header.split(","), *page.policies)]
    return [finding("page-csp", what=what) for what in dict.fromkeys(blocked) if what is not None]


def _blocked(page: Page, policy: str, api_base: str) -> Iterator[str]:
    directives = {words[0].lower(): words[1:] for words in (each.split() for each in policy.split(";")) if words}
    scripts = directives.get("script-src-elem", directives.get("script-src", directives.get("default-src")))
    connects = directives.get("connect-src", directives.get("default-src"))
    if scripts is not None and page.settings[0].source != "JSON":
        for nonce, source in page.scripts:
            if any(each in source for each in ("app_id", "appId")) and not _allows_inline(scripts, nonce, source):
                yield "the inline script with the settings (script-src has neither its nonce nor its hash)"
        if "'strict-dynamic'" not in scripts:
            yield from (f"{host} (script-src)" for host in vendor_sources()["script-src"] if not _allows(scripts, host))
    if connects is not None:
        region = next((name for name, base in API_BASES.items() if base == api_base), None)
        wanted = [api_base] if region is None else vendor_sources(cast("Region", region))["connect-src"]
        yield from (f"{host} (connect-src)" for host in wanted if not _allows(connects, host))


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
