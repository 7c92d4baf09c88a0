"""Adds two URLs: ``settings``, where a page gets fresh settings, and ``renewal.js``, the script that asks there."""

from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_safe

from fin_messenger_auth.contrib._visit import SCRIPT_HEADERS
from fin_messenger_auth.page import renewal_module


@login_not_required
@require_http_methods(["GET", "HEAD", "OPTIONS"])
def fresh_settings(request: Any) -> HttpResponse:
    """Respond with the settings of the session's user."""
    made = request.fin_messenger.answer(request.headers)
    return _alone(request, JsonResponse(made.body, status=made.status, headers=made.headers))


@login_not_required
@require_safe
def renewal_script(request: Any) -> HttpResponse:
    """Respond with the script, which is the same for everybody."""
    return _alone(request, HttpResponse(Path(renewal_module()).read_bytes(), headers=SCRIPT_HEADERS))


def _alone(request: Any, response: HttpResponse) -> HttpResponse:
    """Let no session be saved or prolonged, even under SESSION_SAVE_EVERY_REQUEST, and no cache of Django keep it."""
    if not getattr(getattr(request, "session", None), "modified", True):
        del request.session.modified
    request._cache_update_cache = False  # noqa: SLF001 - a hit in Django's own cache would not come here
    return response


app_name = "fin_messenger"
urlpatterns: list[URLPattern] = [
    path("settings", fresh_settings, name="settings"),
    path("renewal.js", renewal_script, name="renewal"),
]
