"""The Django app in this process; ``tests/frameworks`` and ``tests/browser`` run it in a real project."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import django
import pytest
from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.template import engines
from django.test import Client, override_settings
from django.test.utils import override_script_prefix
from django.urls import include, path
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_page

from fin_messenger_auth import MessengerUser, TokenPairBuilder, default_builder
from fin_messenger_auth.contrib.django.apps import site_of_settings
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.testing import fill, settings_in, throwaway_builder, throwaway_environ

APP = "fin_messenger_auth.contrib.django"
if not settings.configured:
    settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"], SECRET_KEY="for tests")


def home(request: Any) -> HttpResponse:
    template = engines["django"].from_string("{% load fin_messenger %}{% fin_messenger page_title=title z_index=z %}")
    return HttpResponse(template.render({"title": gettext_lazy("Shop")}, request))


async def async_home(request: Any) -> HttpResponse:
    request.user = SimpleLazyObject(lambda: read_user(request))
    return home(request)


def read_user(request: Any) -> Any:
    """Read the user from the database, which Django refuses in an event loop."""
    from django.utils.asyncio import async_unsafe

    return async_unsafe("You cannot call this from an async context")(lambda: user_of(request))()


def user_of(request: Any) -> Any:
    name = request.headers.get("X-Test-User")
    return SimpleNamespace(pk=name, is_authenticated=name is not None)


def sign_out(request: Any) -> HttpResponse:
    user_logged_out.send(sender=None, request=request, user=None)
    user_logged_out.send(sender=None)  # by a program, without a request
    return home(request) if "page" in request.GET else HttpResponse()


def csp_nonce(get_response: Any, name: str = "csp_nonce") -> Any:
    def middleware(request: Any) -> Any:
        setattr(request, name, "bm9uY2UtbWFkZS1mb3ItYS10ZXN0")
        return get_response(request)

    return middleware


def _csp_nonce(get_response: Any) -> Any:
    return csp_nonce(get_response, "_csp_nonce")


def streamed(request: Any) -> StreamingHttpResponse:
    page = home(request).content
    return StreamingHttpResponse(page[at : at + 7] for at in range(0, len(page), 7))


async def async_streamed(request: Any) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for part in streamed(request):
            yield part

    request.user = SimpleLazyObject(lambda: read_user(request))
    return StreamingHttpResponse(parts())


def raw(request: Any) -> Any:
    """Respond with what the template rendered, in a response of another kind."""
    page = home(request).content
    kind = request.GET["kind"]
    content = [page] if "streamed" in request.GET else page
    return (StreamingHttpResponse if "streamed" in request.GET else HttpResponse)(content, content_type=kind)


def preview(request: Any) -> HttpResponse:
    request.is_preview = True  # as Wagtail does
    return home(request)


def with_headers(request: Any) -> HttpResponse:
    page = home(request)
    page["ETag"], page["Last-Modified"] = '"1"', "Thu, 01 Jan 1970 00:00:00 GMT"
    page["Content-Length"] = len(page.content)
    return page


class Session(dict[str, Any]):
    def __init__(self, marks: list[str]) -> None:
        super().__init__({mark: ["1"] for mark in marks})
        self.modified = "modified" in marks


def sign_in(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.user = user_of(request)
        request.session = Session(request.headers.get("X-Test-Marks", "").split())
        request.impersonator = request.headers.get("X-Test-Impersonator")
        return get_response(request)

    return middleware


urlpatterns = [
    path("", home),
    path("async", async_home),
    path("async-streamed", async_streamed),
    path("raw", raw),
    path("sign-out", sign_out),
    path("streamed", streamed),
    path("preview", preview),
    path("admin/", include(([path("preview", home)], "admin"))),
    path("jinja", lambda request: HttpResponse(engines["jinja"].get_template("page.html").render({}, request))),
    path("fragment", lambda request: render(request, "cached.html", using="django")),
    path("cached", cache_page(60)(home)),
    path("with-headers", with_headers),
    path("messenger/", include(f"{APP}.urls")),
]
PROJECT: dict[str, Any] = {
    "ALLOWED_HOSTS": ["testserver"],
    "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", APP],
    "MIDDLEWARE": [f"{__name__}.sign_in", f"{APP}.middleware.FinMessengerMiddleware"],
    "ROOT_URLCONF": __name__,
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
}


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in throwaway_environ().items():
        monkeypatch.setenv(name, value)
    django.setup()
    with override_settings(**PROJECT):
        forget()
        yield
    forget()


def forget() -> None:
    from fin_messenger_auth.contrib.django.apps import configured

    configured.cache_clear()
    default_builder.cache_clear()


def get(url: str, user: str | None = "42", **headers: str) -> Any:
    named = {f"X-Test-{name.capitalize()}": value for name, value in headers.items()}
    return Client().get(url, headers=named if user is None else {**named, "X-Test-User": user})


def ids(**options: Any) -> set[str]:
    return {str(each.id) for each in checks.run_checks(**options) if str(each.id).startswith("fin_messenger_auth.")}


def test_a_page_of_a_signed_in_user() -> None:
    page = get("/")

    assert '"user_id":"42"' in page.text
    assert '"page_title":"Shop"' in page.text
    assert '"z_index"' not in page.text
    assert "/messenger/renewal.js" in page.text
    assert (page["Cache-Control"], page["Vary"]) == ("private, no-store", "Cookie")


def test_a_page_of_nobody() -> None:
    page = get("/", user=None)

    assert "intercomSettings" in page.text
    assert "eyJ" not in page.text
    assert "Cache-Control" not in page


@pytest.mark.parametrize("path", ["/", "/async", "/async-streamed"])
def test_sync_and_async_under_asgi(path: str) -> None:
    from django.test import AsyncClient

    async def get() -> Any:
        response: Any = await AsyncClient().get(path, headers={"X-Test-User": "42"})
        body = b"".join([part async for part in response]) if response.streaming else response.content
        return response, body.decode()

    response, page = asyncio.run(get())
    assert '"user_id":"42"' in page
    assert page.count(").boot(") == 1
    assert "fin-messenger-mark" not in page
    assert response["Cache-Control"] == "private, no-store"


def test_a_streamed_page_is_filled_wherever_it_is_cut() -> None:
    page = get("/streamed")

    assert '"user_id":"42"' in page.getvalue().decode()
    assert page["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("streamed", ["", "&streamed"])
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/xhtml+xml", "image/svg+xml"])
def test_a_mark_in_what_is_no_html_is_removed_and_logged(
    kind: str, streamed: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = get(f"/raw?kind={quote(kind)}{streamed}")

    assert b"".join(response) == b""
    assert "Cache-Control" not in response
    assert "A mark of the Messenger was removed" in caplog.text


def test_a_template_outside_a_request_has_a_mark_that_tests_can_fill() -> None:
    rendered = engines["django"].from_string("{% load fin_messenger %}{% fin_messenger z_index=7 %}").render()

    assert settings_in(fill(f"<p>{rendered}", "42"))["z_index"] == 7


@pytest.mark.parametrize("where", ["csp_nonce", "_csp_nonce"])
def test_the_nonce(where: str) -> None:
    nonce = "bm9uY2UtbWFkZS1mb3ItYS10ZXN0"
    with override_settings(MIDDLEWARE=[f"{__name__}.{where}", *PROJECT["MIDDLEWARE"]]):
        assert f'nonce="{nonce}"' in get("/").text
    template = engines["django"].from_string("{% load fin_messenger %}{% fin_messenger nonce='x' %}")
    with pytest.raises(ConfigurationError, match=r"^nonce: .* Set request\.csp_nonce"):
        template.render()


@pytest.mark.skipif(django.VERSION < (6,), reason="Django makes a policy from version 6 on")
@pytest.mark.parametrize("path", ["/", "/async", "/streamed"])
def test_the_nonce_of_the_policy_that_django_makes(path: str) -> None:
    csp = import_module("django.utils.csp").CSP
    order = ["django.middleware.csp.ContentSecurityPolicyMiddleware", *PROJECT["MIDDLEWARE"]]
    with override_settings(MIDDLEWARE=order, SECURE_CSP={"script-src": [csp.NONCE, csp.STRICT_DYNAMIC]}):
        page = get(path)
        [source] = re.findall(r"'nonce-(.+?)'", page["Content-Security-Policy"])
        assert set(re.findall(r'nonce="(.+?)"', b"".join(page).decode())) == {source}
        assert ids() == set()


@pytest.mark.parametrize("mark", ["hijack_history", "_impersonate", "loginas_from_user"])
def test_an_impersonated_user_has_no_tokens(mark: str) -> None:
    assert "eyJ" not in get("/", marks=mark).text
    assert get("/messenger/settings", marks=mark).status_code == 401


def test_a_tool_of_your_own_sets_the_impersonator() -> None:
    assert "eyJ" not in get("/", impersonator="root").text
    assert get("/messenger/settings", impersonator="root").status_code == 401


def test_a_sign_out_expires_the_cookies_and_tells_the_next_page() -> None:
    client = Client()
    answer = client.get("/sign-out")
    assert {name for name, each in answer.cookies.items() if each["max-age"] == "0"} == {
        f"intercom-{kind}-throwaway" for kind in ("session", "id", "device-id")
    }
    cookie = answer.cookies["fin_messenger_signed_out"]
    assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "lax")  # not for another site's requests

    page = client.get("/")
    assert '.leave("throwaway")' in page.text
    assert page["Cache-Control"] == "private, no-store"
    assert '.leave("throwaway")' not in client.get("/").text


def test_the_page_of_the_sign_out_tells_itself() -> None:
    client = Client()
    assert '.leave("throwaway")' in client.get("/sign-out?page").text
    assert '.leave("throwaway")' not in client.get("/").text


def test_fresh_settings() -> None:
    answer = get("/messenger/settings")

    assert (answer.status_code, answer.json()["user_id"]) == (200, "42")
    assert answer["Cache-Control"] == "private, no-store"
    assert not hasattr(answer.wsgi_request.session, "modified")  # so that SessionMiddleware does not save it
    assert get("/messenger/settings", user=None).status_code == 401
    assert Client().post("/messenger/settings").status_code == 405


def test_a_session_that_has_changed_is_saved() -> None:
    assert get("/messenger/settings", marks="modified").wsgi_request.session.modified


def test_the_renewal_script() -> None:
    answer = get("/messenger/renewal.js", user=None)

    assert answer["Content-Type"] == "text/javascript"
    assert answer["Cache-Control"] == "public, max-age=3600"  # an upgrade reaches every visitor within an hour
    assert re.search(r"export\{\w+ as startMessenger\}", answer.text)


def test_a_site_can_be_without_the_messenger(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in throwaway_environ():
        monkeypatch.delenv(name)
    with override_settings(FIN_MESSENGER={"ENABLED": False}):
        assert get("/").text == ""
        assert (get("/messenger/settings").status_code, get("/messenger/settings").json()) == (410, {})
        assert not get("/sign-out").cookies
        assert ids(include_deployment_checks=True) == set()


def test_behind_a_proxy_that_ends_tls() -> None:
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        told = Client().get("/sign-out", headers={"X-Forwarded-Proto": "https"}).cookies["fin_messenger_signed_out"]
    assert told["secure"]
    assert not Client().get("/sign-out").cookies["fin_messenger_signed_out"]["secure"]


@pytest.mark.parametrize(("trusted", "status"), [(True, 200), (False, 403)], ids=["trusted", "not"])
def test_behind_a_proxy_that_changes_the_host(*, trusted: bool, status: int) -> None:
    headers = {"Origin": "https://shop.example", "X-Forwarded-Host": "shop.example", "X-Test-User": "42"}
    with override_settings(USE_X_FORWARDED_HOST=trusted, ALLOWED_HOSTS=["shop.example", "testserver"]):
        assert Client().get("/messenger/settings", headers=headers).status_code == status


def test_a_site_under_a_prefix() -> None:
    with override_script_prefix("/at/shop/"):
        page = get("/")

    assert 'from"/at/shop/messenger/renewal.js";startMessenger("/at/shop/messenger/settings")' in page.text


def overtaking(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["Cache-Control"] = response["CDN-Cache-Control"] = response["Surrogate-Control"] = "public, max-age=60"
        response["Expires"] = "Thu, 31 Dec 2037 23:59:59 GMT"
        response["X-Own"] = "1"
        del response["X-Own"], response["Pragma"]
        return response

    return middleware


@pytest.mark.parametrize("order", [1, -1], ids=["outside", "inside"])
def test_no_other_middleware_has_the_last_word(order: int) -> None:
    messenger = f"{APP}.middleware.FinMessengerMiddleware"
    with override_settings(MIDDLEWARE=[f"{__name__}.sign_in", *[f"{__name__}.overtaking", messenger][::order]]):
        for path in ("/", "/messenger/settings"):
            headers = get(path).headers
            assert headers["Cache-Control"] == "private, no-store"
            assert not {"CDN-Cache-Control", "Surrogate-Control", "Expires"} & set(headers)
        assert "public" in get("/", user=None)["Cache-Control"]


def test_a_head_request_gets_the_headers_alone() -> None:
    answer = Client().head("/messenger/settings", headers={"X-Test-User": "42"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Cache-Control"] == "private, no-store"


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in throwaway_environ().items():
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"SHOP_{name}", value)
    options = {
        "PREFIX": "SHOP_",
        "RENEWAL": False,
        "IDENTIFY": lambda user: MessengerUser(f"shop-{user.pk}"),
        "EXCLUDE": lambda request: request.user.pk == "7",
    }
    with override_settings(FIN_MESSENGER=options):
        page = get("/")
        assert '"user_id":"shop-42"' in page.text
        assert "renewal.js" not in page.text
        assert get("/", user="7").text == ""
        assert get("/messenger/settings", user="7").status_code == 401


def test_an_unknown_key_of_the_settings_is_refused() -> None:
    with (
        override_settings(FIN_MESSENGER={"ENABLE": True}),
        pytest.raises(ConfigurationError, match="'ENABLE'; expected"),
    ):
        site_of_settings()


def test_the_mark_is_made_with_the_newest_key() -> None:
    template = engines["django"].from_string("{% load fin_messenger %}{% fin_messenger %}")
    with override_settings(SECRET_KEY="newer"):
        alone = template.render()
    with override_settings(SECRET_KEY="newer", SECRET_KEY_FALLBACKS=["older"]):
        assert template.render() == alone


def test_a_builder_of_your_own_keeps_its_identify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERCOM_APP_ID")
    builder = throwaway_builder(identify=lambda user: MessengerUser(f"own-{user.pk}"))
    with override_settings(FIN_MESSENGER={"BUILDER": lambda: builder}):
        assert get("/messenger/settings").json()["user_id"] == "own-42"
        assert get("/messenger/settings", user=None).status_code == 401
        assert ids(include_deployment_checks=True) == set()


def test_the_builder_can_be_that_of_the_process() -> None:
    default_builder.cache_clear()
    with override_settings(FIN_MESSENGER={"BUILDER": "fin_messenger_auth.default_builder"}):
        assert get("/messenger/settings").json()["user_id"] == "42"
    assert len(default_builder._made) == 1
    default_builder.cache_clear()


def test_something_that_is_not_a_builder_stops_the_start() -> None:
    wrong = {"BUILDER": lambda: "builder"}
    with override_settings(FIN_MESSENGER=wrong):
        assert "fin_messenger_auth.E.argument-invalid" in ids(include_deployment_checks=True)
        with pytest.raises(
            ConfigurationError, match=r"builder: expected the function to return a TokenPairBuilder, got str\."
        ):
            get("/")


@pytest.mark.parametrize(
    ("chosen", "variable", "expected"),
    [(None, "", "anonymous"), (None, "raise", "raise"), ("intercom-only", "raise", "intercom-only")],
    ids=["default", "variable", "setting"],
)
def test_what_a_page_gets_if_signing_fails(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, variable: str, expected: str
) -> None:
    from fin_messenger_auth.contrib.django.apps import configured

    monkeypatch.setenv("MESSENGER_ON_SIGNING_ERROR", variable)
    with override_settings(FIN_MESSENGER={"ON_SIGNING_ERROR": chosen}):
        assert configured().builder_of(None).on_signing_error == expected


def test_the_server_does_not_start_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    from fin_messenger_auth.contrib.django.middleware import FinMessengerMiddleware

    monkeypatch.delenv("INTERCOM_APP_ID")
    with pytest.raises(ConfigurationError, match="INTERCOM_APP_ID must be set"):
        FinMessengerMiddleware(home)


class OwnSession(SessionMiddleware): ...


OUTSIDE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.cache.CacheMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    f"{__name__}.OwnSession",
    "csp.middleware.CSPMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django_brotli.middleware.BrotliMiddleware",
    "wagtailcache.cache.UpdateCacheMiddleware",
    "compression_middleware.middleware.CompressionMiddleware",
]


@pytest.mark.parametrize("outside", OUTSIDE)
def test_the_order_of_the_middlewares_is_checked(outside: str) -> None:
    own = f"{APP}.middleware.FinMessengerMiddleware"
    anywhere = ["django.middleware.common.CommonMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
    for order, found in (([outside, own, *anywhere], set()), ([own, *anywhere, outside], {"middleware-order"})):
        with override_settings(MIDDLEWARE=order):
            assert ids() == {f"fin_messenger_auth.E.{each}" for each in found}


def test_what_makes_pages_stands_inside() -> None:
    own = f"{APP}.middleware.FinMessengerMiddleware"
    makes_pages = "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware"
    apps = [*settings.INSTALLED_APPS, "django.contrib.flatpages", "django.contrib.sites"]
    for order, found in (([own, makes_pages], set()), ([makes_pages, own], {"fin_messenger_auth.E.middleware-order"})):
        with override_settings(INSTALLED_APPS=apps, MIDDLEWARE=order):
            assert ids() == found


def test_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCOM_REGION", "mars")

    assert ids() == set()
    assert ids(include_deployment_checks=True) == {"fin_messenger_auth.E.region-unknown"}
    with override_settings(MIDDLEWARE=[]):
        assert ids() == {"fin_messenger_auth.E.middleware"}
    for wrong in ({"IDENTFIY": None}, {"IDENTIFY": "nowhere.identify"}):
        with override_settings(FIN_MESSENGER=wrong):
            assert ids(include_deployment_checks=True) == {"fin_messenger_auth.E.argument-invalid"}


# What a request decides


def test_a_builder_for_each_request_is_asked_for_once() -> None:
    asked = []

    def builder(request: Any) -> TokenPairBuilder:
        asked.append(request.get_host())
        return replace(throwaway_builder(), app_id=request.get_host().split(".")[0])

    with override_settings(FIN_MESSENGER={"BUILDER": builder}, ALLOWED_HOSTS=["*"]):
        assert ids(include_deployment_checks=True) == set()
        for tenant in ("acme", "globex"):
            client = Client(headers={"Host": f"{tenant}.shop.example", "X-Test-User": "42"})
            assert settings_in(client.get("/").text)["app_id"] == tenant
            assert client.get("/messenger/settings").json()["app_id"] == tenant
            gone = client.get("/sign-out", secure=True).cookies.values()
            found = {(each.key, each["domain"]) for each in gone if each["max-age"] == "0"}
            domains = ["", f"{tenant}.shop.example", "shop.example"]
            assert found == {(f"intercom-{kind}-{tenant}", domain) for kind in KINDS for domain in domains}
            assert all(each["secure"] and each["samesite"].lower() == "lax" for each in gone)
    assert asked == [f"{tenant}.shop.example" for tenant in ("acme", "globex") for _ in range(3)]


KINDS = ("session", "id", "device-id")


def is_on(request: Any) -> bool:
    return "on" in request.GET


def more_settings(request: Any) -> dict[str, Any]:
    return {"email": f"{request.user.pk}@example.com", "z_index": 7, "extra": {"plan": "pro"}}


def test_every_function_can_be_a_dotted_path() -> None:
    options = {"ENABLED": f"{__name__}.is_on", "SETTINGS": f"{__name__}.more_settings", "ON_SIGNING_ERROR": "raise"}
    with override_settings(FIN_MESSENGER=options):
        page = settings_in(get("/?on").text)
        assert (page["email"], page["z_index"], page["plan"]) == ("42@example.com", 7, "pro")
        assert "email" not in settings_in(get("/?on", user=None).text)
        assert "email" not in settings_in(get("/?on", marks="hijack_history").text)
        assert get("/").text == ""
        assert get("/messenger/settings").status_code == 410
        assert get("/messenger/settings?on").json()["email"] == "42@example.com"
        gone = Client().get("/sign-out")
        assert not gone.cookies


def test_the_environment_switches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESSENGER_ENABLED", "0")
    monkeypatch.delenv("INTERCOM_APP_ID")
    assert get("/").text == ""
    assert get("/messenger/settings").status_code == 410
    assert ids(include_deployment_checks=True) == set()


def test_another_origin_by_name() -> None:
    origin = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "X-Test-User": "42"}
    with override_settings(FIN_MESSENGER={"ORIGINS": ["https://app.example"]}):
        fresh = Client().get("/messenger/settings", headers=origin)
        assert (fresh.json()["user_id"], fresh["Access-Control-Allow-Origin"]) == ("42", "https://app.example")
        preflight = Client().options("/messenger/settings", headers={**origin, "Access-Control-Request-Method": "GET"})
        assert (preflight.status_code, preflight["Access-Control-Allow-Headers"]) == (200, "X-Fin-Messenger")
        assert Client().options("/messenger/settings", headers=origin).json().keys() == {"api_base", "app_id"}
        nobody = Client().get("/messenger/settings", headers={"X-Fin-Messenger": "1"})
        assert (nobody.status_code, nobody.json().keys()) == (200, {"api_base", "app_id"})


def test_previews_are_nobodys() -> None:
    page = get("/preview")
    assert ").boot(" in page.text
    assert "eyJ" not in page.text
    assert "eyJ" not in get("/admin/preview").text


def test_jinja2_and_the_cached_fragment_have_no_token(tmp_path: Any) -> None:
    (tmp_path / "page.html").write_text("<p>{{ fin_messenger(z_index=7) }}")
    (tmp_path / "cached.html").write_text(
        "{% load fin_messenger cache %}{% cache 60 f %}{% fin_messenger %}{% endcache %}"
    )
    extension = f"{APP}.jinja2.FinMessengerExtension"
    jinja = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "jinja",
        "DIRS": [tmp_path],
        "OPTIONS": {"extensions": [extension]},
    }
    own = {**PROJECT["TEMPLATES"][0], "DIRS": [tmp_path]}
    with override_settings(TEMPLATES=[own, jinja]):
        assert settings_in(get("/jinja").text)["z_index"] == 7
        for user in ("42", "7", None):
            for path in ("/fragment", "/cached"):
                assert settings_in(get(path, user=user).text).get("user_id") == user


def test_headers_of_a_filled_page_are_those_of_what_is_sent() -> None:
    page = get("/with-headers")
    assert int(page["Content-Length"]) == len(page.content)
    assert not {"ETag", "Last-Modified"} & set(page.headers)
    assert get("/with-headers", user=None)["Vary"] == "Cookie"


def test_what_can_have_no_mark_is_left_alone() -> None:
    assert get(f"/raw?kind={quote('image/png')}").content.startswith(b"<fin-messenger-mark ")


def test_head_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fin_messenger_auth._signers.HMACSigner.sign", lambda *_arguments: pytest.fail("signed"))
    assert Client().head("/", headers={"X-Test-User": "42"})["Cache-Control"] == "private, no-store"
