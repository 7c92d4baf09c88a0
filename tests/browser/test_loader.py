"""The loader within one document, as Turbo and its like navigate, and the sign-out script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth import TokenPairBuilder, render_snippet
from fin_messenger_auth.page import render_sign_out

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visitor


HOME = "https://shop.example/"

# A widget that only remembers what it is told.
RECORDER = """
window.loads = (window.loads || 0) + 1;
window.told = window.Intercom.q.map(call => [call[0], call[1] && call[1].user_id]);
window.Intercom = (method, settings) => window.told.push([method, settings && settings.user_id]);
"""

# What Turbo does with the scripts of a new body.
RUN = """markup => {
  const box = document.createElement('div');
  box.innerHTML = markup;
  const script = document.createElement('script');
  script.textContent = box.firstChild.textContent;
  document.body.replaceChildren(script);
}"""


class Shop:
    """One document, in which pages come and go."""

    def __init__(self, page: Page, builder: TokenPairBuilder) -> None:
        self.page = page
        self._builder = builder

    def go(self, user: int | None) -> None:
        self.run(render_snippet(self._builder.build_settings(user)))

    def run(self, snippet: str) -> None:
        self.page.evaluate(RUN, snippet)
        self.page.wait_for_timeout(50)

    @property
    def told(self) -> list[list[Any]]:
        found: list[list[Any]] = self.page.evaluate("window.told")
        return found

    @property
    def marker(self) -> str | None:
        found: str | None = self.page.evaluate("localStorage.getItem('fin-messenger-auth.throwaway')")
        return found


@pytest.fixture
def shop(visitor: Visitor, messenger_builder: TokenPairBuilder) -> Shop:
    visitor.context.route("https://widget.intercom.io/**", lambda route: route.fulfill(body=RECORDER))
    visitor.context.route(
        HOME,
        lambda route: route.fulfill(
            body="<!doctype html><link rel=icon href=data:,><body></body>", content_type="text/html"
        ),
    )
    return Shop(visitor.open(HOME), messenger_builder)


def test_the_widget_is_loaded_once(shop: Shop) -> None:
    for _ in range(3):
        shop.go(42)
    assert shop.page.evaluate("window.loads") == 1
    assert shop.told == [["boot", "42"], ["update", "42"], ["update", "42"]]


def test_a_change_of_user_is_never_an_update(shop: Shop) -> None:
    shop.go(42)
    shop.go(7)
    assert shop.told == [["boot", "42"], ["shutdown", None], ["boot", "7"]]


def test_a_page_for_nobody_shuts_down_first(shop: Shop) -> None:
    shop.go(42)
    shop.go(None)
    shop.go(None)
    assert shop.told == [["boot", "42"], ["shutdown", None], ["boot", None], ["update", None]]
    assert shop.marker is None


def test_a_lead_who_signs_in_keeps_the_thread(shop: Shop) -> None:
    shop.go(None)
    shop.go(42)
    assert shop.told == [["boot", None], ["update", "42"]]


def test_the_marker_says_nothing_of_the_person(shop: Shop) -> None:
    shop.go(4242424242)
    marker = shop.marker
    assert marker is not None
    assert len(marker) < 24
    assert "4242" not in marker
    shop.go(4242424242)
    assert shop.marker == marker


def test_the_last_persons_cookies_are_gone_before_the_widget_comes(shop: Shop) -> None:
    shop.go(42)
    shop.page.evaluate(
        "for (const each of ['session', 'id', 'device-id']) document.cookie = `intercom-${each}-throwaway=x`;"
        "document.cookie = 'intercom-session-throwaway=x; domain=shop.example';"
        "document.cookie = 'own=1'"
    )
    shop.go(None)
    assert shop.page.evaluate("document.cookie") == "own=1"


def test_without_storage_the_document_remembers(visitor: Visitor, shop: Shop) -> None:
    visitor.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('none'); }})"
    )
    shop.page.reload()
    shop.go(42)
    shop.go(7)
    shop.go(None)
    assert shop.told == [["boot", "42"], ["shutdown", None], ["boot", "7"], ["shutdown", None], ["boot", None]]


def test_a_preview_of_a_stored_page_boots_nobody(shop: Shop) -> None:
    shop.page.evaluate("document.documentElement.setAttribute('data-turbo-preview', '')")
    shop.go(42)
    assert shop.page.evaluate("window.Intercom === undefined && window.intercomSettings === undefined")


def test_the_sign_out_leaves_nothing_of_the_person(shop: Shop) -> None:
    shop.go(42)
    shop.page.evaluate("Object.assign(intercomSettings, {email: 'a@b.example', auth_tokens: {x: 'y'}})")
    shop.page.evaluate("document.cookie = 'intercom-session-throwaway=x'")
    shop.run(render_sign_out("throwaway"))
    assert shop.told == [["boot", "42"], ["shutdown", None]]
    assert shop.page.evaluate("Object.keys(intercomSettings)") == ["api_base", "app_id"]
    assert shop.page.evaluate("document.cookie") == ""
    assert shop.marker is None
    shop.go(7)
    assert shop.told[2:] == [["boot", "7"]]


def test_the_sign_out_does_no_harm_where_there_is_no_messenger(shop: Shop) -> None:
    shop.run(render_sign_out("throwaway"))
    assert shop.page.evaluate("window.Intercom === undefined")


def test_a_page_that_the_back_button_brings_back_asks_the_server_anew(shop: Shop) -> None:
    shop.go(42)
    shop.page.evaluate("window.stays = true; dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    shop.page.wait_for_timeout(100)
    assert shop.page.evaluate("window.stays")
    with shop.page.expect_navigation():
        shop.page.evaluate(
            "localStorage.clear(); dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
        )
    assert shop.page.evaluate("window.stays === undefined")
