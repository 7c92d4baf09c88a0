"""What was asked of an org and answered, written down without anything that could be used or that names anybody."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The members whose text tells faults apart. The text of every other member is kept back.
_TELLING = frozenset(
    {"authMode", "authorizationType", "capabilitiesVersion", "code", "error", "errorCode", "message", "platform"}
)

_HEADERS = frozenset({"cache-control", "content-type"})

_SCRUBBED = (
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
        path: The path of its address, without the query.
        request: What was sent, as JSON; ``None`` for nothing.
        status: The status of the answer.
        headers: The headers of the answer that matter.
        answer: What came back, as JSON, or a note of what it was.
    """

    method: str
    path: str
    request: Any
    status: int
    headers: Mapping[str, str]
    answer: Any


def redacted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value with the same shape, keeping back every text but those that tell faults apart.

    Of a subject its kind is kept (``/AUTH/`` or ``/UNAUTH/``), not whom it names.

    Args:
        value: The value.
    """
    return _redacted(value, "")


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that matter, by their names in lower case.

    Args:
        headers: All of them.
    """
    return {name.lower(): value for name, value in headers.items() if name.lower() in _HEADERS}


def to_json(exchanges: Sequence[Exchange]) -> str:
    """Return a transcript as a JSON document.

    Args:
        exchanges: What was asked and answered, in order.
    """
    return json.dumps({"version": 1, "exchanges": [asdict(each) for each in exchanges]}, indent=2) + "\n"


def from_json(document: str) -> list[Exchange]:
    """Read a transcript.

    Args:
        document: What :func:`to_json` returned.

    Raises:
        ValueError: It is no such document.
    """
    try:
        return [Exchange(**each) for each in json.loads(document)["exchanges"]]
    except (TypeError, KeyError) as error:
        raise ValueError("This is no transcript.") from error


def _redacted(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _redacted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name == "subject":
        return next((f"v2/iamessage{kind}<redacted>" for kind in ("/UNAUTH/", "/AUTH/") if kind in value), "<redacted>")
    return _scrubbed(value) if name in _TELLING else f"<text of {len(value)} characters>"


def _scrubbed(text: str) -> str:
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return text
