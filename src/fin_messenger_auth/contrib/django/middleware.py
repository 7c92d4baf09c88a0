"""The middleware: it reads the configuration when the server starts, and completes the responses."""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from fin_messenger_auth.page import NO_STORE, cookie_names

from .messenger import SIGNED_OUT, Visit, configured

__all__ = ["FinMessengerMiddleware"]


class FinMessengerMiddleware(MiddlewareMixin):
    """Marks pages with tokens ``private, no-store``, and expires the Messenger's cookies at a sign-out.

    Raises:
        ConfigurationError: The configuration is invalid, so the server does not start.
        KeyUnavailableError: A key cannot be read.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        configured()

    def process_request(self, request: Any) -> None:
        """Remember the request's visit."""
        request.fin_messenger = Visit()

    def process_response(self, request: Any, response: Any) -> Any:
        """Complete the response. A streamed page counts as one with tokens."""
        visit: Visit = request.fin_messenger
        if visit.signed_out:
            for name in cookie_names(configured()[1].app_id):
                response.delete_cookie(name)
        if visit.told:
            response.delete_cookie(SIGNED_OUT)
        elif visit.signed_out:
            response.set_cookie(SIGNED_OUT, "1", secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax")
        streams_html = response.streaming and response.get("Content-Type", "").startswith("text/html")
        if visit.told or visit.has_tokens or streams_html:
            response["Cache-Control"] = NO_STORE["Cache-Control"]
            patch_vary_headers(response, [NO_STORE["Vary"]])
        return response


@receiver(user_logged_out)
def note_sign_out(request: Any = None, **_signal: object) -> None:
    """Note in the visit that somebody signed out."""
    if visit := getattr(request, "fin_messenger", None):
        visit.signed_out = True
