"""Real applications and extensions of Django beside the Messenger: ``django_extensions.py shop``, ``wagtail`` …

Django is configured once a process, so each site is a program of its own; it fails where an assertion does.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
from django.conf import settings

MESSENGER = "fin_messenger_auth.contrib.django"
LAST = f"{MESSENGER}.middleware.FinMessengerMiddleware"
SIGN_OUT_SCRIPT = '})().leave("'
HERE = Path(tempfile.mkdtemp())
CONTRIB = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "flatpages", "sitemaps"]
TEMPLATE = """{% load fin_messenger cache %}<!doctype html><title>Shop</title><body>
<p id="user">{{ request.user }}</p>{% cache 300 footer %}<p>footer</p>{% fin_messenger page_title="Shop" %}
{% endcache %}</body>"""
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def configure(apps: list[str], middleware: list[str], **more: Any) -> None:
    (HERE / "home.html").write_text(TEMPLATE)
    (HERE / "jinja").mkdir()
    (HERE / "jinja" / "jinja.html").write_text("<!doctype html><body>{{ fin_messenger(page_title='Shop') }}")
    context = ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth"]
    context += ["django.contrib.messages.context_processors.messages", *more.pop("context", [])]
    settings.configure(
        **{
            "ALLOWED_HOSTS": ["*"],
            "BASE_DIR": HERE,
            "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(HERE / "db.sqlite3")}},
            "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
            "FIN_MESSENGER": {"BUILDER": "fin_messenger_auth.testing.throwaway_builder"},
            "INSTALLED_APPS": [*(f"django.contrib.{each}" for each in CONTRIB), *apps, MESSENGER],
            "LOGIN_REDIRECT_URL": "/",
            "MIDDLEWARE": [*MIDDLEWARE, *middleware, LAST],
            "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
            "ROOT_URLCONF": __name__,
            "SECRET_KEY": "x" * 50,
            "SILENCED_SYSTEM_CHECKS": ["mail.E001"],
            "SITE_ID": 1,
            "STATIC_ROOT": str(HERE / "static"),
            "STATIC_URL": "/static/",
            "USE_TZ": True,
            "TEMPLATES": [
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "DIRS": [HERE],
                    "APP_DIRS": True,
                    "OPTIONS": {"context_processors": context},
                },
                {
                    "BACKEND": "django.template.backends.jinja2.Jinja2",
                    "DIRS": [HERE / "jinja"],
                    "OPTIONS": {"extensions": [f"{MESSENGER}.jinja2.FinMessengerExtension"]},
                },
            ],
        }
        | more
    )
    django.setup()


def migrate() -> None:
    from django.core.management import call_command

    call_command("check", fail_level="ERROR")
    call_command("migrate", verbosity=0)


def people() -> tuple[Any, Any, Any]:
    from django.contrib.auth import get_user_model

    users: Any = get_user_model().objects
    root = users.create_superuser("root", "root@example.com", "demo")
    return (
        root,
        users.create_user("ada", "ada@example.com", "demo"),
        users.create_user("grace", "g@example.com", "demo"),
    )


def scripts_of(page: Any) -> dict[str, Any]:
    """Return the settings in a page, which must be private if there are tokens in it."""
    from fin_messenger_auth.testing import settings_in
    from tests.pages import must_be_private

    text = b"".join(page).decode() if page.streaming else page.text
    assert page.status_code == 200, (page.status_code, text[:500])
    assert "fin-messenger-mark" not in text
    found = settings_in(text)
    if "user_id" in found:
        must_be_private(page)
    return found


def must_be_nobodys(client: Any, path: str = "/") -> None:
    page = client.get(path)
    assert "intercom_user_jwt" not in scripts_of(page)
    assert client.get("/messenger/settings").status_code == 401


def visit(*paths: str, sign_in: Any = None, sign_out: Any = None) -> None:
    """Sign in, look at pages, endpoint and script, sign out; then the next user in the same browser."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    assert [client.get(f"/messenger/{each}").status_code for each in ("renewal.js", "settings")] == [200, 401]
    for name in ("ada", "grace"):
        user = get_user_model().objects.get(username=name)
        (sign_in or Client.force_login)(client, user)
        for path in (*paths, *paths):
            assert scripts_of(client.get(path))["user_id"] == str(user.pk), path
        assert client.get("/messenger/settings").json()["user_id"] == str(user.pk)
        (sign_out or Client.logout)(client)
        if sign_out:
            assert SIGN_OUT_SCRIPT in client.get(paths[0]).text
        must_be_nobodys(client, paths[0])


def shop() -> None:
    """Everything that an ordinary project combines, on one site."""
    from fin_messenger_auth.page import csp_sources, settings_response
    from fin_messenger_auth.testing import throwaway_builder

    nonce = "'strict-dynamic'"
    configure(
        apps=[
            *("allauth", "allauth.account", "hijack", "impersonate", "csp", "debug_toolbar", "compressor"),
            *("rest_framework", "ninja", "channels"),
        ],
        middleware=[
            "hijack.middleware.HijackUserMiddleware",
            "impersonate.middleware.ImpersonateMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        MIDDLEWARE=[
            "django.middleware.cache.UpdateCacheMiddleware",
            "debug_toolbar.middleware.DebugToolbarMiddleware",
            "django.middleware.gzip.GZipMiddleware",
            "django.middleware.http.ConditionalGetMiddleware",
            "whitenoise.middleware.WhiteNoiseMiddleware",
            "csp.middleware.CSPMiddleware",
            *MIDDLEWARE,
            "hijack.middleware.HijackUserMiddleware",
            "impersonate.middleware.ImpersonateMiddleware",
            "allauth.account.middleware.AccountMiddleware",
            LAST,
            "django.middleware.cache.FetchFromCacheMiddleware",
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        ACCOUNT_EMAIL_VERIFICATION="none",
        CONTENT_SECURITY_POLICY={
            "DIRECTIVES": {**csp_sources("us"), "script-src": [importlib.import_module("csp.constants").NONCE, nonce]}
        },
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda _request: True, "IS_RUNNING_TESTS": False},
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        IMPERSONATE={"REDIRECT_URL": "/"},
        INTERNAL_IPS=["127.0.0.1"],
        SESSION_SAVE_EVERY_REQUEST=True,
        STATICFILES_FINDERS=[
            "django.contrib.staticfiles.finders.AppDirectoriesFinder",
            "compressor.finders.CompressorFinder",
        ],
        COMPRESS_ENABLED=True,
    )
    from django.contrib.auth import get_user_model
    from django.http import HttpResponse, StreamingHttpResponse
    from django.shortcuts import render
    from django.template.response import TemplateResponse
    from django.test import AsyncClient, Client
    from django.urls import include, path
    from django.views.decorators.cache import cache_page
    from django.views.decorators.http import etag
    from django.views.decorators.vary import vary_on_cookie
    from ninja import NinjaAPI
    from rest_framework.decorators import api_view
    from rest_framework.response import Response

    def home(request: Any) -> HttpResponse:
        return render(request, "home.html")

    async def async_home(request: Any) -> HttpResponse:
        user = await request.auser()
        return await _in_a_thread(lambda: render(request, "home.html", {"who": user.username}))

    def streamed(request: Any) -> StreamingHttpResponse:
        page = render(request, "home.html").content
        return StreamingHttpResponse(page[at : at + 5] for at in range(0, len(page), 5))

    @api_view(["GET"])
    def drf(request: Any) -> Response:
        return Response({"user": request.user.pk, "part": render(request, "home.html").content.decode()})

    api = NinjaAPI()
    api.get("/me")(lambda request: {"user": request.user.pk})
    documented: dict[str, Any] = {
        "api": api,
        "default_builder": throwaway_builder,
        "settings_response": settings_response,
    }
    guide = (Path(__file__).parents[2] / "docs" / "integrate" / "other-frameworks.md").read_text("utf-8")
    for block in re.findall(r"```py\n(.*?)```", guide, re.DOTALL):
        exec(block, documented)
    urlpatterns[:] = [
        path("", home),
        path("async", async_home),
        path("jinja", lambda request: render(request, "jinja.html", using=None)),
        path("cached", cache_page(60)(home)),
        path("own", cache_page(60)(vary_on_cookie(home))),
        path("etag", etag(lambda _request: "everybody's")(home)),
        path("late", lambda request: TemplateResponse(request, "home.html")),
        path("streamed", streamed),
        path("drf", drf),
        path("ninja/", api.urls),
        path("drf/settings", documented["MessengerSettings"].as_view()),
        path("accounts/", include("allauth.urls")),
        path("hijack/", include("hijack.urls")),
        path("impersonate/", include("impersonate.urls")),
        path("__debug__/", include("debug_toolbar.urls")),
        path("messenger/", include(f"{MESSENGER}.urls")),
    ]
    migrate()
    root, ada, _grace = people()
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)

    def allauth_in(client: Any, user: Any) -> None:
        answer = client.post("/accounts/login/", {"login": user.username, "password": "demo"})
        assert answer.status_code == 302, answer.text

    def allauth_out(client: Any) -> None:
        gone = client.post("/accounts/logout/")
        assert any(each.key == "intercom-session-throwaway" for each in gone.cookies.values())

    visit(
        "/",
        "/jinja",
        "/cached",
        "/own",
        "/etag",
        "/late",
        "/streamed",
        "/async",
        sign_in=allauth_in,
        sign_out=allauth_out,
    )

    client = Client()
    client.force_login(ada)
    page = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    plain = client.get("/")
    assert (
        f"'nonce-{plain.text.partition('nonce=' + chr(34))[2].partition(chr(34))[0]}'"
        in plain["Content-Security-Policy"]
    )
    assert "djdt" in plain.text  # the toolbar
    assert client.get("/drf").json()["user"] == client.get("/ninja/me").json()["user"] == ada.pk
    assert "fin-messenger-mark" not in client.get("/drf").text
    for path_of_its_own in ("/drf/settings", "/ninja/messenger/settings"):
        fresh = client.get(path_of_its_own)
        assert (fresh.status_code, fresh.json()["user_id"]) == (200, str(ada.pk))
        assert fresh["Cache-Control"] == "private, no-store"
        assert Client().get(path_of_its_own).status_code == 401
    assert "djDebug" in plain.text

    for start, stop in (
        (lambda c: c.post("/hijack/acquire/", {"user_pk": ada.pk}), lambda c: c.post("/hijack/release/")),
        (lambda c: c.get(f"/impersonate/{ada.pk}/"), lambda c: c.get("/impersonate/stop/")),
    ):
        client = Client()
        client.force_login(root)
        assert scripts_of(client.get("/"))["user_id"] == str(root.pk)
        start(client)
        assert '<p id="user">ada</p>' in client.get("/").text
        must_be_nobodys(client)
        stop(client)
        assert scripts_of(client.get("/"))["user_id"] == str(root.pk)

    import asyncio

    async def under_asgi() -> Any:
        asynchronous = AsyncClient()
        await asynchronous.aforce_login(await get_user_model().objects.aget(username="ada"))
        return [await asynchronous.get(each) for each in ("/", "/async", "/cached")]

    assert {scripts_of(page)["user_id"] for page in asyncio.run(under_asgi())} == {str(ada.pk)}

    import httpx
    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.core.asgi import get_asgi_application

    async def under_channels() -> httpx.Response:
        routes = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": AuthMiddlewareStack(URLRouter([]))})
        cookies = {"sessionid": client.cookies["sessionid"].value}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://shop.example") as browser:
            return await browser.get("/", cookies=cookies)

    client = Client()
    client.force_login(ada)
    assert '"user_id":"' + str(ada.pk) in asyncio.run(under_channels()).text


def loginas(*options: str) -> None:
    """django-loginas, with each of its settings."""
    configure(apps=["loginas"], middleware=[], **dict(each.split("=", 1) for each in options))
    from django.shortcuts import render
    from django.test import Client
    from django.urls import include, path

    urlpatterns[:] = [
        path("", lambda request: render(request, "home.html")),
        path("", include("loginas.urls")),
        path("messenger/", include(f"{MESSENGER}.urls")),
    ]
    migrate()
    root, ada, _grace = people()
    client = Client()
    client.force_login(root)
    assert scripts_of(client.get("/"))["user_id"] == str(root.pk)
    assert client.post(f"/login/user/{ada.pk}/", {"reason": "support"}).status_code == 302
    assert client.session["_auth_user_id"] == str(ada.pk)
    must_be_nobodys(client)


def wagtail() -> None:
    """A Wagtail site: its pages, its page cache and its preview."""
    parts = [
        "contrib.forms",
        "contrib.redirects",
        "embeds",
        "sites",
        "users",
        "snippets",
        "documents",
        "images",
        "search",
        "admin",
    ]
    configure(
        apps=[*(f"wagtail.{each}" for each in parts), "wagtail", "modelcluster", "taggit"],
        middleware=["wagtail.contrib.redirects.middleware.RedirectMiddleware"],
        WAGTAIL_SITE_NAME="Shop",
        WAGTAILADMIN_BASE_URL="http://testserver",
        MEDIA_ROOT=str(HERE / "media"),
    )
    from django.test import Client
    from django.urls import include, path
    from wagtail import urls as wagtail_urls
    from wagtail.admin import urls as admin_urls
    from wagtail.models import Page, Site

    Page.template = Page.preview_template = "wagtail_page.html"
    (HERE / "wagtail_page.html").write_text(
        "{% load fin_messenger wagtail_cache %}<!doctype html><body>"
        "{% wagtailcache 300 footer %}{% fin_messenger %}{% endwagtailcache %}"
    )
    urlpatterns[:] = [
        path("admin/", include(admin_urls)),
        path("messenger/", include(f"{MESSENGER}.urls")),
        path("", include(wagtail_urls)),
    ]
    migrate()
    root, _ada, _grace = people()
    home = Page.objects.get(depth=2)
    Site.objects.update(hostname="testserver")
    visit("/")
    client = Client()
    client.force_login(root)
    assert client.get("/admin/").status_code == 200
    assert scripts_of(client.get("/"))["user_id"] == str(root.pk)
    draft = client.get(f"/admin/pages/{home.pk}/view_draft/")
    assert "user_id" not in scripts_of(draft)
    assert ").boot(" in draft.text


def oscar() -> None:
    """An Oscar shop, with the tag in its base template."""
    import oscar as shop
    from oscar import defaults

    (HERE / "oscar").mkdir()
    (HERE / "oscar" / "layout.html").write_text(
        '{% extends "oscar/base.html" %}{% load fin_messenger %}'
        "{% block extrascripts %}{{ block.super }}{% fin_messenger %}{% endblock %}"
        "{% block layout %}{% block content %}{% endblock %}{% endblock %}"
    )
    configure(
        apps=[each for each in shop.INSTALLED_APPS if each.removeprefix("django.contrib.") not in CONTRIB],
        middleware=["oscar.apps.basket.middleware.BasketMiddleware"],
        context=[
            "oscar.apps.search.context_processors.search_form",
            "oscar.apps.checkout.context_processors.checkout",
            "oscar.apps.communication.notifications.context_processors.notifications",
            "oscar.core.context_processors.metadata",
        ],
        AUTHENTICATION_BACKENDS=[
            "oscar.apps.customer.auth_backends.EmailBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        **{name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR")},
    )
    from django.apps import apps
    from django.urls import include, path

    urlpatterns[:] = [
        path("messenger/", include(f"{MESSENGER}.urls")),
        path("", include(apps.get_app_config("oscar").urls[0])),
    ]
    migrate()
    people()

    def sign_in(client: Any, user: Any) -> None:
        form = {"login-username": user.email, "login-password": "demo", "login_submit": "1"}
        assert client.post("/accounts/login/", form).status_code == 302

    def sign_out(client: Any) -> None:
        assert (
            client.get("/accounts/logout/").status_code in {302, 405}
            or client.post("/accounts/logout/").status_code == 302
        )

    visit("/catalogue/", sign_in=sign_in, sign_out=sign_out)


async def _in_a_thread(function: Any) -> Any:
    from asgiref.sync import sync_to_async

    return await sync_to_async(function)()


urlpatterns: list[Any] = []

if __name__ == "__main__":
    {"shop": shop, "loginas": loginas, "wagtail": wagtail, "oscar": oscar}[sys.argv[1]](*sys.argv[2:])
    print("done")
