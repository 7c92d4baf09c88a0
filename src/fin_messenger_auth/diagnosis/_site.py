"""Fetches a page of a running site, and what its renewal script fetches in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urljoin

from ._http import NoAnswerError, origin_of, send
from ._page_checks import Document
from ._page_reader import decoded, read_page

_MODULE = "fin-messenger-auth"
_ASKS = {"X-Fin-Messenger": "1"}  # the header with which the module asks


def fetch_site(url: str, headers: Mapping[str, str], *, also_without_session: bool = False) -> Document:
    """Fetch a page, and once each, within its origin: its renewal script, the script's endpoint, the page for nobody.

    Args:
        url: The address of the page.
        headers: The headers to send, the session's cookie among them.
        also_without_session: Whether to fetch the page without the cookie, too.

    Returns:
        The page; :attr:`Document.failure` says why there is none.
    """
    page = _fetch(url, headers)
    others = [
        replace(_fetch(address, {**headers, **_ASKS} if role == "endpoint" else headers), role=role)
        for role, address in dict.fromkeys(_targets(page))
        if origin_of(address) == origin_of(page.url)
    ]
    without = {name: value for name, value in headers.items() if name.lower() not in ("cookie", "authorization")}
    if also_without_session and len(without) < len(headers):
        others.append(replace(_fetch(url, without), role="nobody"))
    return replace(page, others=tuple(others))


def _fetch(url: str, headers: Mapping[str, str]) -> Document:
    try:
        answer = send(url, headers)
    except NoAnswerError as error:
        return Document("", url=url, asked=url, failure=str(error))
    text = decoded(answer.body, answer.headers.get("content-type", ""))
    return Document(text, answer.headers, answer.status, url=answer.url, asked=url, target=answer.target)


def _targets(page: Document) -> Iterator[tuple[str, str]]:
    """Yield what the page's own renewal script is, and which endpoint it asks."""
    read = read_page(page.text)
    for module in read.imports:
        if _MODULE in module:
            yield "script", urljoin(page.url, module)
    for asked in read.requests:
        if any("startMessenger(" in source and asked in source for _, source in read.scripts):
            yield "endpoint", urljoin(page.url, asked)
