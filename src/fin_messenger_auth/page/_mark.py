"""Makes the mark that a template puts into a page, and finds it again in the response, which fills it with scripts.

What a template renders may stand in a cache for everybody, so a mark contains display settings only. It begins with
``<``, which the escaped text of a visitor never does, and its MAC can be made by the processes of the site alone.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from fin_messenger_auth._settings import DISPLAY_SETTINGS, IDENTIFYING_SETTINGS, checked_settings
from fin_messenger_auth.errors import ConfigurationError

from ._snippet import Snippet

MARK_START = b"<fin-messenger-mark"
MARK_NAME = MARK_START[1:]
_MARK = re.compile(rb"<fin-messenger-mark\b[^<>]*>(?:<\\?/fin-messenger-mark>)?")
_LESS, _MORE = rb"(?:\\+u003c|&(?:lt|#60|#x3c);)", rb"(?:\\+u003e|&(?:gt|#62|#x3e);)"
_ESCAPED = re.compile(
    rb"(?i)%b(fin-messenger-mark id=[\w%%.~-]+)%b(?:%b/fin-messenger-mark%b)?" % (_LESS, _MORE, _LESS, _MORE)
)
_END = re.compile(rb"<\\?/fin-messenger-mark>")
_SIGNED = re.compile(r"([\w%.~-]*)\.([0-9a-f]{32})\b")
_LONGEST = 10_000  # bytes; what is longer and not closed is no mark


def make_mark(display: Mapping[str, object], secret: str | bytes, *, identify: str, settings: str) -> Snippet:
    """Return the mark of a page.

    Args:
        display: Display settings, see ``DISPLAY_SETTINGS``. An empty one counts as left out.
        secret: What all processes of the site share.
        identify: What a message calls the place for what is signed.
        settings: What a message calls the place for other public settings.

    Raises:
        ConfigurationError: A setting is not a display setting, is unknown or has the wrong type.
    """
    for name in display:
        if name == "extra" or name in IDENTIFYING_SETTINGS:
            raise ConfigurationError(
                f"{name}: a template's part of the page may stand in a cache. Sign it in {identify}, or return it from "
                f"{settings}, a function of the request.",
                "setting-reserved",
            )
    given = {name: value for name, value in display.items() if value not in (None, "")}
    checked = checked_settings(given, None, lambda _name: False)
    for name in checked:
        if name not in DISPLAY_SETTINGS:
            raise ConfigurationError(
                f"{name}: return it from {settings}, a function of the request.", "setting-reserved"
            )
    return _mark(quote(json.dumps(checked, sort_keys=True), safe="") if checked else "", secret)


def display_of(mark: bytes, secrets: Iterable[str | bytes] | None) -> dict[str, Any] | None:
    """Return the display settings of a mark; ``None`` if none of the secrets made it. Tests need no secret."""
    found = _read(mark, None if secrets is None else tuple(secrets))
    return None if found is None else dict(found)


@lru_cache(maxsize=256)  # a site has a few marks, on all of its pages
def _read(mark: bytes, secrets: tuple[str | bytes, ...] | None) -> dict[str, Any] | None:
    if (found := _SIGNED.search(mark.decode("ascii", "replace"))) is None:
        return None
    text, mac = found.groups()
    if secrets is not None and not any(hmac.compare_digest(_mac(text, each), mac) for each in secrets):
        return None
    display: dict[str, Any] = json.loads(unquote(text) or "{}")
    return display


def fill_marks(
    content: bytes, fill: Callable[[bytes], bytes], is_mark: Callable[[bytes], bool] = lambda _mark: False
) -> bytes:
    """Return the content with each mark replaced by what ``fill`` makes of it.

    Where ``is_mark`` knows one that was escaped with the text around it, such as in JSON in a page, it is removed.
    """
    first, is_escaped = len(content), False
    while (place := content.rfind(MARK_NAME, 0, first)) >= 0:  # faster than to search a whole page by a pattern
        first, is_escaped = place, is_escaped or content[place - 1 : place] not in (b"<", b"/")
    if is_escaped:
        content, first = _ESCAPED.sub(lambda found: b"" if is_mark(found[1]) else found[0], content), 1
    page, parts, end = memoryview(content), list[bytes | memoryview](), 0
    for found in _MARK.finditer(content, max(first - 1, 0)):
        parts += [page[end : found.start()], fill(found[0])]
        end = found.end()
    return b"".join([*parts, page[end:]])


class Uncut:
    """Puts content that comes in parts together again where a mark was cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> bytes:
        """Return what can be sent: no mark in it is cut."""
        content = self._rest + part
        start = content.rfind(MARK_START)
        if start < 0 or _END.search(content, start) or len(content) - start > _LONGEST:
            start = max(content.rfind(b"<", -len(MARK_START)), 0)
            if not MARK_START.startswith(content[start:]):
                start = len(content)
        self._rest = content[start:]
        return content[:start]

    def end(self) -> bytes:
        """Return the rest."""
        return self._rest


@lru_cache(maxsize=256)
def _mark(text: str, secret: str | bytes) -> Snippet:
    return Snippet(f"<fin-messenger-mark id={text}.{_mac(text, secret)}></fin-messenger-mark>")


def _mac(text: str, secret: str | bytes) -> str:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(key, f"fin-messenger-auth mark {text}".encode(), "sha256").hex()[:32]
