"""From when to when a token is valid: ``exp``, ``iat`` and ``nbf``, in Unix seconds (RFC 7519 §4.1)."""

from __future__ import annotations

from fin_messenger_auth.minter import RECOMMENDED_LIFETIME
from fin_messenger_auth.token_parser import ParsedToken

from .findings import Finding, finding
from .token_checks import json_type

LONG_SECONDS = 24 * 60 * 60
"""A token that is valid for longer causes a warning."""

LEEWAY_SECONDS = 60
"""How far clocks may differ before ``iat`` and ``nbf`` count as being in the future."""

_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973
_BEYOND = 10**15


def check_validity(token: ParsedToken, name: str, now: float) -> list[Finding]:
    """Check the times in a token. That ``exp`` is there is checked elsewhere, as the platforms differ in it.

    Args:
        token: The token.
        name: Which token it is, for the findings.
        now: The time, in Unix seconds.
    """
    times = {claim: _number(token.claims[claim]) for claim in ("exp", "iat", "nbf") if claim in token.claims}
    findings: list[Finding] = []
    for claim, time in times.items():
        if time is None:
            findings.append(finding("token-time-type", claim=claim, got=json_type(token.claims[claim])))
        elif time > _MILLISECONDS:
            findings.append(finding("token-milliseconds", claim=claim))
        elif claim == "exp":
            findings += _check_expiry(time, name, now)
        elif time > now + LEEWAY_SECONDS:
            findings.append(finding("token-not-yet-valid", token=name, claim=claim, ahead=duration(time - now)))
    expiry, issued = times.get("exp"), times.get("iat")
    if expiry is not None and issued is not None and 0 < expiry - issued < RECOMMENDED_LIFETIME.total_seconds():
        findings.append(finding("lifetime-short", token=name, lifetime=duration(expiry - issued)))
    return findings


def duration(seconds: float) -> str:
    """Return a span of time in the unit that suits it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _check_expiry(expiry: float, name: str, now: float) -> list[Finding]:
    if expiry <= now:
        return [finding("token-expired", token=name, ago=duration(now - expiry))]
    if expiry - now > LONG_SECONDS + LEEWAY_SECONDS:
        return [finding("token-lifetime-long", token=name, lifetime=duration(expiry - now))]
    return []


def _number(value: object) -> float | None:
    """Return a JSON number, limited to a range in which floats are exact."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(max(-_BEYOND, min(value, _BEYOND)))
