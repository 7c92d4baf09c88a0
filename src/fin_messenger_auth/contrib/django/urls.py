"""Two URLs: ``settings``, where a page gets fresh settings, and ``renewal.js``, the script that asks there."""

from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from fin_messenger_auth.page import renewal_module, settings_response

from .messenger import configured, user_of


@login_not_required
@require_safe
def fresh_settings(request: Any) -> JsonResponse:
    """Return the settings of the session's user. The session's expiry stays as it is."""
    options, builder = configured()
    user = None if options.EXCLUDE(request) else user_of(request)
    made = settings_response(builder, user, request.headers, request.get_host())
    _leave_session(request)
    return JsonResponse(made.body, status=made.status, headers=made.headers)


@login_not_required
@require_safe
def renewal(request: Any) -> HttpResponse:
    """Serve the renewal script. It contains nothing personal, so caches may keep it."""
    _leave_session(request)
    headers = {"Content-Type": "text/javascript", "Cache-Control": "public, max-age=3600"}
    return HttpResponse(Path(renewal_module()).read_bytes(), headers=headers)


def _leave_session(request: Any) -> None:
    """Let SessionMiddleware neither save nor prolong the session, even under SESSION_SAVE_EVERY_REQUEST."""
    session = getattr(request, "session", None)
    if session is not None and not getattr(session, "modified", True):
        del session.modified
    request._cache_update_cache = False  # noqa: SLF001 - a hit in Django's own cache would not come here


app_name = "fin_messenger"
urlpatterns: list[URLPattern] = [
    path("settings", fresh_settings, name="settings"),
    path("renewal.js", renewal, name="renewal"),
]
