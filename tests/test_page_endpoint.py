"""The rules of the endpoint for fresh settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from fin_messenger_auth import IntercomMinter, TokenPairBuilder
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError
from fin_messenger_auth.page import (
    NO_STORE,
    SettingsResponse,
    asettings_response,
    is_same_origin,
    settings_response,
    sign_out_cookies,
)
from fin_messenger_auth.testing import throwaway_builder, verify

Respond = Callable[..., SettingsResponse]


class BrokenSigner:
    alg = "HS256"
    kid = None

    def sign(self, _signing_input: bytes, /) -> NoReturn:
        raise RuntimeError("-".join(2 * ["hush"]))  # not in the source line that a traceback shows


@pytest.fixture(params=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Respond:
    if request.param == "sync":
        return settings_response

    def in_a_loop(*arguments: Any, **settings: Any) -> SettingsResponse:
        return asyncio.run(asettings_response(*arguments, **settings))

    return in_a_loop


def broken(on_signing_error: Any) -> TokenPairBuilder:
    return replace(throwaway_builder(), intercom=IntercomMinter(BrokenSigner()), on_signing_error=on_signing_error)


def test_a_signed_in_user_gets_their_own_tokens(respond: Respond) -> None:
    response = respond(throwaway_builder(), 42, {}, "site.example", name="Ada", extra={"theme": "dark"})

    assert response.status == 200
    assert response.headers == dict(NO_STORE)
    assert (response.body["user_id"], response.body["name"], response.body["theme"]) == ("42", "Ada", "dark")
    verify(response.body)
    assert "eyJ" not in repr(response)


def test_nobody_gets_401_and_what_an_anonymous_page_boots_with(respond: Respond) -> None:
    builder = throwaway_builder()
    response = respond(builder, None, {}, "site.example")

    assert (response.status, response.headers) == (401, dict(NO_STORE))
    assert response.body == builder.build_settings(None)


@pytest.mark.parametrize("on_signing_error", ["raise", "anonymous"])
def test_503_if_signing_fails(respond: Respond, on_signing_error: str, caplog: pytest.LogCaptureFixture) -> None:
    builder = broken(on_signing_error)
    with caplog.at_level(logging.ERROR):
        response = respond(builder, 42, {}, "site.example", alignment="left")

    assert (response.status, response.headers) == (503, dict(NO_STORE))
    assert response.body == builder.build_settings(None, alignment="left")
    assert len(caplog.records) == 1
    assert "hush-hush" not in caplog.text


def test_another_origin_gets_nothing_and_nothing_is_signed_for_it(
    respond: Respond, caplog: pytest.LogCaptureFixture
) -> None:
    response = respond(broken("raise"), 42, {"Sec-Fetch-Site": "cross-site"}, "site.example")

    assert (response.status, response.headers, response.body) == (403, dict(NO_STORE), {})
    assert "origins=" in caplog.text  # the console of the page refers to it


def test_a_user_without_an_id_is_an_error(respond: Respond) -> None:
    with pytest.raises(InvalidClaimError):
        respond(throwaway_builder(), "", {}, "site.example")


def test_each_response_has_headers_of_its_own(respond: Respond) -> None:
    respond(throwaway_builder(), None, {}, "site.example").headers["Content-Length"] = "5"

    assert "Content-Length" not in respond(throwaway_builder(), None, {}, "site.example").headers


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Origin": "https://shop.example"}, True),
        ({"Origin": "https://shop.example:444"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://shop.example.evil.example"}, False),
        ({"Origin": "null"}, False),
    ],
)
def test_only_the_sites_own_pages_may_ask(headers: dict[str, str], answer: bool) -> None:
    assert is_same_origin(headers, "shop.example") is answer


def test_no_cache_keeps_the_answer() -> None:
    assert dict(NO_STORE) == {"Cache-Control": "private, no-store", "Vary": "Cookie"}


def test_no_framework_can_write_into_the_headers() -> None:
    with pytest.raises(TypeError):
        NO_STORE["Content-Length"] = "5"  # type: ignore[index]  # that is what is tried


def test_the_case_of_a_header_does_not_matter() -> None:
    assert not is_same_origin({"sec-fetch-site": "cross-site"}, "site.example")
    assert not is_same_origin({"ORIGIN": "https://evil.example"}, "site.example")
    assert is_same_origin({"origin": "https://site.example"}, "site.example")


# Nobody, other origins, and a Messenger that is switched off

APP = "https://app.example"
CORS = {
    "Access-Control-Allow-Origin": APP,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "Date",
}


def test_the_module_gets_nobodys_settings_with_status_200(respond: Respond) -> None:
    for headers, status in (({"x-fin-messenger": "1"}, 200), ({"X-Fin-Messenger": "0"}, 401), ({}, 401)):
        response = respond(throwaway_builder(), None, headers, "site.example")
        assert (response.status, response.body) == (status, throwaway_builder().build_settings(None))
    assert respond(broken("anonymous"), 42, {"X-Fin-Messenger": "1"}, "site.example").status == 503


def test_a_named_origin_gets_settings_with_credentials(respond: Respond) -> None:
    headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
    response = respond(throwaway_builder(), 42, headers, "api.example", origins=[APP, "http://localhost:3000"])

    assert (response.status, response.body["user_id"]) == (200, "42")
    assert response.headers == {**NO_STORE, **CORS, "Vary": "Cookie, Origin"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.evil.example",
        "https://APP.example",
        "http://app.example",
        "null",
        "https://app.example:444",
    ],
)
def test_no_other_origin_does(respond: Respond, origin: str) -> None:
    for more in ({}, {"Access-Control-Request-Method": "GET"}):
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", **more}
        response = respond(broken("raise"), 42, headers, "api.example", origins=(APP,))
        assert (response.status, response.body) == (403, {})
        assert response.headers == {**NO_STORE, "Vary": "Cookie, Origin"}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_preflight_of_a_named_origin_is_answered_and_nothing_signed(respond: Respond, *, enabled: bool) -> None:
    headers = {
        "Origin": APP,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-fin-messenger",
    }
    response = respond(broken("raise"), None, headers, "api.example", origins=(APP,), enabled=enabled)

    assert (response.status, response.body) == (200, {})
    assert response.headers == {
        **NO_STORE,
        **CORS,
        "Vary": "Cookie, Origin",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "X-Fin-Messenger",
        "Access-Control-Max-Age": "600",
    }


@pytest.mark.parametrize(
    "origins",
    [APP, b"x", ["*"], ["null"], ["https://app.example/"], ["http://app.example"], ["https://App.example"], [None], 1],
)
def test_only_exact_and_safe_origins_can_be_named(respond: Respond, origins: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^origins: expected "):
        respond(throwaway_builder(), None, {}, "site.example", origins=origins)


def test_a_messenger_that_is_switched_off_is_gone(respond: Respond, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(**more: Any) -> SettingsResponse:
        return respond(broken("raise"), 42, {"Origin": APP}, "api.example", origins=(APP,), **more)

    assert (off(enabled=False).status, off(enabled=False).body) == (410, {})
    assert off(enabled=False).headers == {**NO_STORE, **CORS, "Vary": "Cookie, Origin"}
    for value, status in (("0", 410), ("false", 410), ("OFF", 410), ("1", 503), (" ", 503)):
        monkeypatch.setenv("MESSENGER_ENABLED", value)
        assert off().status == status
    monkeypatch.setenv("MESSENGER_ENABLED", "maybe")
    with pytest.raises(ConfigurationError, match=r"^MESSENGER_ENABLED: expected 0 or 1\."):
        off()


def test_where_signing_fails_nothing_identifies(respond: Respond) -> None:
    response = respond(broken("raise"), 42, {}, "site.example", email="ada@example.com", extra={"name": "Ada", "a": 1})

    assert response.body == {**throwaway_builder().build_settings(None), "a": 1}


# The cookies of a sign-out


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        ("Shop.Example:8443", ["", "shop.example"]),
        ("a.b.example.co.uk", ["", "a.b.example.co.uk", "b.example.co.uk", "example.co.uk", "co.uk"]),
        ("localhost:8000", [""]),
        ("127.0.0.1", [""]),
        ("[::1]:8000", [""]),
        ("evil.example; HttpOnly\r\nX: y", [""]),
        ("", [""]),
    ],
)
def test_the_cookies_expire_on_every_domain_above_the_host(host: str, domains: list[str]) -> None:
    found = sign_out_cookies("app", host, secure=False)

    assert found == [
        f"intercom-{kind}-app=; Max-Age=0; Path=/; SameSite=Lax{f'; Domain={domain}' * bool(domain)}"
        for kind in ("session", "id", "device-id")
        for domain in domains
    ]
    assert all("; SameSite=Lax; Secure" in each for each in sign_out_cookies("app", host, secure=True))
