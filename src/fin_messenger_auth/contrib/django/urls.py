"""Adds two URLs: ``settings``, where a page gets fresh settings, and ``renewal.js``, the script that asks there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from fin_messenger_auth.contrib._visit import SCRIPT_HEADERS
from fin_messenger_auth.page import renewal_module, settings_response

from .apps import configured
from .middleware import user_of


@login_not_required
@require_safe
def _view(request: Any, respond: Callable[[Any], HttpResponse]) -> HttpResponse:
    """Respond so that no session is saved or prolonged, even under SESSION_SAVE_EVERY_REQUEST."""
    if not hasattr(request, "fin_messenger"):
        raise Http404
    response = respond(request)
    if not getattr(getattr(request, "session", None), "modified", True):
        del request.session.modified
    request._cache_update_cache = False  # noqa: SLF001 - a hit in Django's own cache would not come here
    return response


def _fresh_settings(request: Any) -> HttpResponse:
    request.fin_messenger.is_private = True
    made = settings_response(configured()[1], user_of(request), request.headers, request.get_host())
    return JsonResponse(made.body, status=made.status, headers=made.headers)


def _renewal(_request: Any) -> HttpResponse:
    return HttpResponse(Path(renewal_module()).read_bytes(), headers=SCRIPT_HEADERS)


app_name = "fin_messenger"
urlpatterns: list[URLPattern] = [
    path("settings", _view, {"respond": _fresh_settings}, name="settings"),
    path("renewal.js", _view, {"respond": _renewal}, name="renewal"),
]
