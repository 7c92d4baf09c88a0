"""The middleware: it reads the configuration when the server starts, and completes the responses."""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.utils.deprecation import MiddlewareMixin

from fin_messenger_auth.contrib.visit import Visit

from .messenger import configured

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
        secure = settings.SESSION_COOKIE_SECURE or request.is_secure()
        request.fin_messenger = Visit(request.COOKIES, secure)

    def process_response(self, request: Any, response: Any) -> Any:
        """Complete the response. A streamed page counts as one with tokens."""
        visit: Visit = request.fin_messenger
        visit.is_private |= response.streaming and response.get("Content-Type", "").startswith("text/html")
        visit.complete(response, configured()[1].app_id)
        return response


@receiver(user_logged_out)
def note_sign_out(request: Any = None, **_signal: object) -> None:
    """Note in the visit that somebody signed out."""
    if visit := getattr(request, "fin_messenger", None):
        visit.signed_out = True
