"""Makes one HTTP request with one deadline, a limit of size, and within one origin."""

from __future__ import annotations

import json
import ssl
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from socket import gaierror
from string import punctuation
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPErrorProcessor, ProxyHandler, Request, build_opener

from fin_messenger_auth._json_values import parse_json

from ._page_reader import MAX_LENGTH
from ._transcript import redacted

TIMEOUT_SECONDS = 10
"""How long to wait for an answer."""

THREAD = "fin-messenger-auth-request"
"""The name of the thread that waits for an answer."""

_REASONS = {
    TimeoutError: f"no answer within {TIMEOUT_SECONDS} seconds",
    ssl.SSLCertVerificationError: "its TLS certificate cannot be verified; SSL_CERT_FILE can name one of your own",
    ssl.SSLError: "it does not speak TLS",
    gaierror: "its host name is unknown",
    ConnectionRefusedError: "nothing listens there",
    zlib.error: "its body is not gzip",
}
_CHUNK_BYTES = 65_536
_GZIP = 16 + zlib.MAX_WBITS
_REDIRECTS, _MAX_REDIRECTS = (301, 302, 303, 307, 308), 10
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoAnswerError(Exception):
    """There was no HTTP answer. The message says why, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The status code.
        headers: The headers, by their names in lower case; several of one name are joined with commas.
        body: The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; ``None`` if it is anything else."""
        value = parse_json(self.body)
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
        exchanges: The requests and answers so far, redacted: ``method``, ``path``, ``request``, ``status``, ``answer``.
    """

    exchanges: list[dict[str, Any]] = field(default_factory=list)

    def send(self, url: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request: a ``POST`` of ``body`` as JSON, or a ``GET`` without one. No redirect is followed.

        Args:
            url: An ``https`` URL, or an ``http`` URL of this machine itself.
            body: The JSON object to send.

        Raises:
            ~fin_messenger_auth.diagnosis._http.NoAnswerError: There was no HTTP answer.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        answer = _open(url, headers, data, time.monotonic() + TIMEOUT_SECONDS)
        said = f"<{len(answer.body)} bytes, not JSON>" if answer.json is None else redacted(answer.json)
        asked = {"method": "GET" if data is None else "POST", "path": urlsplit(url).path, "request": redacted(body)}
        self.exchanges.append({**asked, "status": answer.status, "answer": said})
        return answer


def fetch_page(url: str, headers: Mapping[str, str], *, seconds: float | None = None) -> Answer:
    """Fetch a page as a browser would, with headers that go to its origin only: no redirect leaves it.

    Raises:
        NoAnswerError: The URL is neither ``https`` nor of this machine; there was no whole answer in time.
    """
    end = time.monotonic() + (TIMEOUT_SECONDS if seconds is None else seconds)
    visited = {url}
    while True:
        answer = _open(url, {"Accept": "text/html, application/json", **headers}, None, end)
        target = urljoin(url, quote(answer.headers.get("location", ""), safe=punctuation))
        goes_on = answer.status in _REDIRECTS and urlsplit(url)[:2] == urlsplit(target)[:2]
        if not goes_on or target in visited or len(visited) > _MAX_REDIRECTS:
            return answer
        visited.add(target)
        url = target


def is_allowed(url: str) -> bool:
    """Tell whether a token or a cookie may be sent to a URL: over ``https``, or to this machine itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


class _AsItIs(HTTPErrorProcessor):
    """Returns every answer: an error is one, too, and a token goes only to the URL that it was sent to."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002 - inherited
        return response

    https_response = http_response


def _open(url: str, headers: Mapping[str, str], data: bytes | None, end: float) -> Answer:
    """Send a request, with one deadline for all of it: a server that sends a byte now and then cannot prolong it."""
    if not is_allowed(url):
        raise NoAnswerError("it must start with https://, or be on this machine")
    coming: Future[Answer] = Future()
    request = Request(url, data, dict(headers))  # noqa: S310 - checked above
    Thread(target=_attempt, args=(request, end, coming), name=THREAD, daemon=True).start()
    try:
        return coming.result(end - time.monotonic())
    except TimeoutError as error:
        raise NoAnswerError(_reason(error)) from None


def _attempt(request: Request, end: float, coming: Future[Answer]) -> None:
    no_proxy = [ProxyHandler({})] if request.type == "http" else []  # it is for this machine
    try:
        with build_opener(_AsItIs, *no_proxy).open(request, timeout=max(0.01, end - time.monotonic())) as response:
            names = dict.fromkeys(map(str.lower, response.headers))
            headers = {name: ", ".join(response.headers.get_all(name)) for name in names}
            coming.set_result(Answer(response.status, headers, _body(response, headers, end)))
    except NoAnswerError as error:
        coming.set_exception(error)
    except (OSError, HTTPException, ValueError, zlib.error) as error:  # ValueError: a URL that HTTP cannot carry
        coming.set_exception(NoAnswerError(_reason(error.reason if isinstance(error, URLError) else error)))


def _body(response: HTTPResponse, headers: Mapping[str, str], end: float) -> bytes:
    """Read the whole body; some servers compress it although nobody asked."""
    encoding = headers.get("content-encoding", "")
    if encoding not in ("", "identity", "gzip"):
        raise NoAnswerError("its Content-Encoding is one that was not asked for")
    unpack = zlib.decompressobj(_GZIP).decompress if encoding == "gzip" else lambda chunk, _: chunk
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += unpack(chunk, MAX_LENGTH)
        if len(body) >= MAX_LENGTH:
            raise NoAnswerError(f"it is larger than {MAX_LENGTH / 1e6:.0f} MB")
        if time.monotonic() > end:
            raise TimeoutError
    if response.length:
        raise NoAnswerError("it ends before its Content-Length")
    return bytes(body)


def _reason(error: object) -> str:
    said = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), "")
    return f"{said} ({type(error).__name__})" if said else type(error).__name__
