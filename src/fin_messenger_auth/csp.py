"""Content-Security-Policy: what a page with the Messenger must allow, as data.

Transcribed in November 2026 from *Using Intercom with Content Security Policy* (Intercom help, article
3894) and *Using Fin Messenger with Content Security Policy* (Fin help, article 12147553), which say the
same. By their note, a workspace needs only its own region's hosts; which hosts belong to a region is
read from their names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .settings import Region

# Host by host, in the order of the articles. An empty region means: needed in every region.
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
            # Their names tell no region, so they are allowed in each: too many rather than a broken picture.
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

_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")  # base64-value, Content Security Policy Level 3 §2.3.1
_DIRECTIVE = re.compile(r"[a-z]+(-[a-z]+)+")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # visible ASCII, but for the comma and the semicolon, which end a source


def csp_sources(region: Region | None = None) -> dict[str, tuple[str, ...]]:
    """Return the sources that the Messenger needs, by directive.

    They come on top of the page's own. Where ``script-src`` has a nonce and ``'strict-dynamic'`` its hosts are
    ignored by the browser, and the nonce on the snippet is enough.

    Args:
        region: Where Intercom keeps the workspace's data; all regions if left out.

    Raises:
        ConfigurationError: There is no such region.
    """
    if region not in _REGIONS:
        raise ConfigurationError("The region must be one of us, eu, ap, au, or None for all of them.")
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
        ConfigurationError: The nonce is no base64 text; there is no such region; a directive or a source
            of ``also`` is none.
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
        raise ConfigurationError("A directive of the policy is a word such as img-src.")
    if isinstance(sources, str) or not all(_SOURCE.fullmatch(each) for each in sources):
        raise ConfigurationError(f"The sources of {directive} are a list of texts without blanks, ',' and ';'.")
    return sources


def checked_nonce(nonce: object) -> str:
    """Return ``nonce`` as a text that can stand in an attribute and in the policy.

    Args:
        nonce: The nonce of this response; a lazy object, as Django's, is evaluated.

    Raises:
        ConfigurationError: It is no base64 text, as the policy's grammar wants it.
    """
    text = str(nonce)
    if not (isinstance(nonce, str) and _NONCE.fullmatch(text)):
        raise ConfigurationError(
            "A nonce is base64 text, made anew for each response, as secrets.token_urlsafe makes it."
        )
    return text
