"""Fills the marks in the pages of a Django site, and completes their headers."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.signals import user_logged_out
from django.http import FileResponse
from django.http.response import ResponseHeaders
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import Promise

from fin_messenger_auth.contrib._visit import OF_THE_CONTENT, Visit, decides_caching, filled_parts, is_text
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page._mark import MARK_START, Uncut, make_mark
from fin_messenger_auth.page._snippet import Snippet

from .apps import DJANGO, configured

__all__ = ["FinMessengerMiddleware"]


class FinMessengerMiddleware(MiddlewareMixin):
    """Fills the marks of the template tag with scripts for the user of the request.

    It marks pages with tokens ``private, no-store``, and expires the Messenger's cookies at a sign-out.

    Raises:
        ConfigurationError: The configuration is invalid, so the server does not start.
        KeyUnavailableError: A key cannot be read.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        configured()
        user_logged_out.connect(_signed_out)

    def process_request(self, request: Any) -> None:
        """Remember the request's visit."""
        request.fin_messenger = Visit(configured(), request)

    def process_response(self, request: Any, response: Any) -> Any:
        """Fill and complete the response; of an async site in a thread, where the database can be asked."""
        kind, visit = response.get("Content-Type", ""), request.fin_messenger
        if is_text(kind) and not isinstance(response, FileResponse):
            if response.streaming:
                fill = visit.filler(kind, is_streamed=True)
                filled = _afilled if response.is_async else filled_parts
                response.streaming_content = filled(response.streaming_content, fill)
            elif (filled := visit.filled(response.content, kind)) is not None:
                response.content = filled
                if "Content-Length" in response:
                    response["Content-Length"] = len(filled)
                for name in OF_THE_CONTENT:
                    del response[name]
        visit.complete(response)
        if visit.is_private:
            response.headers.__class__ = _PrivateHeaders
        return response


class _PrivateHeaders(ResponseHeaders):
    """The headers of a page with tokens, in which a middleware outside can no longer tell a cache to keep it."""

    def __setitem__(self, key: str, value: Any) -> None:
        if not decides_caching(key):
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if not decides_caching(key):
            super().__delitem__(key)


def mark(**display: Any) -> Snippet:
    """Return the mark of a page, for the tag and for Jinja2. An empty variable counts as left out."""
    if "nonce" in display:
        raise ConfigurationError("nonce: a template's part of the page may stand in a cache. Set request.csp_nonce.")
    given = {name: str(value) if isinstance(value, Promise) else value for name, value in display.items()}
    return make_mark(given, DJANGO.secrets()[0], identify="IDENTIFY", settings="SETTINGS")


def _signed_out(request: Any = None, **_signal: object) -> None:
    if hasattr(request, "fin_messenger"):
        request.fin_messenger.signed_out = True


async def _afilled(parts: AsyncIterable[bytes], fill: Callable[[bytes], bytes]) -> AsyncIterator[bytes]:
    uncut = Uncut()
    async for part in parts:
        whole = uncut.feed(part)
        yield await sync_to_async(fill)(whole) if MARK_START in whole else whole
    yield fill(uncut.end())
