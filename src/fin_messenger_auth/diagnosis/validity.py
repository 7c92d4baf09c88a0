"""From when to when a token is valid: ``exp``, ``iat`` and ``nbf``, in Unix seconds (RFC 7519 §4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from fin_messenger_auth.minter import RECOMMENDED_LIFETIME
from fin_messenger_auth.token_parser import ParsedToken

from .findings import Finding, finding

LONG_SECONDS = 24 * 60 * 60
"""A token that is valid for longer causes a warning."""

LEEWAY_SECONDS = 60
"""How far clocks may differ before ``iat`` and ``nbf`` count as being in the future."""

_TIMES = ("exp", "iat", "nbf")
_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973
_BEYOND = 10**15
_NUMBER = "a number"
_JSON_TYPES = {str: "a string", bool: "a boolean", int: _NUMBER, float: _NUMBER, list: "a list", dict: "an object"}


def check_validity(token: ParsedToken, name: str, now: float) -> Iterator[Finding]:
    """Check the times in a token, in Unix seconds, at the time ``now``."""
    claims = token.claims
    for claim, value in claims.items():
        if (claim in _TIMES or claim.endswith("_at")) and is_in_milliseconds(value):
            yield finding("token-milliseconds", claim=claim)
    times = {claim: _number(claims[claim]) for claim in _TIMES if claim in claims}
    for claim, time in times.items():
        if time is None:
            yield finding("token-time-type", claim=claim, got=json_type(claims[claim]))
        elif not is_in_milliseconds(time):
            yield from _compare(claim, time, name, now)
    if "exp" not in claims:
        yield finding(f"{name.partition('_')[0]}-expiry-missing")
    expiry, issued = times.get("exp"), times.get("iat")
    if expiry is not None and issued is not None and 0 < expiry - issued < RECOMMENDED_LIFETIME.total_seconds():
        yield finding("lifetime-short", token=name, lifetime=duration(expiry - issued))


def _compare(claim: str, time: float, name: str, now: float) -> Iterator[Finding]:
    if claim != "exp" and time > now + LEEWAY_SECONDS:
        yield finding("token-not-yet-valid", token=name, claim=claim, ahead=duration(time - now))
    elif claim == "exp" and time <= now:
        yield finding("token-expired", token=name, ago=duration(now - time))
    elif claim == "exp" and time > now + LONG_SECONDS + LEEWAY_SECONDS:
        yield finding("token-lifetime-long", token=name, lifetime=duration(time - now))


def is_in_milliseconds(value: object) -> bool:
    """Tell whether a JSON value is a time in milliseconds: as seconds it would be thousands of years away."""
    number = _number(value)
    return number is not None and number > _MILLISECONDS


def duration(seconds: float) -> str:
    """Return a span of time in the unit that suits it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def json_type(value: object) -> str:
    """Return the JSON type of a value, with its article."""
    return _JSON_TYPES.get(type(value), "null")


def _number(value: object) -> float | None:
    """Return a JSON number, limited to a range in which floats are exact."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(max(-_BEYOND, min(value, _BEYOND)))
