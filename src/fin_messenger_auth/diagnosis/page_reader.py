"""The Messenger's settings in a page, however the page passes them on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fin_messenger_auth.errors import masked
from fin_messenger_auth.json_values import read_json

from .literal_reader import UNKNOWN, read_literal

MAX_LENGTH = 2_000_000
"""Characters of a page that are read."""

_MAX_CANDIDATES = 400
_CANDIDATE = re.compile(r"(?:[=(,:]|\breturn)\s*(?=\{)")
_PROPERTY = re.compile(r"""intercomSettings(?:\.([A-Za-z_]\w*)|\[\s*["']([^"'\]]+)["']\s*\])\s*=(?!=)""")
_CALL = re.compile(r"""\bIntercom\(\s*["'](boot|update)["']\s*,\s*$""")
_OURS = "fin-messenger-auth"
_IDS = ("app_id", "appId")


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Settings that a page passes to the Messenger.

    Attributes:
        source: How: ``snippet`` (of this library), ``window.intercomSettings``, ``Intercom('boot')``,
            ``Intercom('update')``, ``npm``, or ``JSON`` for the answer of an endpoint.
        values: The settings that are written out.
        unknown: The names of the settings whose values are expressions.
    """

    source: str
    values: dict[str, Any] = field(repr=False)
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class Page:
    """A page, as far as it matters here.

    Attributes:
        settings: The settings in it, in order.
        scripts: The inline scripts: nonce, or ``None``, and source.
        policies: The policies of its ``<meta http-equiv="Content-Security-Policy">`` elements.
        broken: Whether a script with settings in it ends inside a string.
    """

    settings: list[PageSettings] = field(default_factory=list)
    scripts: list[tuple[str | None, str]] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    broken: bool = False

    @property
    def calls_shutdown(self) -> bool:
        """Whether a script in the page calls ``shutdown``."""
        return any("shutdown" in source for _, source in self.scripts)


def read_page(document: str) -> Page:
    """Read a page, or the JSON answer of an endpoint.

    Args:
        document: The whole document. What lies beyond :data:`MAX_LENGTH` is not read.
    """
    document = document[:MAX_LENGTH]
    page = Page()
    if document.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        page.settings += _in_json(document)
        return page
    parser = _Parser(page)
    parser.feed(document)
    parser.close()
    for _, source in page.scripts:
        _read_script(page, source)
    return page


@masked
def settings_in_page(document: str) -> list[PageSettings]:
    """Return the settings that a page passes to the Messenger, in order.

    Args:
        document: The whole document: HTML, or the JSON answer of an endpoint.
    """
    return read_page(document).settings


class _Parser(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self._nonce: str | None = None
        self._script: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and "src" not in values:
            self._nonce, self._script = values.get("nonce"), []
        if tag == "meta" and (values.get("http-equiv") or "").lower() == "content-security-policy":
            self._page.policies.append(values.get("content") or "")

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            self._page.scripts.append((self._nonce, "".join(self._script)))
            self._script = None


def _in_json(document: str) -> list[PageSettings]:
    try:
        value = read_json(document)
    except ValueError:
        return []
    inside = [value, *value.values()] if isinstance(value, dict) else []
    return [PageSettings("JSON", each) for each in inside if isinstance(each, dict) and "app_id" in each][:1]


def _read_script(page: Page, source: str) -> None:
    if not any(each in source for each in _IDS):
        return
    end = 0
    for found in list(_CANDIDATE.finditer(source))[:_MAX_CANDIDATES]:
        if found.end() < end:
            continue  # inside an object that was read
        try:
            value, after = read_literal(source, found.end())
        except ValueError as error:
            page.broken |= "string" in str(error) and any(each in source[found.end() :] for each in _IDS)
            continue
        if isinstance(value, dict) and any(each in value for each in _IDS):
            page.settings.append(_page_settings(value, source, found))
            end = after
    _read_properties(page, source)


def _page_settings(value: dict[str, Any], source: str, found: re.Match[str]) -> PageSettings:
    unknown = tuple(name for name, each in value.items() if each is UNKNOWN)
    known = {name: each for name, each in value.items() if each is not UNKNOWN}
    return PageSettings(_source_of(source, found), known, unknown)


def _source_of(source: str, found: re.Match[str]) -> str:
    before = source[max(0, found.start() - 80) : found.end()]
    if call := _CALL.search(before):
        return f"Intercom('{call[1]}')"
    if re.search(r"\bintercomSettings\s*=\s*$", before):
        return "window.intercomSettings"
    if _OURS in source:
        return "snippet"
    if re.search(r"\b(?:Intercom|boot|update)\(\s*$", before):
        return "npm"
    return "script"


def _read_properties(page: Page, source: str) -> None:
    """Add what is assigned to single properties of ``window.intercomSettings`` later."""
    for found in _PROPERTY.finditer(source):
        name = found[1] or found[2]
        try:
            value, _ = read_literal(source, found.end())
        except ValueError:
            continue
        if page.settings and value is not UNKNOWN:
            page.settings[-1].values[name] = value
