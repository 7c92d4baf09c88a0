"""From when to when a token is valid: ``exp``, ``iat`` and ``nbf``, in Unix seconds (RFC 7519 §4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .compact import kind_of
from .findings import finding

if TYPE_CHECKING:
    from .compact import ReadToken
    from .findings import Finding

SHORT_SECONDS = 300
"""A token that lives shorter is warned of."""

LONG_SECONDS = 24 * 60 * 60
"""A token that is valid for longer is warned of."""

LEEWAY_SECONDS = 60
"""How far clocks may differ before ``iat`` and ``nbf`` count as lying in the future."""

_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973
_BEYOND = 10**15


def check_validity(token: ReadToken, name: str, now: float) -> list[Finding]:
    """Check the times of a token; that ``exp`` is there is for the caller to ask.

    Args:
        token: The token, taken apart.
        name: Which token it is, for the findings.
        now: The time, in Unix seconds.
    """
    expiry, issued = _number(token.claims.get("exp")), _number(token.claims.get("iat"))
    findings = [
        *_check_expiry(token.claims, expiry, name, now),
        *_check_issue_time(token.claims, issued, now),
        *_check_not_before(token.claims, name, now),
    ]
    if expiry is not None and issued is not None and 0 < expiry - issued < SHORT_SECONDS:
        findings.append(finding("token-lifetime-short", token=name, lifetime=duration(expiry - issued)))
    return findings


def duration(seconds: float) -> str:
    """Return a span of time in the unit that suits it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _check_expiry(claims: dict[str, Any], expiry: float | None, name: str, now: float) -> list[Finding]:
    if "exp" not in claims:
        return []
    if expiry is None:
        return [finding("token-exp-not-a-number", got=kind_of(claims["exp"]))]
    if expiry > _MILLISECONDS:
        return [finding("token-exp-milliseconds")]
    if expiry <= now:
        return [finding("token-expired", token=name, ago=duration(now - expiry))]
    if expiry - now > LONG_SECONDS + LEEWAY_SECONDS:
        return [finding("token-lifetime-long", token=name, lifetime=duration(expiry - now))]
    return []


def _check_issue_time(claims: dict[str, Any], issued: float | None, now: float) -> list[Finding]:
    if "iat" not in claims:
        return []
    if issued is None:
        return [finding("token-iat-not-a-number", got=kind_of(claims["iat"]))]
    if issued > _MILLISECONDS:
        return [finding("token-iat-milliseconds")]
    if issued > now + LEEWAY_SECONDS:
        return [finding("token-iat-future", ahead=duration(issued - now))]
    return []


def _check_not_before(claims: dict[str, Any], name: str, now: float) -> list[Finding]:
    if "nbf" not in claims:
        return []
    start = _number(claims["nbf"])
    if start is None:
        return [finding("token-nbf-not-a-number", got=kind_of(claims["nbf"]))]
    if start > now + LEEWAY_SECONDS:
        return [finding("token-not-yet-valid", token=name, ahead=duration(start - now))]
    return []


def _number(value: object) -> float | None:
    """Return a JSON number, held within what can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(max(-_BEYOND, min(value, _BEYOND)))
