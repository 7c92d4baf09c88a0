"""The rules of the endpoint for fresh settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from fin_messenger_auth import IntercomMinter, TokenPairBuilder
from fin_messenger_auth.errors import InvalidClaimError
from fin_messenger_auth.page import (
    NO_STORE,
    SettingsResponse,
    asettings_response,
    is_same_origin,
    settings_response,
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


def test_another_origin_gets_nothing_and_nothing_is_signed_for_it(respond: Respond) -> None:
    response = respond(broken("raise"), 42, {"Sec-Fetch-Site": "cross-site"}, "site.example")

    assert (response.status, response.headers, response.body) == (403, dict(NO_STORE), {})


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
