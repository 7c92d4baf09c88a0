"""Lists what a page's Content-Security-Policy must allow. The sources are data, in ``csp.json``.

They were transcribed in November 2026 from Intercom help article 3894 and Fin help article 12147553, which agree. Which
hosts belong to a region is read from their names. Hosts of ``img-src`` whose names do not tell are allowed everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from functools import cache

from fin_messenger_auth._json_values import is_lost
from fin_messenger_auth._settings import Region
from fin_messenger_auth.errors import ConfigurationError

VARIABLE = "FIN_MESSENGER_WIDGET_BASE"  # names the sandbox: http://127.0.0.1:8765/widget/, as `sandbox` prints it
LOOPBACK = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"  # an origin on this machine, as a pattern

_REGIONS = {"us": ("us",), "eu": ("eu",), "ap": ("ap",), "au": ("ap",), None: ("us", "eu", "ap")}

_NONCE = re.compile(r"[A-Za-z0-9+/_-]{3,}={0,2}")  # base64-value, Content Security Policy Level 3 §2.3.1
_DIRECTIVE = re.compile(r"[a-z]+(-[a-z]+)+")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # visible ASCII, but for the comma and the semicolon, which end a source


def csp_sources(region: Region | None = None) -> dict[str, tuple[str, ...]]:
    """Return the sources that the Messenger needs, by directive.

    Add them to the page's own. Where ``script-src`` has a nonce and ``'strict-dynamic'``, browsers ignore its hosts,
    and the nonce of the snippet is enough. While ``FIN_MESSENGER_WIDGET_BASE`` is set, the sandbox is among them.

    Args:
        region: Where Intercom keeps the workspace's data; all regions if left out.

    Raises:
        ConfigurationError: The region is unknown, or the address of the sandbox is not valid.
    """
    if region not in tuple(_REGIONS):
        raise ConfigurationError("region: expected us, eu, ap or au, or None for all of them.", "region-unknown")
    sandbox = (development_widget() or ("",))[1:]
    return {
        directive: (*sources, *(sandbox if directive in ("script-src", "connect-src") else ()))
        for directive, sources in vendor_sources(region).items()
    }


@cache
def vendor_sources(region: Region | None = None) -> dict[str, tuple[str, ...]]:
    """Return the sources of ``csp.json``, without the sandbox."""
    with open(os.path.join(os.path.dirname(__file__), "csp.json"), "rb") as file:
        directives = json.load(file)
    return {
        directive: tuple(source for each in ("all", *_REGIONS[region]) for source in by_region.get(each, ()))
        for directive, by_region in directives.items()
    }


def strict_policy(
    nonce: object, *, region: Region | None = None, also: Mapping[str, Collection[str]] | None = None
) -> str:
    """Return a whole Content-Security-Policy for a page with the Messenger: scripts by nonce, the rest by source.

    Args:
        nonce: The nonce of this response, the same as the snippet's.
        region: As for :func:`csp_sources`.
        also: Further sources of the page's own, by directive. ``'self'`` is in every list but ``script-src``. With
            ``require-trusted-types-for``, the scripts' own policy for the widget's address is allowed by its name.

    Raises:
        ConfigurationError: The nonce, the region, or a directive or a source of ``also`` is not valid.
    """
    directives = {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        **{directive: ["'self'", *sources] for directive, sources in csp_sources(region).items()},
        "script-src": [f"'nonce-{checked_nonce(nonce)}'", "'strict-dynamic'"],
    }
    if not isinstance(also, Mapping | None):
        raise ConfigurationError(f"also: expected a mapping of directives to sources, got {type(also).__name__}.")
    if not {"require-trusted-types-for", "trusted-types"}.isdisjoint(also or {}):
        directives["trusted-types"] = ["fin-messenger-auth", "'allow-duplicates'"]  # the snippet's and the module's
    for directive, more in (also or {}).items():
        if not _DIRECTIVE.fullmatch(str(directive)):
            raise ConfigurationError("also: expected a directive such as img-src.")
        given = more if isinstance(more, Collection) and not isinstance(more, str) else [None]
        if not all(isinstance(each, str) and _SOURCE.fullmatch(each) for each in given):
            raise ConfigurationError(f"{directive}: expected a list of sources without whitespace, ',' and ';'.")
        allowed = [*directives.get(directive, ()), *more]
        # 'none' counts only where it stands alone
        directives[directive] = [each for each in allowed if each != "'none'"] or allowed
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in directives.items())


def checked_nonce(nonce: object) -> str:
    """Return ``nonce`` as a string, also a lazy one, if it is a base64 string (Content Security Policy §2.3.1)."""
    text = str(nonce) if isinstance(nonce, str) else ""
    if not _NONCE.fullmatch(text) or is_lost(text):
        raise ConfigurationError(
            "nonce: expected a base64 string, new for each response, such as secrets.token_urlsafe(16) returns.",
            "nonce-invalid",
        )
    return text


def development_widget() -> tuple[str, str] | None:
    """Return the base and the origin of the sandbox's widget; ``None`` if the variable is not set."""
    base = os.environ.get(VARIABLE, "")
    if not base.strip():
        return None
    match = re.fullmatch(rf"({LOOPBACK})/[\w/-]*", base)
    if match is None:
        raise ConfigurationError(f"{VARIABLE}: expected the sandbox on this machine, as http://127.0.0.1:8765/widget/.")
    return base, match[1]
