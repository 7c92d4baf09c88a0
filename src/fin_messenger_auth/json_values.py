"""Values as people pass them, checked once: configured strings, ids and plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from functools import singledispatch
from json import JSONDecoder
from typing import Any, Final, NoReturn, TypeVar

from .errors import ConfigurationError, InvalidClaimError

_T = TypeVar("_T")

fill: Final = object.__setattr__
"""How an immutable object fills itself in ``__init__``."""

MAX_DEPTH = 64
"""How deep lists and objects may be nested. Real attributes are flat (see ``users``)."""

MAX_VALUES = 100_000
"""How many values one attribute or setting may hold in all."""

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that a browser reads without rounding it (RFC 8259 §6)."""

_MAX_INTEGER_BITS = 1023  # the largest that a reader can hold that keeps numbers as doubles (RFC 8259 §6)

MAX_JSON_LENGTH = 2_000_000
"""Characters of a JSON document from elsewhere."""

_QUOTES = "\"'`"

# What null, a missing value or nobody becomes when it is converted to a string, in lower case.
_LOST = frozenset({"", "none", "null", "undefined", "nan", "nil", "anonymoususer", "[object object]"})

_INVISIBLE_LETTERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # printable to Python, blank to everybody


def configured_string(value: object, name: str) -> str:
    """Return ``value``, checked to be a string that can be compared byte for byte.

    Args:
        value: What the application was configured with: a key ID, an issuer, an audience, an app id.
        name: What to call it in the error.

    Raises:
        ConfigurationError: It is not a ``str`` or not valid Unicode; it is blank; whitespace, a newline or a quote
            is around it, which both platforms would compare too.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a str, got {type(value).__name__}.")
    plain = str.__str__(value[:])
    if not plain.strip():
        raise ConfigurationError(f"{name} is blank.", "value-blank")
    if not _is_unicode(plain):
        raise ConfigurationError(f"{name} contains bytes that are not UTF-8.")
    if is_wrapped(plain):
        raise ConfigurationError(
            f"{name} has whitespace, a newline or a quote around it, which would count as part of it; remove it.",
            "value-wrapped",
        )
    return plain


def is_wrapped(value: str) -> bool:
    """Tell whether whitespace, an invisible character or a quote stands at one end of a string."""
    return any(not each.isprintable() or each in " " + _QUOTES for each in (value[:1], value[-1:]))


def is_lost(value: str) -> bool:
    """Tell whether an id is one that was lost on its way: blank, invisible, or null converted to a string."""
    if not (value.isascii() and value.isprintable()):
        value = "".join(each for each in value if each.isprintable() and each not in _INVISIBLE_LETTERS)
    return value.strip().lower() in _LOST


def looks_like_email(value: str) -> bool:
    """Tell whether a string has the shape of an e-mail address."""
    local, _, domain = value.rpartition("@")
    return bool(local) and "." in domain[1:-1] and not any(each.isspace() for each in value)


def json_value(value: object, name: str) -> Any:  # noqa: ANN401 - JSON is what its reader makes of it
    """Return a fresh copy of ``value`` that is made of plain JSON values only.

    Types are kept: ``False``, ``0``, ``""`` and ``None`` come back as they are. Tuples become lists,
    aware datetimes become Unix seconds, subclasses (``IntEnum``, Django's ``SafeString``) their base.

    Args:
        value: The value of one attribute or setting. It is not changed.
        name: The name of that attribute or setting, for the error.

    Raises:
        InvalidClaimError: JSON has no such value (NaN, infinity, sets, bytes, objects, keys that are
            not strings), or a reader would not restore it: lone surrogates, integers beyond the
            range of a double, naive datetimes, cycles, nesting deeper than :data:`MAX_DEPTH`, more
            than :data:`MAX_VALUES` values.
    """
    try:
        return _plain(value, _Walk(name))
    except InvalidClaimError:
        raise
    except Exception as error:
        raise _unreadable(name) from error


def read_json(document: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read a JSON document that came from elsewhere: the one reader of JSON.

    Args:
        document: The document, as UTF-8 if it is ``bytes``.

    Raises:
        ValueError: It is not valid JSON (RFC 8259), or readers may differ about it: a member that is there twice (RFC
            7515 §4), NaN or infinity, a lone surrogate, nesting deeper than :data:`MAX_DEPTH`, or more than
            :data:`MAX_JSON_LENGTH` characters. Neither the message nor a cause holds any of it.
    """
    read = []
    if len(document) <= MAX_JSON_LENGTH:
        with suppress(ValueError, RecursionError):
            text = document if isinstance(document, str) else document.decode()
            read.append(_decoder.decode(text))
    if not read or not _is_flat(read[0], MAX_DEPTH):
        raise ValueError("not valid JSON")
    return read[0]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("JSON has no NaN or infinity")
    return number


def _is_flat(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(each, levels - 1) for each in inside)


_decoder = JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_finite)


def json_string(value: str, name: str) -> str:
    """Return a string as a plain ``str``: what :func:`json_value` does with one, but faster.

    Raises:
        InvalidClaimError: It contains a lone surrogate.
    """
    plain = str.__str__(value[:])
    if not _is_unicode(plain):
        raise InvalidClaimError(name, "the string contains a lone surrogate, which UTF-8 cannot encode.")
    return plain


def json_items(values: object, name: str) -> list[tuple[str, object]]:
    """Return the items of a mapping from names to values, the names checked to be plain strings.

    Args:
        values: What was passed as ``attributes=`` or ``extra=``.
        name: What to call it in the error.

    Raises:
        InvalidClaimError: It is not a mapping, cannot be read, or a name is not a string.
    """
    if not isinstance(values, Mapping):
        raise InvalidClaimError(name, f"expected a mapping of names to values, got {type(values).__name__}.")
    try:
        return [(_key(key, name), value) for key, value in values.items()]
    except InvalidClaimError:
        raise
    except Exception as error:
        raise _unreadable(name) from error


def _without(*methods: str) -> Callable[[type[_T]], type[_T]]:
    """Make a class refuse the methods that would change it."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise TypeError("This value is immutable; make a new MessengerUser or Company instead.")

    def decorate(kind: type[_T]) -> type[_T]:
        for name in methods:
            setattr(kind, name, refuse)
        return kind

    return decorate


@_without("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update")
class FrozenDict(dict[str, Any]):
    """A dict that refuses to be changed, so that what was checked is what is signed."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        """Copy and pickle as a whole, since items cannot be set one by one."""
        return type(self), (dict(self),)


@_without("__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "clear", "extend", "insert")
@_without("pop", "remove", "reverse", "sort")
class FrozenList(list[Any]):
    """A list that refuses to be changed."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[FrozenList], tuple[list[Any]]]:
        """Copy and pickle as a whole."""
        return type(self), (list(self),)


def frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a plain JSON value whose lists and dicts refuse to be changed, all the way down."""
    if isinstance(value, dict):
        return FrozenDict({name: frozen(item) for name, item in value.items()})
    return FrozenList(map(frozen, value)) if isinstance(value, list) else value


def thawed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return what :func:`frozen` was given: fresh, plain lists and dicts."""
    if type(value) is FrozenDict:
        return {name: thawed(item) if type(item) in _FROZEN else item for name, item in value.items()}
    return list(map(thawed, value)) if type(value) is FrozenList else value


_FROZEN = (FrozenDict, FrozenList)


def has_unsafe_integer(value: object) -> bool:
    """Tell whether a plain JSON value contains an integer that a browser would round."""
    if isinstance(value, int):
        return abs(value) > MAX_SAFE_INTEGER
    if isinstance(value, dict):
        return any(map(has_unsafe_integer, value.values()))
    return isinstance(value, list) and any(map(has_unsafe_integer, value))


class _Walk:
    """One walk through a value: whose it is, which containers it is inside of, how much it has seen."""

    __slots__ = ("inside", "name", "seen")

    def __init__(self, name: str) -> None:
        self.name = name
        self.inside: list[int] = []
        self.seen = 0

    def enter(self, container: Collection[object]) -> None:
        self.seen += len(container)
        if id(container) in self.inside:
            self.refuse("contains itself")
        if len(self.inside) == MAX_DEPTH:
            self.refuse(f"is nested deeper than {MAX_DEPTH} levels")
        if self.seen > MAX_VALUES:
            self.refuse(f"has more than {MAX_VALUES} values")
        self.inside.append(id(container))

    def leave(self) -> None:
        self.inside.pop()

    def refuse(self, what: str) -> NoReturn:
        raise InvalidClaimError(self.name, f"the value {what}; send fewer, flat values.")


def _unreadable(name: str) -> InvalidClaimError:
    return InvalidClaimError(name, "the value cannot be converted to JSON; convert it to plain Python values first.")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# Each handler converts first and checks the result: a lazy object answers for the value behind it, and a
# subclass may override whatever would be checked.


@singledispatch
def _plain(value: object, walk: _Walk) -> Any:  # noqa: ANN401
    raise InvalidClaimError(
        walk.name,
        f"{type(value).__name__} is not a JSON type; convert it to a str, int, float, bool, list or dict first.",
    )


@_plain.register(type(None))
def _(_value: None, _walk: _Walk) -> None:
    return None


@_plain.register(bool)
def _(value: bool, _walk: _Walk) -> bool:  # noqa: FBT001
    return value == True  # noqa: E712 - a lazy object answers this with a plain bool


@_plain.register(str)
def _(value: str, walk: _Walk) -> str:
    return json_string(value, walk.name)


@_plain.register(int)
def _(value: int, walk: _Walk) -> int:
    plain = int.__int__(value.__int__())
    if plain.bit_length() > _MAX_INTEGER_BITS:
        raise InvalidClaimError(walk.name, "the integer is too large for JSON readers; send it as a str.")
    return plain


@_plain.register(float)
def _(value: float, walk: _Walk) -> float:
    plain = float.__float__(value.__float__())
    if not math.isfinite(plain):
        raise InvalidClaimError(walk.name, "JSON has no NaN or infinity.")
    return plain


@_plain.register(datetime)
def _(value: datetime, walk: _Walk) -> int:
    if value.utcoffset() is None:
        raise InvalidClaimError(
            walk.name,
            "a naive datetime depends on the machine's time zone; use an aware one, such as datetime.now(UTC).",
        )
    return math.floor(value.timestamp())


@_plain.register(Mapping)
def _(value: Mapping[object, object], walk: _Walk) -> dict[str, Any]:
    walk.enter(value)
    plain = {_key(key, walk.name): _plain(item, walk) for key, item in value.items()}
    walk.leave()
    return plain


@_plain.register(list)
@_plain.register(tuple)
def _(value: list[object] | tuple[object, ...], walk: _Walk) -> list[Any]:
    walk.enter(value)
    plain = [_plain(item, walk) for item in value]
    walk.leave()
    return plain


def _key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise InvalidClaimError(name, f"expected names of type str, got {type(key).__name__}.")
    return json_string(key, name)
