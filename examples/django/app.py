"""A Django site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

    pip install . django
    python examples/django/app.py --demo      throwaway keys and a stand-in for both platforms
    python examples/django/app.py             your own keys, from the environment

One file instead of a project, so that it can be read at once; the views are those of any project.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings as site_settings
from django.contrib.auth import authenticate, get_user_model, login, logout
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from fin_messenger_auth import MessengerUser, TokenPairBuilder, render_snippet
from fin_messenger_auth.page import (
    NO_STORE,
    cookie_names,
    is_same_origin,
    render_renewal,
    render_sign_out,
    renewal_module,
    strict_policy,
)
from fin_messenger_auth.page.snippet import WIDGET_BASE
from fin_messenger_auth.sandbox import start_throwaway

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent

# The accounts of this example: id, name and first name. Everybody's password is "demo".
PEOPLE = [(42, "ada", "Ada Lovelace"), (7, "grace", "Grace Hopper"), (1, "root", "Root")]


def protect(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a nonce for each response, the policy, and no caching."""

    def middleware(request: Any) -> HttpResponse:  # noqa: ANN401 - a request with this site's own attributes
        request.nonce = secrets.token_urlsafe(16)
        request.shown = request.user
        if request.user.is_superuser and "shown_as" in request.session:
            request.shown = get_user_model().objects.get(pk=request.session["shown_as"])
        response = get_response(request)
        for name, value in NO_STORE.items():
            response[name] = value
        sandbox = site_settings.MESSENGER_SANDBOX
        response.headers["Content-Security-Policy"] = strict_policy(
            request.nonce,
            region=site_settings.MESSENGER.region,
            also={"connect-src": [sandbox.rstrip("/")]} if sandbox else None,
        )
        return response

    return middleware


def messenger_user(request: Any) -> MessengerUser | None:  # noqa: ANN401 - as above
    """Say for whom tokens may be made: the session's user, and nobody whom an administrator looks at."""
    if not request.user.is_authenticated or request.shown != request.user:
        return None
    return MessengerUser(request.user.pk, name=request.user.first_name)


def page(request: Any, **more: object) -> HttpResponse:  # noqa: ANN401 - as above
    """Show the page with the Messenger in it."""
    settings, sandbox = site_settings.MESSENGER.build_settings(messenger_user(request)), site_settings.MESSENGER_SANDBOX
    base = f"{sandbox}widget/" if sandbox else WIDGET_BASE
    context = {
        "snippet": render_snippet(settings, nonce=request.nonce, widget_base=base),
        "renewal": render_renewal("/messenger/renewal.js", "/messenger/settings", nonce=request.nonce),
        "people": PEOPLE,
        **more,
    }
    return render(request, "page.html", context)


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """The site's only page."""
    return page(request)


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in, with Django's own accounts."""
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse("Wrong name or password.", status=403)
    login(request, user)
    return redirect("/")


@require_POST
def show_as(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Let an administrator see the site as somebody else does."""
    if not request.user.is_superuser:
        return HttpResponse("For administrators.", status=403)
    request.session["shown_as"] = get_user_model().objects.get(username=request.POST["username"]).pk
    return redirect("/")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, here and in the Messenger."""
    logout(request)
    response = redirect("/signed-out")
    for name in cookie_names(site_settings.MESSENGER.app_id):
        response.delete_cookie(name)
    return response


@require_GET
def signed_out(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """What follows a sign-out."""
    return page(request, sign_out=render_sign_out(site_settings.MESSENGER.app_id, nonce=request.nonce))


@require_GET
def fresh_settings(request: HttpRequest) -> JsonResponse:
    """Return fresh settings for the session's user, to a page of this site."""
    user = messenger_user(request)
    if user is None:
        return JsonResponse({"error": "Nobody is signed in."}, status=401)
    if not is_same_origin(request.headers, request.get_host()):
        return JsonResponse({"error": "Only pages of this site may ask."}, status=403)
    settings = site_settings.MESSENGER.build_settings(user)
    if "user_id" not in settings:
        return JsonResponse({"error": "The tokens cannot be signed at the moment."}, status=503)
    return JsonResponse(settings)


@require_GET
def renewal(_request: HttpRequest) -> FileResponse:
    """Serve the renewal module; a real site puts it among its static files."""
    return FileResponse(Path(renewal_module()).open("rb"), content_type="text/javascript")


urlpatterns = [
    path("", index),
    path("sign-in", sign_in),
    path("sign-out", sign_out),
    path("signed-out", signed_out),
    path("show-as", show_as),
    path("messenger/settings", fresh_settings),
    path("messenger/renewal.js", renewal),
]


def create_app(builder: TokenPairBuilder, *, sandbox: str | None = None) -> Any:  # noqa: ANN401 - a WSGI application
    """Make the site.

    Args:
        builder: Made once, at start-up: a mistake in the configuration shows now and not to the first visitor.
        sandbox: The address of a stand-in for the platforms.
    """
    site_settings.configure(
        MESSENGER=builder,
        MESSENGER_SANDBOX=sandbox,
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(tempfile.mkdtemp()) / "example.sqlite3"}
        },
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            f"{__name__}.protect",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick, for a password that everyone knows
        ROOT_URLCONF=__name__,
        SECRET_KEY=secrets.token_hex(32),  # a real site keeps its own
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [HERE / "templates"],
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    for pk, username, name in PEOPLE:
        get_user_model().objects.create_user(
            username,
            password="demo",  # noqa: S106 - said so on the page
            pk=pk,
            first_name=name,
            is_superuser=username == "root",
        )
    return get_wsgi_application()


def main() -> None:
    """Serve the site on this machine."""
    if "--demo" in sys.argv:
        builder, sandbox = start_throwaway()
        print(f"A stand-in for both platforms: {sandbox}")
    else:
        builder, sandbox = TokenPairBuilder.from_env(on_signing_error="anonymous"), None
    create_app(builder, sandbox=sandbox)
    call_command("runserver", "127.0.0.1:8000", use_reloader=False, skip_checks=True)


if __name__ == "__main__":
    main()
