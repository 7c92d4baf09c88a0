"""Finds the Messenger's settings in a page, however the page passes them on."""

from __future__ import annotations

import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from itertools import takewhile
from typing import Any

from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN

from ._literal_reader import SPREAD, UNKNOWN, LiteralError, ScriptError, holds_template, read_literal

MAX_LENGTH = 8_000_000
"""Characters of a page that are read."""

# Characters of literals that are read, in a page and in one script, and what even a short literal counts for.
_EFFORT, _EFFORT_OF_SCRIPT, _EFFORT_OF_ONE = 8_000_000, 2_000_000, 4_000
_MAX_DEPTH = 6  # of settings in a JSON document
_CANDIDATE = re.compile(r"(?:[=(,:?|&]|\breturn)\s*(?=\{|JSON\.parse\()")
_PROPERTY = re.compile(r"""intercomSettings(?:\.([A-Za-z_]\w*)|\[\s*["']([^"'\]]+)["']\s*\])\s*=(?!=)""")
_CALL = re.compile(r"""\bIntercom\(\s*["'](boot|update)["']\s*,\s*$""")
_ASSIGNMENT = re.compile(r"\bintercomSettings\s*=\s*$")
_ASSIGNED = re.compile(r"\bObject\.assign\(([^;)]*)$")
_NAME = re.compile(r"(?<![\w$.])(?!(?:window\.)?intercomSettings\b)[A-Za-z_$][\w$.]*\s*,\s*$")
_NEXT_NAME = re.compile(r"\s*,\s*[A-Za-z_$]")
_STARTS = re.compile(r"intercomSettings|\bIntercom\(|startMessenger\(|widget\.intercom\.io|messenger-js-sdk")
_CHARSET = re.compile(r"charset=[\"']?([\w-]+)", re.IGNORECASE)
_MARKS = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
_OURS = "fin-messenger-auth"
_TOKENS = (INTERCOM_TOKEN, SALESFORCE_TOKEN)
_IDS = ("app_id", "appId", *_TOKENS)
_WINDOW, _SNIPPET = "window.intercomSettings", "snippet"
_CERTAIN = (_WINDOW, _SNIPPET, "Intercom('boot')", "Intercom('update')", "npm")
_READ_BY_US = ("app_id", "api_base", "user_id", "email", *_TOKENS)
_NPM = re.compile(r"\b(?:Intercom|boot|update)\(\s*$")
_LINE_COMMENT = re.compile(r"^[ \t]*//[^\n]*", re.MULTILINE)
_COMMENT = re.compile(rf"{_LINE_COMMENT.pattern}|(?<![^ \t\n;{{}}(,])/\*[\s\S]*?\*/", re.MULTILINE)
_ESCAPED = "it is HTML-escaped, with &quot; or &#34; in place of quotes"


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Settings that a page passes to the Messenger.

    Attributes:
        source: How: ``snippet`` (of this library), ``window.intercomSettings``, ``Intercom('boot')``,
            ``Intercom('update')``, ``npm``, ``script`` for another object in a script, ``data`` for a ``<script>`` of
            JSON, ``attribute`` for JSON in an attribute, or ``JSON`` for the answer of an endpoint.
        values: The settings that are written out.
        unknown: The names of the settings whose values are expressions.
    """

    source: str
    values: dict[str, Any] = field(repr=False)
    unknown: tuple[str, ...] = ()

    def names(self) -> set[str]:
        """Return the names of all of them."""
        return {*self.values, *self.unknown}


@dataclass(slots=True)
class Page:
    """A page, as far as it matters here.

    Attributes:
        settings: The settings in it, in order.
        scripts: The inline scripts: nonce, or ``None``, and source.
        policies: The policies of its ``<meta http-equiv="Content-Security-Policy">`` elements.
        broken: Why the script with the settings cannot run.
        twice: Whether it sets ``window.intercomSettings`` again, and loses the user.
        instead: What it is or holds in place of settings.
        effort: How many characters of literals may still be read.
        calls_shutdown: Whether a script or an event attribute calls ``shutdown``.
    """

    settings: list[PageSettings] = field(default_factory=list)
    scripts: list[tuple[str | None, str]] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    broken: str = ""
    twice: bool = False
    instead: str = ""
    effort: int = _EFFORT
    calls_shutdown: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """All settings that are written out; of one name, the last."""
        return {name: value for each in self.settings for name, value in each.values.items()}

    @property
    def unknown(self) -> set[str]:
        """The names of those that are expressions; a spread may hold a user."""
        unknown = {name for each in self.settings for name in each.unknown}
        return (unknown | ({"user_id", *_TOKENS} if SPREAD in unknown else set())) - self.values.keys()


def decoded(body: bytes, content_type: str = "") -> str:
    """Return the text of a page, by its byte order mark or the charset of its ``Content-Type``; UTF-8 without both."""
    if body.startswith(b"\x1f\x8b"):  # saved as it was sent
        with suppress(zlib.error):
            body = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, MAX_LENGTH)
    charset = next((name for mark, name in _MARKS.items() if body.startswith(mark)), None)
    declared = _CHARSET.search(content_type)
    try:
        return body.decode(charset or (declared[1] if declared else "utf-8"), errors="replace")
    except (LookupError, UnicodeError):  # UnicodeError: Python's codec "undefined"
        return body.decode(errors="replace")


def read_page(document: str) -> Page:
    """Read a page, or the JSON answer of an endpoint, up to :data:`MAX_LENGTH`."""
    document, page = document[:MAX_LENGTH].lstrip("\ufeff \t\r\n"), Page()
    if document[:1] in ("{", "["):
        page.instead = "it is JSON without an app_id"
        _read_data(page, document, "JSON")
        return page
    parser = _Parser(page)
    parser.feed(document[: document.rfind(">") + 1])  # for tags without an end the parser's time is quadratic
    parser.close()
    for _, source in page.scripts:
        _read_script(page, _without_comments(source))
    certain = [each for each in page.settings if each.source in _CERTAIN]
    if any(each.names() & {*_IDS[:2]} for each in certain):  # then an app_id elsewhere is another service's
        page.settings = [each for each in page.settings if each.source in _CERTAIN or each.names() & {*_TOKENS}]
    if not page.instead and any(_STARTS.search(source) for _, source in page.scripts):
        page.instead = "its scripts get them from elsewhere"
    return page


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
        self._attributes: dict[str, str | None] = {}
        self._script: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and "src" not in values:
            self._attributes, self._script = values, []
        elif tag == "meta" and (values.get("http-equiv") or "").lower() == "content-security-policy":
            self._page.policies.append(values.get("content") or "")
        elif tag == "input" and values.get("type") == "password":
            self._page.instead = "it is a page to sign in"
        for name, value in attrs:
            self._page.calls_shutdown |= name.startswith("on") and "shutdown" in (value or "")
            if value and value[:1] == "{" and any(each in value for each in _IDS):
                _read_data(self._page, value, "attribute")

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)

    def handle_comment(self, data: str) -> None:
        if any(each in data for each in _IDS):
            self._page.instead = "they are in an HTML comment"

    def handle_endtag(self, tag: str) -> None:
        if tag != "script" or self._script is None:
            return
        source, self._script = "".join(self._script), None
        if "json" in (self._attributes.get("type") or ""):
            _read_data(self._page, source, "data")
        else:
            self._page.scripts.append((self._attributes.get("nonce"), source))
            self._page.calls_shutdown |= "shutdown" in source


def _read_data(page: Page, document: str, source: str) -> None:
    """Read JSON of an endpoint, of an attribute or of a ``<script type="application/json">``."""
    value = parse_json(document)
    if found := next(_settings_in(value, _MAX_DEPTH), None):
        page.settings.append(PageSettings(source, found))
    elif value is None and source == "data" and any(each in document for each in _IDS):
        page.broken = _ESCAPED if "&" in document and parse_json(unescape(document)) else "the JSON is not valid"


def _settings_in(value: object, levels: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and any(each in value for each in _IDS):
        yield value
    elif levels and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _settings_in(each, levels - 1)


def _read_script(page: Page, source: str) -> None:
    if not (_STARTS.search(source) or any(each in source for each in _IDS)):
        return
    end = depth = counted = 0
    ours, least = _OURS in source, max(0, page.effort - _EFFORT_OF_SCRIPT)
    for found in takewhile(lambda _: page.effort > least, _CANDIDATE.finditer(source)):
        if found.end() < end:
            continue  # inside an object that was read
        depth += source.count("{", counted, found.start()) - source.count("}", counted, found.start())
        counted, origin = found.start(), _source_of(source, found, ours=ours)
        try:
            value, after = _read(page, source, found.end())
        except ScriptError as error:
            if origin != "script" or any(each in source[found.end() : error.at] for each in _IDS):
                page.broken = page.broken or str(error)
            continue
        except ValueError:
            continue
        if isinstance(value, dict) and _are_settings(value, origin):
            others = {SPREAD: UNKNOWN} if _is_assigned(source, found.end(), after) else {}
            _add(page, {**value, **others}, origin, at_top=depth == 0)
            end = after
    # What is assigned to single properties later.
    for found in takewhile(lambda _: page.effort > least, _PROPERTY.finditer(source)):
        with suppress(ValueError):
            _add(page, {found[1] or found[2]: _read(page, source, found.end())[0]}, _WINDOW, at_top=False)
    if _opens_comment(source.lower()):
        page.broken = page.broken or "a value with <!-- and <script in it keeps the script from ending"


def _read(page: Page, source: str, start: int) -> tuple[Any, int]:
    """Read a literal, and count what was read: a page could be made to have the same text read again and again."""
    end = start
    try:
        value, end = read_literal(source, start)
    except LiteralError as error:
        end = error.at
        raise
    finally:
        page.effort -= _EFFORT_OF_ONE + end - start
    return value, end


def _without_comments(source: str) -> str:
    """Return a script with spaces for the comments that are surely some: whole lines, and blocks not within a word."""
    blocks, mark, rest = source.rpartition("*/")  # in the rest, each "/*" would be searched for its end in vain
    return _COMMENT.sub(_blank, blocks + mark) + _LINE_COMMENT.sub(_blank, rest)


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _opens_comment(source: str) -> bool:
    """Tell whether ``<!--`` and then ``<script`` leave the browser in a script that ``</script>`` does not end."""
    start = source.find("<!--")
    script, end = source.find("<script", start), source.find("-->", start)
    return start >= 0 and script >= 0 and not 0 <= end < script


def _is_assigned(source: str, start: int, end: int) -> bool:
    """Tell whether an object is an argument of ``Object.assign``, beside one that is an expression."""
    before = _ASSIGNED.search(source, max(0, start - 300), start)
    return before is not None and bool(_NAME.search(before[1]) or _NEXT_NAME.match(source, end))


def _are_settings(value: dict[str, Any], origin: str) -> bool:
    return origin in (_WINDOW, "Intercom('boot')", "Intercom('update')") or any(each in value for each in _IDS)


def _add(page: Page, value: dict[str, Any], origin: str, *, at_top: bool) -> None:
    unknown = tuple(name for name, each in value.items() if each is UNKNOWN)
    read = PageSettings(origin, {name: each for name, each in value.items() if each is not UNKNOWN}, unknown)
    if any(holds_template(str(read.values.get(name))) for name in _READ_BY_US):
        page.broken = page.broken or "it holds a template expression that was not rendered"
    if at_top and origin in (_WINDOW, _SNIPPET):
        names = {name for each in page.settings if each.source in (_WINDOW, _SNIPPET) for name in each.names()}
        page.twice |= SPREAD not in unknown and bool(
            names & {"user_id", INTERCOM_TOKEN, SALESFORCE_TOKEN} - read.names()
        )
        page.twice |= any(each.source == _SNIPPET for each in page.settings)
    page.settings.append(read)


def _source_of(source: str, found: re.Match[str], *, ours: bool) -> str:
    before = source[max(0, found.start() - 80) : found.end()]
    if call := _CALL.search(before):
        return f"Intercom('{call[1]}')"
    if _ASSIGNMENT.search(before):
        return _WINDOW
    if ours:
        return _SNIPPET
    return "npm" if _NPM.search(before) else "script"
