"""Checks values as people pass them, once: ids and plain JSON values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from json import JSONDecoder
from types import NoneType
from typing import Any, Final

from .errors import InvalidClaimError

set_field: Final = object.__setattr__
"""How a frozen dataclass sets an attribute in ``__post_init__``."""

MAX_DEPTH = 64  # how deep lists and objects may be nested. Real attributes are flat
MAX_VALUES = 100_000  # how many values one attribute or setting may hold in all
MAX_SAFE_INTEGER = 2**53 - 1  # the largest integer that a browser reads without rounding it (RFC 8259 §6)
_MAX_INTEGER_BITS = 1023  # the largest that a reader can hold that keeps numbers as doubles (RFC 8259 §6)

MAX_JSON_LENGTH = 2_000_000  # characters of a JSON document from elsewhere
_QUOTES = "\"'`"

# What null, a missing value or an anonymous user becomes when it is converted to a string, in lower case.
LOST: Final = ("none", "null", "undefined", "nan", "nil", "anonymoususer", "[object object]")

_surrogate_in = re.compile("[\ud800-\udfff]").search

_INVISIBLE_LETTERS = (
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # isprintable() accepts these, but they show as blanks
)


def is_lost(value: str) -> bool:
    """Tell whether an ID is blank, invisible, or null converted to a string, in quotes or not."""
    if not (value.isascii() and value.isprintable()):
        value = "".join(each for each in value if each.isprintable() and each not in _INVISIBLE_LETTERS)
    return value.strip(" " + _QUOTES).lower() in ("", *LOST)


def looks_like_email(value: str) -> bool:
    """Tell whether a string has the shape of an e-mail address."""
    local, _, domain = value.rpartition("@")
    return bool(local) and "." in domain[1:-1] and not any(each.isspace() for each in value)


def json_value(value: object, name: str) -> Any:  # noqa: ANN401 - JSON is what its reader makes of it
    """Return a fresh copy of an attribute or setting, made of plain JSON values that every reader restores.

    ``False``, ``0``, ``""`` and ``None`` stay as they are. Tuples become lists, aware datetimes Unix seconds,
    subclasses (``IntEnum``, Django's ``SafeString``) and lazy objects their base.
    """
    try:
        return _plain(value, name, MAX_DEPTH, [MAX_VALUES])
    except InvalidClaimError:
        raise
    except Exception as error:
        raise _unreadable(name) from error


def json_string(value: str, name: str) -> str:
    """Return a string as a plain ``str``: what :func:`json_value` does with one, but faster."""
    try:
        plain = str.__str__(value[:])
    except Exception as error:  # of a subclass, which may override whatever is called
        raise _unreadable(name) from error
    if _surrogate_in(plain):
        raise InvalidClaimError(name, "the string contains a lone surrogate, which UTF-8 cannot encode.")
    return plain


def json_items(values: object, name: str) -> list[tuple[str, object]]:
    """Return the items of what was passed as ``attributes=`` or ``extra=``, with names checked to be plain strings."""
    if not isinstance(values, Mapping):
        raise InvalidClaimError(name, f"expected a mapping of names to values, got {type(values).__name__}.")
    try:
        return [(_key(key, name), value) for key, value in values.items()]
    except InvalidClaimError:
        raise
    except Exception as error:
        raise _unreadable(name) from error


def _key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise InvalidClaimError(name, f"expected names of type str, got {type(key).__name__}.")
    return json_string(key, name)


def read_json(document: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read a JSON document from elsewhere, or raise a ``ValueError`` without any part of it, in text or cause.

    Refused besides what is not JSON (RFC 8259): a member twice (RFC 7515 §4) and what :func:`json_value` refuses.
    """
    read = []
    if len(document) <= MAX_JSON_LENGTH:
        with suppress(ValueError, RecursionError):
            text = document if isinstance(document, str) else document.decode()
            read.append(json_value(_decoder.decode(text), "JSON"))
    if not read:
        raise ValueError("not valid JSON")
    return read[0]


def parse_json(document: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return what a JSON document contains, or ``None`` if it is not valid."""
    try:
        return read_json(document)
    except ValueError:
        return None


def has_unsafe_integer(value: object) -> bool:
    """Tell whether a plain JSON value contains an integer that a browser would round."""
    if isinstance(value, int):
        return abs(value) > MAX_SAFE_INTEGER
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    return any(has_unsafe_integer(each) for each in value if type(each) is not str)


class FrozenMapping(Mapping[str, Any]):
    """Plain JSON values by name, read-only: a list or an object is given out as a copy.

    Args:
        values: A dict of :func:`json_value`, which nobody else holds.
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a value, each time a copy."""
        return _copied(self._values[name])

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def copy(self) -> dict[str, Any]:
        """Return the values in a fresh dict, without the detours that ``dict(…)`` makes for a mapping."""
        return {name: _copied(each) for name, each in self._values.items()}

    def __repr__(self) -> str:
        """Show the values as a dict."""
        return repr(self._values)


def _copied(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a deep copy of a plain JSON value."""
    if type(value) is dict:
        return {name: _copied(each) for name, each in value.items()}
    return list(map(_copied, value)) if type(value) is list else value


def _plain(value: object, name: str, depth: int, left: list[int]) -> Any:  # noqa: ANN401 - any JSON
    """Return a copy: ``depth`` levels are allowed, and as many values as ``left`` counts down."""
    for kind, convert in _SCALARS:
        if isinstance(value, kind):
            return convert(value, name)
    if not isinstance(value, Mapping | list | tuple):
        actual = type(value).__name__
        message = f"{actual} is not a JSON type; convert it to a str, int, float, bool, list or dict first."
        raise InvalidClaimError(name, message)
    left[0] -= len(value)
    if depth == 0:
        message = f"the value contains itself or is nested deeper than {MAX_DEPTH} levels; send flat values."
        raise InvalidClaimError(name, message)
    if left[0] < 0:
        raise InvalidClaimError(name, f"the value has more than {MAX_VALUES} values; send fewer, flat values.")
    if isinstance(value, Mapping):
        return {key: _plain(item, name, depth - 1, left) for key, item in json_items(value, name)}
    return [_plain(item, name, depth - 1, left) for item in value]


def _integer(value: int, name: str) -> int:
    plain = int.__int__(value.__int__())
    if plain.bit_length() > _MAX_INTEGER_BITS:
        raise InvalidClaimError(name, "the integer is too large for JSON readers; send it as a str.")
    return plain


def _number(value: float, name: str) -> float:
    plain = float.__float__(value.__float__())
    if not math.isfinite(plain):
        raise InvalidClaimError(name, "JSON has no NaN or infinity.")
    return plain


def _seconds_of(value: datetime, name: str) -> int:
    if value.utcoffset() is None:
        message = "a naive datetime depends on the machine's time zone; use an aware one, such as datetime.now(UTC)."
        raise InvalidClaimError(name, message)
    return math.floor(value.timestamp())


# Each converts first and checks the result: a lazy object answers for the value behind it, and a subclass may override
# whatever would be checked.
_SCALARS: tuple[tuple[type, Callable[[Any, str], Any]], ...] = (
    (NoneType, lambda _none, _name: None),
    (bool, lambda value, _name: value == True),  # noqa: E712 - a lazy object answers this with a plain bool
    (str, json_string),
    (int, _integer),
    (float, _number),
    (datetime, _seconds_of),
)


def _unreadable(name: str) -> InvalidClaimError:
    return InvalidClaimError(name, "the value cannot be converted to JSON; convert it to plain Python values first.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


_decoder = JSONDecoder(object_pairs_hook=_members)
