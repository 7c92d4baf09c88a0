"""Records what an org was asked and answered, without secrets and without anything that names a person."""

from __future__ import annotations

import re
from typing import Any

# The names that the platform documents, and ours; another name could be a person's.
_NAMES = frozenset(
    {"accessToken", "appName", "authMode", "authorizationType", "capabilitiesVersion", "clientVersion", "code"}
    | {"context", "customerIdentityToken", "deviceId", "embeddedServiceConfig", "embeddedServiceMessagingChannel"}
    | {"endUser", "error", "errorCode", "esDeveloperName", "message", "orgId", "platform", "subject"}
    | {"alg", "e", "keys", "kid", "kty", "n", "use", "x5c"}
)

# The members whose strings tell one failure from another, where they are one word. Every other string is dropped.
_KEPT = frozenset({"authMode", "authorizationType", "capabilitiesVersion", "code", "error", "errorCode", "platform"})
_WORD = re.compile(r"[A-Za-z_.]{1,40}|\d{1,3}")

# What a refusal says: it could name a person before or after.
_PHRASES = ("no active authSchemes", "User Verification isn't enabled", "User Verification is not enabled")

_MANY = 1000  # a larger number could be of a person


def redacted(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value of the same shape, with the strings that tell failures apart, and of a subject its kind."""
    if isinstance(value, dict):
        return {
            key if key in _NAMES else f"<name {number}>": redacted(item, key)
            for number, (key, item) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if isinstance(value, int | float) and abs(value) >= _MANY:
        return "<number>"
    if not isinstance(value, str) or (name in _KEPT and _WORD.fullmatch(value)):
        return value
    if name == "subject":
        kind = next((each for each in ("/UNAUTH/", "/ANON/", "/AUTH/") if each in value), None)
        return "<redacted>" if kind is None else f"v2/iamessage{kind}<redacted>"
    phrase = next((each for each in _PHRASES if each.lower() in value.lower()), None)
    return phrase or f"<string of {len(value)} characters>"
