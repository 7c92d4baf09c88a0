"""A reader of JavaScript object literals, as people write ``window.intercomSettings``: literals, not expressions.

JSON is a part of it. Beyond that: names without quotes, single quotes and backquotes, trailing commas, comments. The
value of anything else (a variable, a call, a template expression) is :data:`UNKNOWN`.
"""

from __future__ import annotations

import re
from typing import Any, Final

MAX_DEPTH = 32
"""How deep objects and lists may be nested."""

_MAX_EXPRESSION = 20_000  # characters
_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w$.])")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_STRINGS = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\[\s\S])*){quote}") for quote in "\"'`"}
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Unknown:
    """Stands for the value of an expression."""

    def __repr__(self) -> str:
        """Name it."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def read_literal(text: str, start: int) -> tuple[Any, int]:
    """Read the literal at ``start``.

    Args:
        text: The script.
        start: Where the literal begins.

    Returns:
        Its value, and where it ends.

    Raises:
        ValueError: It is not a literal, or it does not end.
    """
    return _value(text, _skip(text, start), 0)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    first = text[at : at + 1]
    if first == "{":
        return _object(text, at + 1, depth)
    if first == "[":
        return _list(text, at + 1, depth)
    value, end = _scalar(text, at, first)
    after = _skip(text, end)
    if text[after : after + 1] in (",", "}", "]", ")", ";", ""):
        return value, end
    return UNKNOWN, _over_expression(text, at)


def _scalar(text: str, at: int, first: str) -> tuple[Any, int]:
    if first in _STRINGS and first:
        found = _STRINGS[first].match(text, at)
        if found is None:
            raise ValueError("a string does not end")
        if first == "`" and "${" in found[1]:
            return UNKNOWN, found.end()
        return _ESCAPE.sub(_unescaped, found[1]), found.end()
    if found := _NUMBER.match(text, at):
        number = float(found[0])
        return int(number) if number.is_integer() and abs(number) < 2**63 else number, found.end()
    if (found := _NAME.match(text, at)) and found[0] in _WORDS:
        return _WORDS[found[0]], found.end()
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
    first = text[at : at + 1]
    if first in ('"', "'"):
        name, end = _scalar(text, at, first)
        return name, end
    if found := _NAME.match(text, at):
        return found[0], found.end()
    if first in (".", "["):
        return "", at
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
        if character in _CLOSING:
            opened.append(_CLOSING[character])
        elif opened and character == opened[-1]:
            opened.pop()
        elif not opened and character in ",}]);":
            return at
        at += 1
    raise ValueError("an expression does not end")
