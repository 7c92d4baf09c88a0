"""One request over the network, by the standard library: with a time limit, without redirects, and written down."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .transcript import Exchange, redacted, redacted_headers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPMessage

TIMEOUT_SECONDS = 10
"""How long to wait for an answer."""

_LARGEST_ANSWER = 1_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoAnswerError(Exception):
    """Nothing answered. The text says why, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status.
        headers: The headers, by their names in lower case.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; ``None`` if it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    @property
    def date(self) -> float | None:
        """The server's clock, in Unix seconds, if it told."""
        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return None


@dataclass(slots=True)
class Client:
    """What asks, and keeps a transcript.

    Attributes:
        exchanges: What was asked and answered so far, redacted.
    """

    exchanges: list[Exchange] = field(default_factory=list)

    def ask(self, address: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request: a ``POST`` of ``body`` as JSON, or a ``GET`` without one.

        Args:
            address: An address that :func:`is_allowed` allows.
            body: What to send.

        Raises:
            NoAnswerError: Nothing answered.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - is_allowed has seen the address
            address, data=data, headers={"Accept": "application/json", "Content-Type": "application/json"}
        )
        try:
            answer = _open(request)
        except URLError as error:
            raise NoAnswerError(_reason(error.reason)) from error
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that HTTP cannot carry
            raise NoAnswerError(_reason(error)) from error
        self.exchanges.append(
            Exchange(
                method=request.get_method(),
                path=urlsplit(address).path,
                request=redacted(body),
                status=answer.status,
                headers=redacted_headers(answer.headers),
                answer=f"<{len(answer.body)} bytes, no JSON object>" if answer.json is None else redacted(answer.json),
            )
        )
        return answer


def is_allowed(address: str) -> bool:
    """Tell whether a token may be sent to an address: over ``https``, or to this machine itself.

    Args:
        address: The address.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


class _NoRedirect(HTTPRedirectHandler):
    """Leaves a redirect as an answer: a token goes nowhere but where it was sent."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the shape that urllib calls
        self,
        req: Request,  # noqa: ARG002
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: HTTPMessage,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


def _open(request: Request) -> Answer:
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as response:
            return _answer(response.status, response)
    except HTTPError as error:
        with error:
            return _answer(error.code, error)


def _answer(status: int, response: Any) -> Answer:  # noqa: ANN401 - HTTPResponse and HTTPError share no type
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=status, headers=headers, body=response.read(_LARGEST_ANSWER))


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its TLS certificate cannot be verified"
    return f"{type(error).__name__}"
