"""The snippet and the sign-out: within one document, as Turbo and its like navigate, and from page to page."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth import TokenPairBuilder, render_snippet
from fin_messenger_auth.page import cookie_names, render_sign_out

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.browser.conftest import Visitor


HOME = "https://www.shop.example/"
MARKER = "fin-messenger-auth.throwaway"

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

# What the script reads, and what a visitor's own markup can be named after.
NAMES = [
    *("cookie", "documentElement", "head", "body", "createElement", "currentScript", "readyState", "addEventListener"),
    *("dispatchEvent", "querySelector", "visibilityState", "defaultView", "constructor", "location", "performance"),
    *("Intercom", "intercomSettings", "finMessengerAuth", "fin-messenger-auth", "localStorage"),
    *("Document", "EventTarget", "CustomEvent", "Object", "Reflect", "Symbol", "console", "navigator", "fetch"),
]


def hostile(but: Collection[str] = ()) -> str:
    """Return markup that shadows what the script reads, except some names."""
    return "".join(
        f"<img name={name}><form name={name}><input name=attributes></form><a id={name}></a>"
        f"<object name={name}></object><iframe name={name}></iframe>"
        for name in NAMES
        if name not in but
    )


HOSTILE = hostile()


class Shop:
    """A site: pages that come and go in one document, and whole pages."""

    def __init__(self, visitor: Visitor, builder: TokenPairBuilder) -> None:
        self.builder, self.body, self._visitor = builder, "", visitor
        visitor.context.route("https://widget.intercom.io/**", lambda route: route.fulfill(body=RECORDER))
        visitor.context.route(f"{HOME}**", self._answer)
        self.page: Page = visitor.open(HOME)

    def _answer(self, route: Route) -> None:
        body = f"<!doctype html><link rel=icon href=data:,><body>{self.body}</body>"
        route.fulfill(body=body, content_type="text/html")

    def go(self, user: int | None) -> None:
        """Swap the body for another page."""
        self.run(render_snippet(self.builder.build_settings(user)))

    def load(self, user: int | None, *, before: str = "") -> Page:
        """Load a whole page."""
        self.body = before + render_snippet(self.builder.build_settings(user))
        self.page.goto(HOME)
        wait_for_the_widget(self.page)
        return self.page

    def tab(self, user: int | None) -> Page:
        """Load a whole page in another tab."""
        self.body = str(render_snippet(self.builder.build_settings(user)))
        page = self._visitor.open(HOME)
        wait_for_the_widget(page)
        return page

    def run(self, snippet: str) -> None:
        self.page.evaluate(RUN, snippet)
        self.page.wait_for_function("!window.Intercom?.q")  # the widget has worked off its queue

    @property
    def told(self) -> list[list[Any]]:
        return told(self.page)

    @property
    def cookies(self) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self._visitor.context.cookies(HOME)}

    def keep_cookies(self) -> None:
        """Set the cookies that the Messenger would set, for the host and for its domain."""
        for name in cookie_names("throwaway"):
            self._visitor.context.add_cookies(
                [
                    {"name": name, "value": "x", "url": HOME},
                    {"name": name, "value": "x", "domain": ".shop.example", "path": "/"},
                ]
            )


def wait_for_the_widget(page: Page) -> None:
    for _ in range(500):
        if page.evaluate("!!window.told"):
            return
        page.wait_for_timeout(10)
    raise AssertionError("the widget has not come")


def told(page: Page) -> list[list[Any]]:
    found: list[list[Any]] = page.evaluate("window.told")
    return found


@pytest.fixture
def shop(visitor: Visitor, messenger_builder: TokenPairBuilder) -> Shop:
    return Shop(visitor, messenger_builder)


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
    assert shop.cookies == {}


def test_a_lead_who_signs_in_keeps_the_thread(shop: Shop) -> None:
    shop.go(None)
    shop.go(42)
    assert shop.told == [["boot", None], ["update", "42"]]


def test_the_marker_says_nothing_of_the_person(shop: Shop) -> None:
    shop.go(4242424242)
    marker = shop.cookies[MARKER]
    assert len(marker) < 24
    assert "4242" not in marker
    shop.go(4242424242)
    assert shop.cookies.keys() == {MARKER}
    assert shop.cookies[MARKER] != marker
    assert shop.told == [["boot", "4242424242"], ["update", "4242424242"]]


def test_the_marker_shares_the_domain_of_the_messengers_cookies(visitor: Visitor, shop: Shop) -> None:
    shop.go(42)
    [marker] = visitor.context.cookies()
    assert (marker["domain"], marker["path"], marker["sameSite"]) == (".shop.example", "/", "Lax")


def test_the_last_persons_cookies_are_gone_before_the_widget_comes(shop: Shop) -> None:
    shop.go(42)
    shop.keep_cookies()
    shop.page.evaluate("document.cookie = 'own=1'")
    shop.go(None)
    assert shop.cookies == {"own": "1"}


@pytest.mark.parametrize("get", ["return ''", "throw new DOMException('none')"], ids=["empty", "throws"])
def test_without_cookies_nobody_is_identified(visitor: Visitor, shop: Shop, get: str) -> None:
    script = f"Object.defineProperty(Document.prototype, 'cookie', {{get() {{ {get} }}, set() {{ {get} }}}})"
    visitor.context.add_init_script(script)
    shop.load(42)
    assert shop.told == [["boot", None]]
    assert shop.page.evaluate("Object.keys(intercomSettings)") == ["api_base", "app_id"]
    assert visitor.complaints == ["fin-messenger-auth: without cookies nobody is identified"]
    visitor.complaints.clear()


def test_storage_is_not_needed(visitor: Visitor, shop: Shop) -> None:
    visitor.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])"
        "  Object.defineProperty(window, name, {get() { throw new Error('none'); }});"
    )
    shop.load(42)
    shop.load(None)
    assert shop.told == [["shutdown", None], ["boot", None]]


def test_a_stored_page_of_the_history_signs_nobody_in_again(shop: Shop) -> None:
    ada = render_snippet(shop.builder.build_settings(42))
    shop.run(ada)
    shop.run(ada)
    shop.go(None)
    shop.run(ada)
    assert shop.told == [["boot", "42"], ["update", "42"], ["shutdown", None], ["boot", None], ["update", None]]
    shop.go(42)
    assert shop.told[5:] == [["update", "42"]]


def test_a_preview_of_a_stored_page_boots_nobody(shop: Shop) -> None:
    shop.page.evaluate("document.documentElement.setAttribute('data-turbo-preview', '')")
    shop.go(42)
    assert shop.page.evaluate("window.Intercom === undefined && window.intercomSettings === undefined")


def test_the_sign_out_leaves_nothing_of_the_person(shop: Shop) -> None:
    shop.go(42)
    shop.page.evaluate("Object.assign(intercomSettings, {email: 'a@b.example', name: 'Ada', company: {}, z_index: 9})")
    shop.keep_cookies()
    shop.run(render_sign_out("throwaway"))
    assert shop.told == [["boot", "42"], ["shutdown", None]]
    assert shop.page.evaluate("Object.keys(intercomSettings)") == ["api_base", "app_id", "z_index"]
    assert shop.cookies == {}
    shop.go(7)
    assert shop.told[2:] == [["boot", "7"]]


def test_the_sign_out_does_no_harm_where_there_is_no_messenger(shop: Shop) -> None:
    shop.run(render_sign_out("throwaway"))
    assert shop.page.evaluate("window.Intercom === undefined")


def test_a_page_that_the_back_button_brings_back_asks_the_server_anew(visitor: Visitor, shop: Shop) -> None:
    shop.load(42)
    shop.page.evaluate("window.stays = true; dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    shop.page.wait_for_timeout(100)
    assert shop.page.evaluate("window.stays")
    visitor.context.clear_cookies()
    with shop.page.expect_navigation():
        shop.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert shop.page.evaluate("window.stays === undefined")


@pytest.mark.parametrize("user", [None, 7], ids=["nobody", "another"])
def test_the_next_page_shuts_down_whatever_its_markup_is_named(shop: Shop, user: int | None) -> None:
    shop.load(42, before=HOSTILE)
    assert shop.told == [["boot", "42"]]
    shop.keep_cookies()
    shop.load(user, before=HOSTILE)
    assert shop.told == [["shutdown", None], ["boot", user and str(user)]]
    assert shop.cookies.keys() == ({MARKER} if user else set())


def test_the_sign_out_works_whatever_the_markup_is_named(shop: Shop) -> None:
    shop.load(42, before=HOSTILE)
    shop.keep_cookies()
    shop.load(None, before=HOSTILE + render_sign_out("throwaway"))
    assert shop.page.evaluate("typeof document.cookie") != "string"
    assert shop.told == [["boot", None]]
    assert shop.cookies == {}


def test_another_tab_that_signs_out_shuts_this_one_down(shop: Shop) -> None:
    first = shop.load(42, before=HOSTILE)
    shop.tab(None)
    first.wait_for_timeout(100)
    assert told(first) == [["boot", "42"], ["shutdown", None], ["boot", None]]
    assert first.evaluate("Object.keys(intercomSettings)") == ["api_base", "app_id"]


def test_another_tab_for_another_user_closes_this_one(shop: Shop) -> None:
    first = shop.load(42)
    second = shop.tab(7)
    first.wait_for_timeout(100)
    assert told(first) == [["boot", "42"], ["shutdown", None]]
    assert told(second) == [["shutdown", None], ["boot", "7"]]
    assert MARKER in shop.cookies
    assert second.evaluate("intercomSettings.user_id") == "7"


def test_a_page_from_the_history_that_was_closed_before_it_was_shown_is_loaded_again(shop: Shop) -> None:
    first = shop.load(42)
    shop.tab(7)
    first.wait_for_timeout(100)
    with first.expect_navigation():
        first.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")


def test_another_tab_for_the_same_user_changes_nothing(shop: Shop) -> None:
    first = shop.load(42)
    second = shop.tab(42)
    first.wait_for_timeout(100)
    assert told(first) == told(second) == [["boot", "42"]]


def test_a_tab_that_slept_through_a_sign_out_is_shut_down_when_it_wakes(visitor: Visitor, shop: Shop) -> None:
    first = shop.load(42)
    visitor.context.clear_cookies()  # by the server's answer on another host of the domain, say
    first.evaluate("dispatchEvent(new Event('visibilitychange'))")
    assert told(first) == [["boot", "42"], ["shutdown", None], ["boot", None]]


def test_another_workspace_in_the_same_document_starts_with_nobody(shop: Shop) -> None:
    shop.go(42)
    shop.run(render_snippet({**shop.builder.build_settings(42), "app_id": "other"}))
    assert shop.told == [["boot", "42"], ["shutdown", None], ["boot", "42"]]
    assert shop.cookies.keys() == {"fin-messenger-auth.other"}
