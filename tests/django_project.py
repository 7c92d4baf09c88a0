"""A project made by ``django-admin startproject``, with the Messenger added as the documentation says.

As a program, in the project's directory: ``django_project.py wsgi`` or ``asgi`` serves it with throwaway keys, and
prints its address and that of a sandbox that knows the keys.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

import fin_messenger_auth

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = """

# What the documentation says
INSTALLED_APPS += ["fin_messenger_auth.contrib.django"]
MIDDLEWARE += ["fin_messenger_auth.contrib.django.middleware.FinMessengerMiddleware"]

# The project's own
import os

INSTALLED_APPS += ["people", "hijack", "impersonate"]
MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    *MIDDLEWARE[:-1],
    "hijack.middleware.HijackUserMiddleware",
    "impersonate.middleware.ImpersonateMiddleware",
    MIDDLEWARE[-1],
    "django.middleware.cache.FetchFromCacheMiddleware",
]
ALLOWED_HOSTS = ["127.0.0.1"]
AUTH_USER_MODEL = "people.Person"
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
STATIC_ROOT = BASE_DIR / "static"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
IMPERSONATE = {"REDIRECT_URL": "/"}
SESSION_SAVE_EVERY_REQUEST = True
DATABASES["default"]["ATOMIC_REQUESTS"] = True
DEBUG = False
SILENCED_SYSTEM_CHECKS = ["mail.E001"]  # the development back end of a new project of Django 6.1
LOGGING = {"version": 1, "handlers": {"err": {"class": "logging.StreamHandler"}}, "root": {"handlers": ["err"]}}
SECRET_KEY = "for-tests-only"
"""


MODELS = """
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid4)
    employer = models.ForeignKey("people.Employer", null=True, on_delete=models.CASCADE)


class Employer(models.Model):
    name = models.CharField(max_length=99)
"""

VIEWS = """
from django.contrib.auth.views import LogoutView
from django.db.transaction import non_atomic_requests
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.template import loader
from django.views.decorators.cache import cache_control, cache_page
from fin_messenger_auth import Company, MessengerUser


def home(request):
    return render(request, "home.html", {"title": request.GET.get("title")})


@non_atomic_requests
async def async_home(request):
    user = await request.auser()
    return render(request, "home.html", {"user": user, "title": "async"})


@cache_page(60)
def cached(request):
    return render(request, "home.html")


@cache_control(public=True, max_age=3600)
def public(request):
    return render(request, "home.html")


def streamed(request):
    return StreamingHttpResponse([loader.render_to_string("home.html", request=request)])


def plain(request):
    return HttpResponse("<p>Nothing personal.")


def without(request):
    return render(request, "without.html")


class SignOutHere(LogoutView):
    template_name = "home.html"

    def get_success_url(self):
        return self.request.get_full_path()  # a page of its own


def identify(user):
    return MessengerUser(user.pk, company=Company(user.employer_id, name=user.employer.name))


def is_excluded(request):
    return request.user.is_staff
"""

URLS = """
from django.contrib.auth import views as auth
from django.urls import include, path

from people import views

urlpatterns = [
    path("messenger/", include("fin_messenger_auth.contrib.django.urls")),
    path("", views.home),
    path("async", views.async_home),
    path("cached", views.cached),
    path("public", views.public),
    path("streamed", views.streamed),
    path("plain", views.plain),
    path("without", views.without),
    path("sign-in", auth.LoginView.as_view(template_name="sign-in.html")),
    path("sign-out", auth.LogoutView.as_view()),
    path("sign-out-here", views.SignOutHere.as_view()),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
]
"""

HOME = """<!doctype html>
{% load fin_messenger %}
<html><head><title>Shop</title><link rel="icon" href="data:,"></head><body>
<p id="user">{% if user.is_authenticated %}{{ user.username }}{% else %}nobody{% endif %}</p>
<form method="post" action="/sign-out">{% csrf_token %}<button id="sign-out">Sign out</button></form>
{% block messenger %}{% fin_messenger page_title=title %}{% endblock %}
</body></html>
"""

WITHOUT = """{% extends "home.html" %}{% block messenger %}{% endblock %}"""

SIGN_IN = """<!doctype html><html><head><title>Sign in</title><link rel="icon" href="data:,"></head><body>
<form method="post">{% csrf_token %}<input name="username"><input name="password" type="password">
<button id="sign-in">Sign in</button></form></body></html>
"""

PEOPLE = """
from people.models import Employer, Person

acme = Employer.objects.create(name="Acme")
for number, name in enumerate(["ada", "grace", "root", "staff"]):
    Person.objects.create_user(
        name,
        password="demo",
        pk=f"00000000-0000-4000-8000-00000000000{number}",
        is_superuser=name == "root",
        is_staff=name == "staff",
        employer=acme,
    )
"""

EXTRA = 'exec(os.environ.get("EXTRA_SETTINGS", ""))\n'
PAGE = Path(__file__).parents[1] / "docs" / "integrate" / "django.md"
SOURCE = {"PYTHONPATH": str(Path(fin_messenger_auth.__file__).parents[1])}
ADA = "00000000-0000-4000-8000-000000000000"
GRACE = "00000000-0000-4000-8000-000000000001"


class Served(NamedTuple):
    """A project that is being served, and a sandbox that knows its keys."""

    url: str
    sandbox: str
    log: Path


def run(directory: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a Python command in the project, without secrets unless ``environ`` has them."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("INTERCOM_", "SALESFORCE_"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env=clean | SOURCE | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def documented(title: str) -> str:
    """Return the block of the documentation that begins with the comment ``title``."""
    [block] = re.findall(rf"```py\n(# {re.escape(title)}\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(block)


def make(directory: Path) -> Path:
    """Make the project and its database. There are no secrets yet."""
    must_work(run(directory, "-m", "django", "startproject", "shop", "."))
    must_work(run(directory, "manage.py", "startapp", "people"))
    templates = directory / "templates"
    templates.mkdir()
    for path, content in [
        (directory / "people" / "models.py", MODELS),
        (directory / "people" / "views.py", VIEWS),
        (directory / "shop" / "urls.py", URLS),
        (templates / "home.html", HOME),
        (templates / "without.html", WITHOUT),
        (templates / "sign-in.html", SIGN_IN),
    ]:
        path.write_text(content)
    with (directory / "shop" / "settings.py").open("a") as settings:
        policy = "Django 6 and newer" if django.VERSION >= (6,) else "Django 5.2 with django-csp"
        settings.write("\n".join([SETTINGS, documented(f"settings.py, {policy}"), EXTRA]))
    must_work(run(directory, "manage.py", "makemigrations", "people"))
    must_work(run(directory, "manage.py", "migrate"))
    must_work(run(directory, "manage.py", "shell", "-c", PEOPLE))
    return directory


def must_work(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


@contextmanager
def served(directory: Path, kind: str, settings: str = "", **environ: str) -> Iterator[Served]:
    """Serve the project, with further lines of settings."""
    log = directory / f"{kind}.log"
    command = [sys.executable, __file__, kind]
    environ = {**os.environ, **SOURCE, **environ, "EXTRA_SETTINGS": settings}
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, cwd=directory, env=environ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        try:
            url, sandbox = json.loads(line)
            yield Served(url, sandbox, log)
        finally:
            process.terminate()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None: ...


def main() -> None:
    from fin_messenger_auth.sandbox import SandboxServer, throwaway_sandbox
    from fin_messenger_auth.testing import throwaway_environ

    sys.path.insert(0, ".")
    os.environ.update({**throwaway_environ(), **os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings"})
    sandbox = SandboxServer(throwaway_sandbox(), 0)
    threading.Thread(target=sandbox.serve_forever, daemon=True).start()

    def announce(port: int) -> None:
        sys.stdout.write(json.dumps([f"http://127.0.0.1:{port}/", sandbox.url]) + "\n")
        sys.stdout.flush()

    if sys.argv[1] == "wsgi":
        application: Any = __import__("shop.wsgi").wsgi.application
        with make_server("127.0.0.1", 0, application, _Server, _Quiet) as server:
            announce(server.server_port)
            server.serve_forever()
    else:
        import uvicorn

        application = __import__("shop.asgi").asgi.application
        with socket.create_server(("127.0.0.1", 0)) as listener:
            announce(listener.getsockname()[1])
            uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off")).run(sockets=[listener])


if __name__ == "__main__":
    main()
