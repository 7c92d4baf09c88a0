"""A transcript of what an org was asked and answered, without secrets and without anything that names a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# The members whose strings tell one failure from another. The string of every other member is dropped.
_KEPT = frozenset(
    {"authMode", "authorizationType", "capabilitiesVersion", "code", "error", "errorCode", "message", "platform"}
)

_KEPT_HEADERS = frozenset({"cache-control", "content-type"})

_REDACTED = (
    (re.compile(r"eyJ[\w-]+(\.[\w-]*)*"), "<token>"),
    (re.compile(r"[^\s@\"']+@[^\s@\"']+\.[^\s@\"']+"), "<e-mail address>"),
    (re.compile(r"https?://[^\s\"']+"), "<address>"),
    (re.compile(r"\b(?=[a-zA-Z]*\d)[a-zA-Z0-9]{15,}\b"), "<id>"),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, redacted.

    Attributes:
        method: The method of the request.
        path: The path of its URL, without the query.
        request: The JSON that was sent; ``None`` without a body.
        status: The status code of the answer.
        headers: ``cache-control`` and ``content-type`` of the answer.
        answer: The JSON of the answer, or its length if it is not JSON.
    """

    method: str
    path: str
    request: Any
    status: int
    headers: Mapping[str, str]
    answer: Any


def redacted(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value of the same shape, keeping only the strings that tell one failure from another.

    Of a subject only its kind is kept (``/AUTH/``, ``/UNAUTH/`` or ``/ANON/``).

    Args:
        value: The value.
        name: The name of the member that holds it.
    """
    if isinstance(value, dict):
        return {key: redacted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name == "subject":
        return next(
            (f"v2/iamessage{kind}<redacted>" for kind in ("/UNAUTH/", "/ANON/", "/AUTH/") if kind in value),
            "<redacted>",
        )
    if name not in _KEPT:
        return f"<string of {len(value)} characters>"
    for pattern, replacement in _REDACTED:
        value = pattern.sub(replacement, value)
    return value


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a transcript keeps.

    Args:
        headers: All headers, by their names in lower case.
    """
    return {name: value for name, value in headers.items() if name in _KEPT_HEADERS}


def to_json(exchanges: Sequence[Exchange]) -> str:
    """Return a transcript as a JSON document.

    Args:
        exchanges: The requests and answers, in order.
    """
    return json.dumps({"version": 1, "exchanges": [asdict(each) for each in exchanges]}, indent=2) + "\n"
