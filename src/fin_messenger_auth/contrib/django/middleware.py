"""Lets templates and views use the Messenger of a request, and sets its headers."""

from typing import Any, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import Promise

from fin_messenger_auth.contrib._visit import PageSettings, Visit
from fin_messenger_auth.page._snippet import Snippet

from .apps import configured

__all__ = ["FinMessengerMiddleware", "aprepare"]


class FinMessengerMiddleware(MiddlewareMixin):
    """Marks pages with tokens ``private, no-store``, and expires the Messenger's cookies at a sign-out.

    Raises:
        ConfigurationError: The configuration is invalid, so the server does not start.
        KeyUnavailableError: A key cannot be read.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        configured()
        user_logged_out.connect(self._signed_out)

    def process_request(self, request: Any) -> None:
        """Remember the request's visit."""
        request.fin_messenger = Visit(request.COOKIES, settings.SESSION_COOKIE_SECURE or request.is_secure())

    def process_response(self, request: Any, response: Any) -> Any:
        """Complete the response."""
        request.fin_messenger.complete(response, configured()[1].app_id, is_streamed=response.streaming)
        return response

    def _signed_out(self, request: Any = None, **_signal: object) -> None:
        if hasattr(request, "fin_messenger"):
            request.fin_messenger.signed_out = True


def user_of(request: Any) -> Any:
    """Return who may have tokens: nobody by ``EXCLUDE``, and nobody while an administrator shows as the user."""
    session, marks = getattr(request, "session", {}), ("hijack_history", "_impersonate", "loginas_from_user")
    others = getattr(request, "impersonator", None) or any(session.get(mark) for mark in marks)
    return None if others or configured()[0].EXCLUDE(request) else getattr(request, "user", None)


def render(request: Any, *, nonce: object = None, **public: Any) -> Snippet:
    """Return the scripts of a page; nothing by ``EXCLUDE``, and nothing if the middleware has not seen the request."""
    if not hasattr(request, "fin_messenger") or configured()[0].EXCLUDE(request):
        return Snippet()
    options, builder = configured()
    given: Any = {key: str(it) if isinstance(it, Promise) else it for key, it in public.items() if it not in (None, "")}
    nonce = nonce or getattr(request, "csp_nonce", getattr(request, "_csp_nonce", None))  # django-csp's, Django 6's
    urls = [reverse(f"fin_messenger:{name}") for name in ("renewal", "settings") if options.RENEWAL]
    scripts: Snippet = request.fin_messenger.scripts(builder.build_settings(user_of(request), **given), nonce, urls)
    if request.fin_messenger.is_private:
        request._cache_update_cache = False  # noqa: SLF001 - for cache_page, which is inside every middleware
    return scripts


async def aprepare(request: Any, *, nonce: object = None, **public: Unpack[PageSettings]) -> None:
    """Make the scripts of an async view's page, in a thread, for its template's tag, whose arguments these are."""
    request.fin_messenger_scripts = await sync_to_async(render)(request, nonce=nonce, **public)
