"""Values as people pass them, checked once: configured texts and plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import Any, Final, NoReturn

from .errors import ConfigurationError, InvalidClaimError

fill: Final = object.__setattr__
"""How an immutable object fills itself in ``__init__``."""

MAX_DEPTH = 64
"""How deep lists and objects may be nested. Real attributes are flat (see ``users``)."""

_MAX_INTEGER_BITS = 1023  # the largest a JSON reader can hold that keeps numbers as doubles (RFC 8259 §6)


def configured_text(value: object, name: str) -> str:
    """Return ``value``, checked to be a text that is not blank.

    Args:
        value: What the application was configured with. It is taken byte for byte, never trimmed.
        name: What to call it in the error.

    Raises:
        ConfigurationError: It is no ``str``, blank, or holds a lone surrogate.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a str, not {type(value).__name__}.")
    if not value.strip():
        raise ConfigurationError(f"{name} is blank.")
    if not _is_unicode(value):
        raise ConfigurationError(f"{name} holds bytes that are not UTF-8.")
    return value


def json_value(value: object, name: str) -> Any:  # noqa: ANN401 - JSON is what its reader makes of it
    """Return a fresh copy of ``value`` that is made of plain JSON values only.

    Types are kept: ``False``, ``0``, ``""`` and ``None`` come back as they are. Tuples become lists,
    aware datetimes become Unix seconds, subclasses (``IntEnum``, Django's ``SafeString``) their base.

    Args:
        value: The value of one attribute or setting. It is not changed.
        name: The name of that attribute or setting, for the error.

    Raises:
        InvalidClaimError: JSON has no such value (NaN, infinity, sets, bytes, objects, keys that are
            no strings), or no reader could be trusted with it: lone surrogates, integers beyond the
            range of a double, naive datetimes, cycles, nesting deeper than :data:`MAX_DEPTH`.
    """
    return _plain(value, name, frozenset())


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@singledispatch
def _plain(value: object, name: str, within: frozenset[int]) -> Any:  # noqa: ANN401, ARG001
    raise InvalidClaimError(
        name, f"{type(value).__name__} is no JSON value; convert it to a str, int, float, bool, list or dict first."
    )


@_plain.register(type(None))
@_plain.register(bool)
def _(value: bool | None, _name: str, _within: frozenset[int]) -> bool | None:  # noqa: FBT001
    return value


@_plain.register(str)
def _(value: str, name: str, _within: frozenset[int]) -> str:
    if not _is_unicode(value):
        raise InvalidClaimError(name, "the text holds a lone surrogate, which UTF-8 cannot carry.")
    return str.__str__(value[:])  # the slice looks through a lazy object, __str__ through a subclass


@_plain.register(int)
def _(value: int, name: str, _within: frozenset[int]) -> int:
    if value.bit_length() > _MAX_INTEGER_BITS:
        raise InvalidClaimError(name, "the integer is too large for a JSON reader; send it as a str.")
    return value.__int__()  # which a lazy object answers too, and a subclass with its base


@_plain.register(float)
def _(value: float, name: str, _within: frozenset[int]) -> float:
    if not math.isfinite(value):
        raise InvalidClaimError(name, "JSON has no NaN and no infinity.")
    return value.__float__()


@_plain.register(datetime)
def _(value: datetime, name: str, _within: frozenset[int]) -> int:
    if value.utcoffset() is None:
        raise InvalidClaimError(
            name, "a naive datetime would be off by the machine's time zone; use an aware one, as datetime.now(UTC)."
        )
    return math.floor(value.timestamp())


@_plain.register(Mapping)
def _(value: Mapping[object, object], name: str, within: frozenset[int]) -> dict[str, Any]:
    within = _one_deeper(value, name, within)
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidClaimError(name, f"the keys of a JSON object are str, not {type(key).__name__}.")
        plain[_plain(key, name, within)] = _plain(item, name, within)
    return plain


@_plain.register(list)
@_plain.register(tuple)
def _(value: list[object] | tuple[object, ...], name: str, within: frozenset[int]) -> list[Any]:
    within = _one_deeper(value, name, within)
    return [_plain(item, name, within) for item in value]


def _one_deeper(container: object, name: str, within: frozenset[int]) -> frozenset[int]:
    if id(container) in within:
        _refuse_nesting(name, "contains itself")
    if len(within) == MAX_DEPTH:
        _refuse_nesting(name, f"is nested deeper than {MAX_DEPTH} levels")
    return within | {id(container)}


def _refuse_nesting(name: str, what: str) -> NoReturn:
    raise InvalidClaimError(name, f"the value {what}; flatten it.")
