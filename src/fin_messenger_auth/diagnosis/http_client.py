"""One HTTP request with the standard library: with a time limit, without redirects, and kept in a transcript."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from fin_messenger_auth.json_values import read_json

from .transcript import Exchange, redacted, redacted_headers

TIMEOUT_SECONDS = 10
"""How long to wait for an answer."""

_MAX_ANSWER_BYTES = 1_000_000
_CHUNK_BYTES = 65_536
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoAnswerError(Exception):
    """There was no HTTP answer. The message says why, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The status code.
        headers: The headers, by their names in lower case.
        body: The body, up to one megabyte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; ``None`` if it is anything else."""
        try:
            value = read_json(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def date(self) -> float | None:
        """The server's time in Unix seconds, by its ``Date`` header; ``None`` without a valid one."""
        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return None


@dataclass(slots=True)
class Client:
    """Sends requests and keeps a transcript of them.

    Attributes:
        exchanges: The requests and answers so far, redacted.
    """

    exchanges: list[Exchange] = field(default_factory=list)

    def send(self, url: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request: a ``POST`` of ``body`` as JSON, or a ``GET`` without one.

        Args:
            url: An ``https`` URL, or an ``http`` URL of this machine itself.
            body: The JSON object to send.

        Raises:
            ~fin_messenger_auth.diagnosis.http_client.NoAnswerError: There was no HTTP answer.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - is_allowed has checked the URL
            url, data=data, headers={"Accept": "application/json", "Content-Type": "application/json"}
        )
        answer = _open(request, _NoRedirect)
        self.exchanges.append(
            Exchange(
                method=request.get_method(),
                path=urlsplit(url).path,
                request=redacted(body),
                status=answer.status,
                headers=redacted_headers(answer.headers),
                answer=f"<{len(answer.body)} bytes, not JSON>" if answer.json is None else redacted(answer.json),
            )
        )
        return answer


def fetch_page(url: str, headers: Mapping[str, str], *, seconds: float = TIMEOUT_SECONDS) -> Answer:
    """Fetch a page as a browser would, within one deadline. A redirect to another origin is not followed.

    Args:
        url: An ``https`` URL, or an ``http`` URL of this machine itself.
        headers: Headers to send, such as ``Cookie``; they go to this origin only.
        seconds: How long the whole of it may take.

    Raises:
        ~fin_messenger_auth.diagnosis.http_client.NoAnswerError: There was no HTTP answer in time.
    """
    if not is_allowed(url):
        raise NoAnswerError("it must start with https://, or be on this machine")
    request = Request(url, headers={"Accept": "text/html, application/json", **headers})  # noqa: S310 - checked above
    return _open(request, _SameOrigin, seconds)


def is_allowed(url: str) -> bool:
    """Tell whether a token may be sent to a URL: over ``https``, or to this machine itself.

    Args:
        url: The URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


class _NoRedirect(HTTPRedirectHandler):
    """Returns a redirect as the answer: a token goes only to the URL that it was sent to."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


class _SameOrigin(HTTPRedirectHandler):
    """Follows a redirect within the origin only, so that a cookie goes nowhere else."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the signature of the base class
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        same = urlsplit(req.full_url)[:2] == urlsplit(newurl)[:2]
        return super().redirect_request(req, fp, code, msg, headers, newurl) if same else None


def _open(request: Request, redirects: type[HTTPRedirectHandler], seconds: float = TIMEOUT_SECONDS) -> Answer:
    """Send a request, with one deadline for all of it: a server that sends a byte now and then cannot prolong it."""
    answers: SimpleQueue[Answer | NoAnswerError] = SimpleQueue()
    end = time.monotonic() + seconds
    Thread(target=lambda: answers.put(_attempt(request, redirects, end)), daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise NoAnswerError(_reason(TimeoutError())) from None
    if isinstance(answer, NoAnswerError):
        raise answer
    return answer


def _attempt(request: Request, redirects: type[HTTPRedirectHandler], end: float) -> Answer | NoAnswerError:
    no_proxy = [ProxyHandler({})] if request.type == "http" else []  # it is for this machine
    try:
        opener = build_opener(redirects, *no_proxy)
        with opener.open(request, timeout=end - time.monotonic()) as response:
            return _answer(response.status, response, end)
    except HTTPError as error:
        with error:
            return _answer(error.code, error, end)
    except URLError as error:
        return NoAnswerError(_reason(error.reason))
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a URL that HTTP cannot carry
        return NoAnswerError(_reason(error))


def _answer(status: int, response: Any, end: float) -> Answer:  # noqa: ANN401 - two types without a base
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = bytearray()
    while len(body) < _MAX_ANSWER_BYTES and time.monotonic() < end and (chunk := response.read1(_CHUNK_BYTES)):
        body += chunk
    return Answer(status=status, headers=headers, body=bytes(body[:_MAX_ANSWER_BYTES]))


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its TLS certificate cannot be verified"
    return type(error).__name__
