"""Reads what a page tells the Messenger, as a browser would: the page's scripts run, in a process of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from importlib.util import find_spec
from json import JSONDecoder
from pathlib import Path
from typing import Any, Final

from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth.page._snippet import _source as snippet_source

MAX_LENGTH = 8_000_000  # characters of a page that are read
WALL_SECONDS = 10.0  # what reading a page may take; then its process is killed
CPU_SECONDS = 3.0  # what all scripts of a page may take together
SPREAD: Final = "..."  # the name of a setting that stands for all that an unknown object adds

NEEDS_EXTRA = "reading pages needs the extra: pip install 'fin-messenger-auth[doctor]'"

JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*")

_PARTS = ("quickjs", "selectolax")
_START = "import sys; sys.path[:0] = sys.argv[2:]; import _page_engine; _page_engine.main(float(sys.argv[1]))"
_UNKNOWN = "\0"  # the name under which the engine says what is not known
_MENTIONS = re.compile(r"intercomSettings|\bIntercom\(|startMessenger\(|widget\.intercom\.io|messenger-js-sdk")
_OF_NOTHING = re.compile(r"cannot read property '[\w$]{1,40}' of (null|undefined)")
_CHARSET = re.compile(r"charset=[\"']?([\w-]+)", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{|\{%|<%|<\?")
_IN_VALUES = re.compile(rf"{_TEMPLATE.pattern}|[$#]\{{|^@\w+[.(]")  # `${…}` is JavaScript outside of quotes
_GUARD = re.compile(r"^\)\]\}'?,?\s*(?=[{\[])")  # what answers begin with that no <script> may load
_MARKS = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
_OURS = "fin-messenger-auth"
_TOKENS = (INTERCOM_TOKEN, SALESFORCE_TOKEN)
_IDS = ("app_id", "appId", *_TOKENS)
_WINDOW, _SNIPPET, _NPM = "window.intercomSettings", "snippet", "npm"
_READ_BY_US = ("app_id", "api_base", "user_id", "email", *_TOKENS)
_FOREIGN = ("True", "False", "None", "nil", "NULL")
_ESCAPED = "it is HTML-escaped, with &quot; or &#34; in place of quotes"
_NOT_RENDERED = "it holds a template expression that was not rendered"
_UNENDED = "a value with <!-- and <script in it keeps the script from ending"
_NOT_JSON = "the string that JSON.parse gets is not JSON"


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Settings that a page passes to the Messenger.

    Attributes:
        source: How: ``snippet`` (of this library), ``window.intercomSettings``, ``Intercom('boot')``,
            ``Intercom('update')``, ``npm``, ``data`` for a ``<script>`` of JSON, ``attribute`` for JSON in an
            attribute, or ``JSON`` for the answer of an endpoint.
        values: The settings whose values are known.
        unknown: The names of the others: they come from a file or an answer that was not read.
        apart: Whether only a function passes them that nothing on the page has called, such as an event's.
        script: The number of the inline or external script that passes them; -1 if there is none.
    """

    source: str
    values: dict[str, Any] = field(repr=False)
    unknown: tuple[str, ...] = ()
    apart: bool = False
    script: int = -1

    def names(self) -> set[str]:
        """Return the names of all of them."""
        return {*self.values, *self.unknown}


@dataclass(slots=True)
class Page:
    """A page, as far as it matters here: what it tells the Messenger, and what its policies are."""

    settings: list[PageSettings] = field(default_factory=list)  # in order, and those that are passed on apart
    values: dict[str, Any] = field(default_factory=dict, repr=False)  # the last state, a boot, the updates after it
    unknown: set[str] = field(default_factory=set)  # names of the values that are not known; a spread may hold a user
    calls: list[str] = field(default_factory=list)  # methods of the Messenger, in order, without those apart
    loaders: list[str] = field(default_factory=list)  # addresses of the Messenger's widget
    imports: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    scripts: list[tuple[str | None, str]] = field(default_factory=list, repr=False)  # inline: nonce and source
    policies: list[str] = field(default_factory=list)  # of <meta> elements
    broken: str = ""  # why the script with the settings cannot run
    twice: bool = False  # it sets up the Messenger again, and loses the user
    instead: str = ""  # what it has in place of settings: a variant of "page-settings-missing"
    moved: str = ""  # where it sends the browser at once
    stopped: str = ""  # why it was not read to its end; then what it does not hold is not known
    calls_shutdown: bool = False  # in a script or an event attribute

    def names(self) -> set[str]:
        """Return the names of all settings that count in the end."""
        return {*self.values, *self.unknown}


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
    """Read a page, or the JSON answer of an endpoint, up to 8,000,000 characters.

    Without the extra ``doctor`` only JSON and what ``render_snippet`` writes can be read; of another page
    :attr:`Page.stopped` says so.
    """
    document = _GUARD.sub("", document[:MAX_LENGTH]).strip("\ufeff \t\r\n")
    if document[:1] in ("{", "[", '"') or JWT.fullmatch(document):
        return _read_answer(document)
    if not all(map(find_spec, _PARTS)):
        return _read_snippets(document)
    return _page_of(_run(document))


def settings_in_page(document: str) -> list[PageSettings]:
    """Return the settings that a page passes to the Messenger, in order.

    Args:
        document: The whole document: HTML, or the JSON answer of an endpoint.
    """
    return read_page(document).settings


def _run(document: str) -> dict[str, Any]:
    """Read a page in a process of its own: without this one's environment and files, and for a limited time."""
    specs = [find_spec(name) for name in _PARTS]
    paths = dict.fromkeys(str(Path(spec.origin or "").parents[1]) for spec in specs if spec)
    command = [sys.executable, "-I", "-S", "-c", _START, str(CPU_SECONDS), str(Path(__file__).parent), *paths]
    kept = {name: value for name, value in os.environ.items() if name.upper() == "SYSTEMROOT"}  # Windows needs it
    stopped = "reading it took too long"
    try:
        html = document.encode(errors="replace")
        done = subprocess.run(command, input=html, capture_output=True, check=False, timeout=WALL_SECONDS, env=kept)  # noqa: S603 - this interpreter
        stopped = "reading it ended the process that did"
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, RecursionError, subprocess.TimeoutExpired):
        names = ("scripts", "policies", "data", "attributes", "said", "waiting", "moves", "events", "failed")
        return {**{name: [] for name in names}, "stopped": stopped}
    return found


def _page_of(found: dict[str, Any]) -> Page:
    """Return what the engine has found, in the terms of the checks."""
    texts, events = [*(each["text"] for each in found["scripts"]), *found["waiting"]], found["events"]
    page = Page(policies=found["policies"], stopped=found["stopped"])
    page.scripts = [(each["nonce"], each["text"]) for each in found["scripts"] if each["src"] is None]
    page.calls = [each["method"] for each in events if each["kind"] == "call" and not each["apart"]]
    page.calls_shutdown = any(each.get("method") == "shutdown" for each in events) or any(
        "shutdown" in t for t in texts
    )
    for kind, name in (("widget", "loaders"), ("import", "imports"), ("request", "requests")):
        setattr(page, name, [each["url"] for each in events if each["kind"] == kind and not each["apart"]])
    ours = [_OURS in text for text in texts]
    passed = list(_passed(events, ours))
    page.settings = [each for each in passed if each.names() != {SPREAD}]
    if passed:
        end = _in_the_end(events)
        page.values, page.unknown = _known(end), set(_unknown(end))
    states = [each["settings"] for each in events if each["kind"] == "state"]
    if any(isinstance(each, str) and _mentions(each) for each in states):
        page.instead = "string"
    for kind in () if page.settings or page.instead else ("data", "attributes"):
        for each in found[kind]:
            _read_data(page, each, kind.removesuffix("s"))
    page.unknown |= {"user_id", *_TOKENS} if SPREAD in page.unknown else set()
    page.unknown -= page.values.keys()
    page.broken = page.broken or _why_broken(page, found)
    page.twice = sum(f"{snippet_source()}.boot(" in text for text in texts) > 1 or _loses_the_user(events)
    if not page.settings:
        page.instead = page.instead or _instead(found, texts)
        moves = [each["url"] for each in events if each["kind"] == "move" and not each["apart"]]
        page.moved = next(iter([*found["moves"], *moves]), "")
    return page


def _passed(events: list[dict[str, Any]], ours: list[bool]) -> Iterator[PageSettings]:
    """Go through the settings that a page passes on: the states of the window's, and what calls are given beside."""
    state, seen = None, list[object]()
    for event in sorted(events, key=lambda each: bool(each["apart"])):
        given, apart, of_ours = event.get("settings"), event["apart"], event["script"] >= 0 and ours[event["script"]]
        if event["kind"] == "state" and not apart:
            state = given
        elif given == state or (apart and (of_ours or given in seen)):
            continue
        seen.append(given)
        if isinstance(given, dict) and given:
            source = _SNIPPET if of_ours else _source(event)
            yield PageSettings(source, _known(given), tuple(_unknown(given)), apart, event["script"])


def _source(event: dict[str, Any]) -> str:
    if event["kind"] == "state":
        return _WINDOW
    return event["via"] if event["via"] in (_NPM, _SNIPPET) else f"Intercom('{event['method']}')"


def _in_the_end(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what counts when the page is as it stays; without any, the first boot that waits for an event."""
    state: dict[str, Any] = {}
    booted: dict[str, Any] = {}
    for event in events:
        given = event.get("settings")
        given = given if isinstance(given, dict) else {}
        if event["apart"]:
            booted = booted or (given if not state else {})
        elif event["kind"] == "state":
            state = given
        elif event["kind"] == "call" and event["method"] in ("boot", "update", "shutdown"):
            booted = {**booted, **given} if event["method"] == "update" else given
    return {**state, **booted}


def _known(given: dict[str, Any]) -> dict[str, Any]:
    unknown = _unknown(given)
    return {name: value for name, value in given.items() if name not in unknown}


def _unknown(given: dict[str, Any]) -> dict[str, str]:
    """Return the names of the settings that are not known or hold something that is not, and what it is."""
    return {name: what for name, value in given.items() if (what := _unknown_in(value)) is not None}


def _unknown_in(value: object) -> str | None:
    if isinstance(value, dict) and _UNKNOWN in value:
        return str(value[_UNKNOWN])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((what for each in inner if (what := _unknown_in(each)) is not None), None)


def _loses_the_user(events: list[dict[str, Any]]) -> bool:
    """Tell whether a later script sets the settings, or boots, without the user of an earlier one."""
    had: dict[str, set[str]] = {}
    for event in events:
        given, kind = event.get("settings"), event.get("method", "state")
        if kind == "shutdown":
            had.clear()
        elif not event["apart"] and isinstance(given, dict) and given and kind in ("state", "boot"):
            if SPREAD not in given and had.get(kind, set()) - given.keys():
                return True
            had[kind] = had.get(kind, set()) | (given.keys() & {"user_id", *_TOKENS})
    return False


def _why_broken(page: Page, found: dict[str, Any]) -> str:
    """Say why the script with the settings cannot run; empty if it can."""
    if _mentions(found.get("unended", "")):
        return _UNENDED
    for failed in found["failed"]:
        text = found["scripts"][failed["script"]]["text"]
        if failed["name"] == "SyntaxError" and _mentions(text):
            return _NOT_JSON if failed["ran"] else _why_no_script(text, failed["line"], failed["why"])
        if failed["name"] == "TypeError" and _mentions(text) and not page.settings:
            return _why_stopped(page, text, failed["why"])
    if any(each["kind"] == "error" and each["name"] == "SyntaxError" and not each["apart"] for each in found["events"]):
        return _NOT_JSON
    given = [each["settings"] for each in found["events"] if isinstance(each.get("settings"), dict)]
    names = (name for each in given for name in _unknown(each).values())
    if foreign := next((name for name in names if name in _FOREIGN), ""):
        return f"{foreign} is not JavaScript"
    values = (str(each.values.get(name)) for each in page.settings for name in _READ_BY_US)
    return _NOT_RENDERED if any(map(_IN_VALUES.search, values)) else ""


def _why_stopped(page: Page, text: str, why: str) -> str:
    if page.loaders and "Intercom(" in text and "not a function" in why:
        return "it calls Intercom, which a later script defines"
    what = _OF_NOTHING.search(why)
    return f"it stops with a TypeError{f': {what[0]}' if what else ''}"


def _why_no_script(text: str, line: int, why: str) -> str:
    lines = text.rstrip().split("\n")
    near = "\n".join(lines[max(0, line - 2) : line])
    if _TEMPLATE.search(near):
        return _NOT_RENDERED
    if "&quot;" in near or "&#34;" in near:
        return _ESCAPED
    if re.search("<(script|!doctype)", text, re.IGNORECASE):
        return "the <script> element before it is not closed"
    if any(each in near for each in "\u201c\u201d\u2018\u2019"):
        return "typographic quotes stand in place of plain ones"
    if "end of string" in why:
        ends = line >= len(lines)
        return "a value with </script> in it ends the script" if ends else "a string does not end on its line"
    return "a comma is missing, or a quote in a value is not escaped"


def _mentions(text: str) -> bool:
    return bool(_MENTIONS.search(text)) or any(each in text for each in _IDS)


def _instead(found: dict[str, Any], texts: list[str]) -> str:
    if "comment" in found["said"]:
        return "comment"
    if "password" in found["said"]:
        return "sign-in"
    if any(map(JWT.search, texts)):
        return "unnamed"
    if "text" in found["said"]:
        return "text"
    others = any(each["kind"] in ("external", "import", "request", "unknown") for each in found["events"])
    return "elsewhere" if others and any(map(_MENTIONS.search, texts)) else ""


def _read_answer(document: str) -> Page:
    """Read the answer of an endpoint: settings somewhere in JSON, or nothing but the token."""
    value = document if JWT.fullmatch(document) else parse_json(document)
    page = Page(instead="json-invalid" if value is None else "json")
    if isinstance(value, str) and parse_json(value) is not None:
        page.instead = "json-twice"
    if isinstance(value, str) and JWT.fullmatch(value):
        value = {"token": value}
    if settings := _settings_in(value):
        page.settings, page.values = [PageSettings("JSON", settings)], settings
        return page
    tokens = (each.get(name) for each in _objects_in(value) for name in ("token", "jwt"))  # as endpoints call it
    if token := next((each for each in tokens if isinstance(each, str) and JWT.search(each)), None):
        page.values = {INTERCOM_TOKEN: token}
        page.settings = [PageSettings("token", page.values)]
    return page


def _read_data(page: Page, document: str, source: str) -> None:
    """Read JSON of an attribute or of a ``<script type="application/json">``."""
    value = parse_json(document)
    if settings := _settings_in(value):
        page.settings.append(PageSettings(source, settings))
        page.values |= settings
    if value is None and source == "data":
        page.broken = _ESCAPED if "&" in document and parse_json(unescape(document)) else "the JSON is not valid"


def _settings_in(value: object) -> dict[str, Any] | None:
    return next((each for each in _objects_in(value) if any(name in each for name in _IDS)), None)


def _objects_in(value: object, levels: int = 6) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if levels and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _objects_in(each, levels - 1)


def _read_snippets(document: str) -> Page:
    """Read exactly what ``render_snippet`` writes. Where other scripts have a say, too, only the extra can tell."""
    page, start = Page(), f"{snippet_source()}.boot("
    first, *others = document.split(start)
    for each in others:
        with suppress(ValueError):
            settings, _ = JSONDecoder().raw_decode(each.removeprefix("JSON.parse("))
            settings = json.loads(settings) if isinstance(settings, str) else settings
            page.settings.append(PageSettings(_SNIPPET, settings))
            page.values |= settings
    beside = [first, *(each.partition("</script>")[2] for each in others)]
    return Page(stopped=NEEDS_EXTRA) if not page.settings or any(map(_MENTIONS.search, beside)) else page
