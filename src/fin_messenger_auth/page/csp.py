"""Content-Security-Policy: what a page with the Messenger must allow, as data.

Transcribed in November 2026 from *Using Intercom with Content Security Policy* (Intercom help, article
3894) and *Using Fin Messenger with Content Security Policy* (Fin help, article 12147553), which say the
same. By their note, a workspace needs only its own region's hosts; which hosts belong to a region is
read from their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.json_values import is_lost
from fin_messenger_auth.settings import Region

# Host by host, in the order of the articles. An empty region stands for all regions.
_SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "script-src": {
        "": ("https://app.intercom.io", "https://widget.intercom.io", "https://js.intercomcdn.com"),
    },
    "connect-src": {
        "": (
            "https://via.intercom.io",
            "https://api-ping.intercom.io",
            "https://*.intercom-messenger.com",
            "wss://*.intercom-messenger.com",
            "https://uploads.intercomusercontent.com",
        ),
        "us": (
            "https://api.intercom.io",
            "https://api-iam.intercom.io",
            "https://nexus-websocket-a.intercom.io",
            "wss://nexus-websocket-a.intercom.io",
            "https://nexus-websocket-b.intercom.io",
            "wss://nexus-websocket-b.intercom.io",
            "https://uploads.intercomcdn.com",
        ),
        "eu": (
            "https://api.eu.intercom.io",
            "https://api-iam.eu.intercom.io",
            "https://nexus-europe-websocket.intercom.io",
            "wss://nexus-europe-websocket.intercom.io",
            "https://uploads.intercomcdn.eu",
            "https://uploads.eu.intercomcdn.com",
        ),
        "ap": (
            "https://api.au.intercom.io",
            "https://api-iam.au.intercom.io",
            "https://nexus-australia-websocket.intercom.io",
            "wss://nexus-australia-websocket.intercom.io",
            "https://uploads.au.intercomcdn.com",
        ),
    },
    "child-src": {
        "": (
            "https://intercom-sheets.com",
            "https://www.intercom-reporting.com",
            "https://www.youtube.com",
            "https://player.vimeo.com",
            "https://fast.wistia.net",
        ),
    },
    "font-src": {"": ("https://js.intercomcdn.com", "https://fonts.intercomcdn.com")},
    "form-action": {
        "": ("https://intercom.help",),
        "us": ("https://api-iam.intercom.io",),
        "eu": ("https://api-iam.eu.intercom.io",),
        "ap": ("https://api-iam.au.intercom.io",),
    },
    "media-src": {
        "": ("https://js.intercomcdn.com",),
        "us": ("https://downloads.intercomcdn.com",),
        "eu": ("https://downloads.intercomcdn.eu",),
        "ap": ("https://downloads.au.intercomcdn.com",),
    },
    "img-src": {
        "": (
            "blob:",
            "data:",
            "https://js.intercomcdn.com",
            "https://uploads.intercomusercontent.com",
            "https://gifs.intercomcdn.com",
            "https://video-messages.intercomcdn.com",
            # Their names do not tell the region, so they are allowed in each.
            *[f"https://*.intercom-attachments-{number}.com" for number in range(1, 10)],
        ),
        "us": (
            "https://static.intercomassets.com",
            "https://downloads.intercomcdn.com",
            "https://messenger-apps.intercom.io",
        ),
        "eu": (
            "https://static.intercomassets.eu",
            "https://downloads.intercomcdn.eu",
            "https://messenger-apps.eu.intercom.io",
            "https://*.intercom-attachments.eu",
        ),
        "ap": (
            "https://static.au.intercomassets.com",
            "https://downloads.au.intercomcdn.com",
            "https://messenger-apps.au.intercom.io",
            "https://*.au.intercom-attachments.com",
        ),
    },
    "style-src": {"": ("'unsafe-inline'",)},
}

_REGIONS = {"us": ("us",), "eu": ("eu",), "ap": ("ap",), "au": ("ap",), None: ("us", "eu", "ap")}

_NONCE = re.compile(r"[A-Za-z0-9+/_-]{3,}={0,2}")  # base64-value, Content Security Policy Level 3 §2.3.1
_DIRECTIVE = re.compile(r"[a-z]+(-[a-z]+)+")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # visible ASCII, but for the comma and the semicolon, which end a source


def csp_sources(region: Region | None = None) -> dict[str, tuple[str, ...]]:
    """Return the sources that the Messenger needs, by directive.

    Add them to the page's own. Where ``script-src`` has a nonce and ``'strict-dynamic'``, browsers ignore its hosts,
    and the nonce of the snippet is enough.

    Args:
        region: Where Intercom keeps the workspace's data; all regions if left out.

    Raises:
        ConfigurationError: The region is unknown.
    """
    if region not in _REGIONS:
        raise ConfigurationError("region: expected us, eu, ap or au, or None for all of them.", "region-unknown")
    return {
        directive: tuple(source for each in ("", *_REGIONS[region]) for source in by_region.get(each, ()))
        for directive, by_region in _SOURCES.items()
    }


def strict_policy(
    nonce: object, *, region: Region | None = None, also: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return a whole Content-Security-Policy for a page with the Messenger: scripts by nonce, the rest by source.

    Args:
        nonce: The nonce of this response, the same as the snippet's.
        region: As for :func:`csp_sources`.
        also: Further sources of the page's own, by directive. ``'self'`` is in every list but ``script-src``.

    Raises:
        ConfigurationError: The nonce, the region, or a directive or a source of ``also`` is not valid.
    """
    directives = {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "script-src": [f"'nonce-{checked_nonce(nonce)}'", "'strict-dynamic'"],
    }
    for directive, sources in csp_sources(region).items():
        directives.setdefault(directive, ["'self'", *sources])
    for directive, more in (also or {}).items():
        allowed = directives.setdefault(directive, [])
        allowed.extend(_checked_sources(directive, more))
        if len(allowed) > 1 and "'none'" in allowed:
            allowed.remove("'none'")  # it counts only where it stands alone
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in directives.items())


def _checked_sources(directive: str, sources: Sequence[str]) -> Sequence[str]:
    if not _DIRECTIVE.fullmatch(directive):
        raise ConfigurationError("also: expected a directive such as img-src.")
    if isinstance(sources, str) or not all(_SOURCE.fullmatch(each) for each in sources):
        raise ConfigurationError(f"{directive}: expected a list of sources without whitespace, ',' and ';'.")
    return sources


def checked_nonce(nonce: object) -> str:
    """Return ``nonce`` as a string for an attribute and for the policy.

    Args:
        nonce: The nonce of this response; a lazy object, as Django's, is evaluated.

    Raises:
        ConfigurationError: It is not a base64 string of three characters or more (Content Security Policy Level 3
            §2.3.1), or looks like a stringified null.
    """
    text = str(nonce)
    if not (isinstance(nonce, str) and _NONCE.fullmatch(text)) or is_lost(text):
        raise ConfigurationError(
            "nonce: expected a base64 string, new for each response, such as secrets.token_urlsafe() returns.",
            "nonce-invalid",
        )
    return text
