"""A reader of JavaScript object literals, as people write ``window.intercomSettings``: literals, not expressions.

JSON is a part of it. Beyond that: names without quotes, single quotes and backquotes, trailing commas, comments, and
``JSON.parse`` of a string. The value of anything else (a variable, a call, an expression) is :data:`UNKNOWN`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from fin_messenger_auth.json_values import read_json

MAX_DEPTH = 32
"""How deep objects and lists may be nested."""

_MAX_EXPRESSION = 20_000  # characters
_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w$.])")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_STRINGS = {quote: re.compile(rf"{quote}((?:[^{quote}\\\n]|\\[\s\S])*){quote}") for quote in "\"'"}
_STRINGS["`"] = re.compile(r"`((?:[^`\\]|\\[\s\S])*)`")
_JSON_PARSE = re.compile(r"JSON\.parse\(\s*(?=[\"'`])")
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_FOREIGN = re.compile(r"(?:True|False|None|nil|NULL)(?=\s*[,}\]])")
_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_NO_OPERATOR = re.compile(r"(?!in(?:stanceof)?\b)[\w$\"'{]")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Unknown:
    """Stands for the value of an expression."""

    def __repr__(self) -> str:
        """Name it."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

SPREAD: Final = "..."
"""The name of what ``...other`` adds to an object."""


class ScriptError(ValueError):
    """No browser can run the script. The message says why, without any value; ``at`` is where."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


def read_literal(text: str, start: int) -> tuple[Any, int]:
    """Return the literal at ``start`` and where it ends.

    Raises:
        ScriptError: It has an error of syntax.
        ValueError: It is not a literal.
    """
    return _value(text, _skip(text, start), 0)


def holds_template(text: str) -> bool:
    """Tell whether a string holds a template expression that was not rendered."""
    return _TEMPLATE.search(text) is not None


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    _refuse_markup(text, at)
    first = text[at : at + 1]
    if first == "{":
        return _object(text, at + 1, depth)
    if first == "[":
        return _list(text, at + 1, depth)
    if found := _JSON_PARSE.match(text, at):
        return _parsed(text, at, found.end())
    value, end = _scalar(text, at, first)
    after = _skip(text, end)
    if text[after : after + 1] in (",", "}", "]", ")", ";", ""):
        return value, end
    if value is not UNKNOWN and _NO_OPERATOR.match(text, after):
        raise ScriptError("a comma is missing, or a quote in a value is not escaped", after)
    return UNKNOWN, _over_expression(text, at)


def _refuse_markup(text: str, at: int) -> None:
    """Refuse what stands where a name or a value must, and can be neither."""
    if _TEMPLATE.match(text, at):
        raise ScriptError("it holds a template expression that was not rendered", at)
    if text[at : at + 1] == "&":
        raise ScriptError("it is HTML-escaped, with &quot; or &#34; in place of quotes", at)


def _parsed(text: str, at: int, inside: int) -> tuple[Any, int]:
    value, end = _scalar(text, inside, text[inside])
    try:
        read = value if value is UNKNOWN else read_json(value)
    except ValueError as error:
        raise ScriptError("the string that JSON.parse gets is not JSON", end) from error
    return read, _over_expression(text, at)


def _scalar(text: str, at: int, first: str) -> tuple[Any, int]:
    if first in _STRINGS and first:
        found = _STRINGS[first].match(text, at)
        if found is None:
            ended = text.find("\n", at) < 0
            why = "a value with </script> in it ends the script" if ended else "a string does not end on its line"
            raise ScriptError(why, at)
        if first == "`" and "${" in found[1]:
            return UNKNOWN, found.end()
        return _ESCAPE.sub(_unescaped, found[1]), found.end()
    if found := _NUMBER.match(text, at):
        number = float(found[0])
        return int(number) if number.is_integer() and abs(number) < 2**63 else number, found.end()
    if (found := _NAME.match(text, at)) and found[0] in _WORDS:
        return _WORDS[found[0]], found.end()
    if found := _FOREIGN.match(text, at):
        raise ScriptError(f"{found[0]} is not JavaScript", at)
    return UNKNOWN, _over_expression(text, at)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is not None:
        return chr(min(int(code, 16), 0x10FFFF))
    return _SHORT.get(found[4], found[4])


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    read: dict[str, Any] = {}
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return read, at + 1
        name, at = _key(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ":":
            value, at = _value(text, _skip(text, at + 1), depth + 1)
        else:
            value, at = UNKNOWN, _over_expression(text, at)  # a shorthand, a method, a spread
        if name:
            read[name] = value
        at = _separator(text, at, "}")


def _key(text: str, at: int) -> tuple[str, int]:
    _refuse_markup(text, at)
    first = text[at : at + 1]
    if first in ('"', "'"):
        name, end = _scalar(text, at, first)
        return name, end
    if found := _NAME.match(text, at):
        return found[0], found.end()
    if first in (".", "["):
        return (SPREAD if first == "." else ""), at
    raise ValueError("not a name")


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    read: list[Any] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return read, at + 1
        value, at = _value(text, at, depth + 1)
        read.append(value)
        at = _separator(text, at, "]")


def _separator(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return at + 1
    if text[at : at + 1] == closing:
        return at
    raise ValueError("expected a comma")


def _over_expression(text: str, at: int) -> int:
    """Return where an expression ends: at a comma or a closing bracket of what it is in."""
    opened: list[str] = []
    limit = min(len(text), at + _MAX_EXPRESSION)
    while at < limit:
        character = text[at]
        if character in _STRINGS:
            found = _STRINGS[character].match(text, at)
            if found is None:
                break
            at = found.end()
            continue
        if character == "/" and (after := _skip(text, at)) > at:
            at = after  # a comment
            continue
        if character in _CLOSING:
            opened.append(_CLOSING[character])
        elif opened and character == opened[-1]:
            opened.pop()
        elif not opened and character in ",}]);":
            return at
        at += 1
    if at == len(text) and not opened:
        return at
    raise ValueError("an expression does not end")
