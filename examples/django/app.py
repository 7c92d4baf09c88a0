"""A Django site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

pip install . django
python examples/django/app.py --demo      (throwaway keys and a stand-in for both platforms; without it, your keys)
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model, login, logout
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.shortcuts import redirect
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from fin_messenger_auth import MessengerUser
from fin_messenger_auth.page import NO_STORE, strict_policy
from fin_messenger_auth.sandbox import start_throwaway

MESSENGER = "fin_messenger_auth.contrib.django"
# The accounts of this example: ID, name and full name. Everybody's password is "demo".
PEOPLE = [(42, "ada", "Ada Lovelace"), (7, "grace", "Grace Hopper"), (1, "root", "Root")]
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [Path(__file__).with_name("templates")],
    "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
}


def protect(get_response):
    """Middleware: a nonce and the policy for each page, no caching, and whom an administrator looks at."""

    def middleware(request):
        request.csp_nonce = secrets.token_urlsafe(16)
        if "shown_as" in request.session:
            request.impersonator = request.user  # so that nobody gets the tokens of the user who is shown
            request.user = get_user_model().objects.get(username=request.session["shown_as"])
        response = get_response(request)
        for name, value in {**NO_STORE, "Content-Security-Policy": strict_policy(request.csp_nonce)}.items():
            response[name] = value
        return response

    return middleware


def identify(user):
    """Say what is signed of a user."""
    return MessengerUser(user.pk, name=user.first_name)


def sign_in(request):
    """Sign in, with Django's own accounts."""
    if user := authenticate(request, username=request.POST["username"], password=request.POST["password"]):
        login(request, user)
    return redirect("/")


def show_as(request):
    """Let an administrator see the site as somebody else does."""
    if getattr(request, "impersonator", request.user).is_superuser:
        request.session["shown_as"] = request.POST["username"]
    return redirect("/")


urlpatterns = [
    path("", TemplateView.as_view(template_name="page.html", extra_context={"people": PEOPLE})),
    path("sign-in", require_POST(sign_in)),
    path("sign-out", require_POST(lambda request: logout(request) or redirect("/"))),
    path("show-as", require_POST(show_as)),
    path("messenger/", include(f"{MESSENGER}.urls")),
]


def create_app(builder=None):
    """Make the site, with the builder from the environment if none is given."""
    settings.configure(
        FIN_MESSENGER={"IDENTIFY": identify, "BUILDER": builder and (lambda: builder)},
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{tempfile.mkdtemp()}/db.sqlite3"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", MESSENGER],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            f"{__name__}.protect",
            f"{MESSENGER}.middleware.FinMessengerMiddleware",
        ],
        ROOT_URLCONF=__name__,
        SECRET_KEY=secrets.token_hex(32),  # a real site keeps its own
        TEMPLATES=[TEMPLATES],
    )
    django.setup()
    call_command("migrate", verbosity=0)
    for pk, username, name in PEOPLE:
        more = {"password": "demo", "first_name": name, "is_superuser": username == "root"}
        get_user_model().objects.create_user(username, pk=pk, **more)
    return get_wsgi_application()


if __name__ == "__main__":
    demo, sandbox = start_throwaway() if "--demo" in sys.argv else (None, "")
    os.environ["FIN_MESSENGER_WIDGET_BASE"] = sandbox and f"{sandbox}widget/"
    create_app(demo)
    call_command("runserver", "127.0.0.1:8000", use_reloader=False)
