"""Reads JavaScript object literals, as people write ``window.intercomSettings``: literals, not expressions.

JSON is a part of it. Beyond that: names without quotes, single quotes and backquotes, trailing commas, comments, and
``JSON.parse`` of a string. The value of anything else (a variable, a call, an expression) is :data:`UNKNOWN`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from fin_messenger_auth._json_values import read_json

MAX_DEPTH = 32
"""How deep objects and lists may be nested."""

_MAX_LENGTH, _MAX_EXPRESSION = 200_000, 4_000  # characters
_TOKEN = re.compile(
    r"(?P<blank>(?:\s|//[^\n]*|/\*[\s\S]*?\*/)+)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\[\s\S])*\"|'(?:[^'\\\n]|\\[\s\S])*'|`(?:[^`\\]|\\[\s\S])*`)"
    r"|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w$.]))"
    r"|(?P<name>[A-Za-z_$][\w$]*)|(?P<mark>\.\.\.|[\s\S])"
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_JSON_PARSE = re.compile(r"JSON\.parse\(\s*(?=[\"'`])")
_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_FOREIGN = ("True", "False", "None", "nil", "NULL")
_QUOTES = ("'", '"', "`")
_ENDS = (",", "}", "]", ")", ";", "")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Unknown:
    """Stands for the value of an expression."""

    def __repr__(self) -> str:
        """Name it."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

SPREAD: Final = "..."
"""The name of what ``...other`` adds to an object."""


class LiteralError(ValueError):
    """There is no literal. The message says why, without any value; ``at`` is where."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class ScriptError(LiteralError):
    """No browser can run the script."""


def read_literal(text: str, start: int) -> tuple[Any, int]:
    """Return the literal at ``start`` and where it ends.

    Raises:
        ScriptError: It has an error of syntax.
        LiteralError: It is not a literal.
    """
    reader = _Reader(text, start)
    value = reader.value(0)
    return value, reader.read


def holds_template(text: str) -> bool:
    """Tell whether a string holds a template expression that was not rendered."""
    return _TEMPLATE.search(text) is not None


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self._text, self._at, self._end = text, at, min(len(text), at + _MAX_LENGTH)
        self._advance()

    def _advance(self) -> None:
        """Go on to the next token; ``read`` is where the last one ended."""
        self.read = self._at
        self._kind, self._found = "blank", ""
        while self._kind == "blank":
            found = _TOKEN.match(self._text, self._at, self._end)
            self._kind, self._found = (found.lastgroup or "", found[0]) if found else ("", "")
            self._start, self._at = found.span() if found else (self._end, self._end)

    def value(self, depth: int) -> Any:  # noqa: ANN401 - any JSON, or UNKNOWN
        if depth > MAX_DEPTH:
            raise LiteralError("nested too deep", self._start)
        self._refuse_markup()
        if self._found == "{":
            return self._object(depth)
        if self._found == "[":
            return self._list(depth)
        value = self._literal()
        if self._found in _ENDS:
            return value
        starts_another = self._found == "{" or (self._kind != "mark" and self._found[0] != "-")
        if value is not UNKNOWN and starts_another and self._found not in ("in", "instanceof"):
            raise ScriptError("a comma is missing, or a quote in a value is not escaped", self._start)
        self._skip()
        return UNKNOWN

    def _refuse_markup(self) -> None:
        """Refuse what stands where a name or a value must, and can be neither."""
        if _TEMPLATE.match(self._text, self._start):
            raise ScriptError("it holds a template expression that was not rendered", self._start)
        if self._found == "&":
            raise ScriptError("it is HTML-escaped, with &quot; or &#34; in place of quotes", self._start)
        if self._kind == "mark" and self._found in _QUOTES:
            ended = self._text.find("\n", self._start, self._end) < 0
            why = "a value with </script> in it ends the script" if ended else "a string does not end on its line"
            raise ScriptError(why, self._start)

    def _literal(self) -> Any:  # noqa: ANN401 - as above
        """Read a string, a number or a word; of anything else only a name, if there is one."""
        kind, token, start = self._kind, self._found, self._start
        if found := _JSON_PARSE.match(self._text, start):
            return self._parsed(found.end())
        if kind != "mark":
            self._advance()
        if kind == "string":
            return UNKNOWN if token[0] == "`" and "${" in token else _ESCAPE.sub(_unescaped, token[1:-1])
        if kind == "number":
            number = float(token)
            return int(number) if number.is_integer() and abs(number) < 2**63 else number
        if token in _FOREIGN and self._found in _ENDS:
            raise ScriptError(f"{token} is not JavaScript", start)
        return _WORDS.get(token, UNKNOWN)

    def _parsed(self, inside: int) -> Any:  # noqa: ANN401 - as above
        self._at = inside
        self._advance()
        self._refuse_markup()
        value = self._literal()
        self._skip()  # options of JSON.parse
        self._advance()
        try:
            return value if value is UNKNOWN else read_json(value)
        except ValueError as error:
            raise ScriptError("the string that JSON.parse gets is not JSON", inside) from error

    def _object(self, depth: int) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for _ in self._members("}"):
            name, value = self._key(), UNKNOWN
            if self._found == ":":
                self._advance()
                value = self.value(depth + 1)
            else:
                self._skip()  # a shorthand, a method, a spread
            read |= {name: value} if name else {}
        return read

    def _key(self) -> str:
        self._refuse_markup()
        if self._found == "[":
            return ""
        if self._found == SPREAD:
            return SPREAD
        if self._kind not in ("string", "name", "number"):
            raise LiteralError("not a name", self._start)
        token = self._found
        self._advance()
        return _ESCAPE.sub(_unescaped, token.strip("\"'"))

    def _list(self, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in self._members("]")]

    def _members(self, closing: str) -> Iterator[None]:
        """Go from member to member of an object or a list."""
        self._advance()
        while self._found != closing:
            yield
            if self._found == ",":
                self._advance()
            elif self._found != closing:
                raise LiteralError("expected a comma", self._start)
        self._advance()

    def _skip(self) -> None:
        """Go to where an expression ends: a comma or a closing bracket of what it is in, or the end of the script."""
        opened: list[str] = []
        limit = self._start + _MAX_EXPRESSION
        while self._start < limit and not (self._found in _ENDS and not opened):
            if not self._found or (self._kind == "mark" and self._found in _QUOTES):
                break
            if self._found in _CLOSING:
                opened.append(_CLOSING[self._found])
            elif opened and self._found == opened[-1]:
                opened.pop()
            self._advance()
        if opened or self._found not in _ENDS:
            raise LiteralError("an expression does not end", self._start)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is not None:
        return chr(min(int(code, 16), 0x10FFFF))
    return _SHORT.get(found[4], found[4])
