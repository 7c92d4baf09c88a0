"""Sends one HTTP request: with one deadline for all of it, a limit of size, and within one origin."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

TIMEOUT_SECONDS, MAX_BYTES, MAX_REDIRECTS = 10, 8_000_000, 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Why there is no answer, by the name of an error; the name of another one says it itself.
_REASONS = {
    "TimeoutError": f"no answer within {TIMEOUT_SECONDS} seconds",
    "SSLCertVerificationError": "its TLS certificate cannot be verified; SSL_CERT_FILE can name one of your own",
    "NameResolutionError": "its host name is unknown",
    "NewConnectionError": "nothing listens there",
    "ModuleNotFoundError": 'requests need the extra: pip install "fin-messenger-auth[doctor]"',
}


class NoAnswerError(Exception):
    """There was no HTTP answer. The message says why, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: headers by their names in lower case, the body decompressed, and where it redirects to."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    target: str = ""


def send(url: str, headers: Mapping[str, str], json: object = None) -> Answer:
    """Send a ``POST`` of JSON, or else a ``GET``, and follow redirects within the origin.

    Raises:
        NoAnswerError: The URL is neither ``https`` nor of this machine; there was no whole answer in time.
    """
    if not is_allowed(url):
        raise NoAnswerError("it must start with https://, or be on this machine")
    coming: Future[Answer] = Future()  # a thread: no time-out ends a name server, or headers that drip
    Thread(target=_settle, args=(coming, url, headers, json, time.monotonic() + TIMEOUT_SECONDS), daemon=True).start()
    try:
        return coming.result(TIMEOUT_SECONDS)
    except TimeoutError:
        raise NoAnswerError(_REASONS["TimeoutError"]) from None


def is_allowed(url: str) -> bool:
    """Tell whether a token or a cookie may be sent to a URL: over ``https``, or to this machine itself."""
    scheme, host, _ = origin_of(url)
    return bool(host) and (scheme == "https" or (scheme == "http" and host in LOOPBACK))


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL; blank ones for what is no URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None


def joined(base: str, url: str) -> str:
    """Return the address that a page or an answer names; blank for what is no URL."""
    try:
        return urljoin(base, url)
    except ValueError:
        return ""


def _settle(coming: Future[Answer], *request: Any) -> None:  # noqa: ANN401 - the arguments of _request
    try:
        coming.set_result(_request(*request))
    except Exception as error:  # noqa: BLE001 - each becomes the reason why there is no answer
        causes = [each for each in (*error.args, error) if isinstance(each, BaseException)]
        kinds = [kind.__name__ for each in causes for kind in type(each).__mro__]
        reason = next((f"{_REASONS[kind]} ({kind})" for kind in kinds if kind in _REASONS), type(error).__name__)
        coming.set_exception(error if isinstance(error, NoAnswerError) else NoAnswerError(reason))


def _request(url: str, headers: Mapping[str, str], json: object, end: float) -> Answer:
    import urllib3  # noqa: PLC0415 - of the extra `doctor`
    from urllib3.util import parse_url  # noqa: PLC0415

    origin = scheme, host, port = origin_of(url)
    proxy = None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(scheme)
    options: dict[str, Any] = {"retries": False, "redirect": False, "preload_content": False}
    options |= {"headers": {"Accept": "text/html, application/json", **headers}} | ({"json": json} if json else {})
    with urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager() as manager:
        pool = manager.connection_from_host(host, port, scheme)  # of this origin alone, whatever a Location says
        redirects = 0
        while True:
            path, timeout = parse_url(url).request_uri, max(0.01, end - time.monotonic())
            with closing(pool.request("POST" if json else "GET", path, timeout=timeout, **options)) as response:
                body = bytearray()
                while chunk := response.read1(65_536, decode_content=True):
                    body += chunk
                    if len(body) >= MAX_BYTES:
                        raise NoAnswerError(f"it is larger than {MAX_BYTES / 1e6:.0f} MB")
                    if time.monotonic() > end:
                        raise TimeoutError
                received = {name.lower(): response.headers[name] for name in response.headers}
                target = joined(url, response.get_redirect_location() or "")
            answer = Answer(url, response.status, received, bytes(body), "" if target == url else target)
            redirects += 1
            if redirects > MAX_REDIRECTS or not answer.target or origin_of(answer.target) != origin:
                return answer
            url = answer.target
