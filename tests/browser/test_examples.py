"""Each example in a real browser: whom the stand-in takes the visitor for, and whose chats it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site, Visitor

Serve = Callable[..., "Site"]


# What the scripts do is the same on each site, and test_matrix.py has it: one example shows that it is at work there.
one_example = pytest.mark.parametrize("example", ["flask"], indirect=True)


@pytest.fixture(params=["flask", "django", "fastapi"])
def example(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def site(example: str, serve: Serve) -> Site:
    return serve(example)


def sign_in(page: Page, name: str) -> None:
    page.fill("[name=username]", name)
    page.fill("[name=password]", "demo")
    page.click("#sign-in")


def badge(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text)


def until(page: Page, condition: str) -> None:
    """Wait for a condition; Playwright's own ``wait_for_function`` needs the eval that the policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def calls(page: Page) -> list[list[Any]]:
    found: list[list[Any]] = page.evaluate("finMessengerSandbox.calls")
    return found


def chats(page: Page) -> str | None:
    held: str | None = page.evaluate("finMessengerSandbox.chats")
    return held


def test_a_signed_in_user_is_verified_by_both(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Intercom: Verified as 42")
    badge(page, "Salesforce: Verified as 42")
    assert [method for method, _ in calls(page)] == ["boot"]
    assert visitor.verdicts[-1]["user_id"] == "42"


def test_in_the_demo_the_page_itself_loads_the_stand_in(visitor: Visitor, example: str, serve: Serve) -> None:
    page = visitor.visit(serve(example, "--demo"))
    sign_in(page, "ada")
    badge(page, "Intercom: Verified as 42")
    badge(page, "Salesforce: Verified as 42")
    assert visitor.verdicts == []  # nothing went to the platforms' addresses


def test_the_stand_in_says_why_the_visitor_is_a_guest(visitor: Visitor, serve: Serve) -> None:
    page = visitor.visit(serve("flask", "--slash"))
    sign_in(page, "ada")
    badge(page, "Intercom: Verified as 42")
    badge(page, "Salesforce: Guest: ")
    badge(page, "slash")


def test_an_anonymous_page_says_nothing_of_anybody(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    badge(page, "Lead: an anonymous visitor")
    [[method, settings]] = calls(page)
    assert method == "boot"
    assert settings.keys() == {"app_id", "api_base"}
    assert visitor.verdicts[-1]["user_id"] is None


@one_example
def test_a_lead_keeps_their_thread(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    badge(page, "Lead: an anonymous visitor")
    page.reload()
    badge(page, "Lead: an anonymous visitor")
    assert [method for method, _ in calls(page)] == ["boot"]


def test_the_next_visitor_after_a_time_out_sees_no_chats(visitor: Visitor, site: Site, example: str) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Chats shown: 42")
    visitor.context.clear_cookies(name="sessionid" if example == "django" else "session")
    page.reload()
    badge(page, "Chats shown: none")
    assert [method for method, _ in calls(page)] == ["shutdown", "boot"]


@one_example
def test_another_users_page_is_shut_down_and_booted(visitor: Visitor, site: Site, example: str) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Chats shown: 42")
    # Signed out on the server's side only, and in again by a page whose scripts can leave no marker.
    visitor.context.clear_cookies(name="sessionid" if example == "django" else "session")
    blocked = visitor.context.new_page()
    blocked.add_init_script(
        "Object.defineProperty(Document.prototype, 'cookie', {get() { return ''; }, set() {}});"
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('none'); }})"
    )
    blocked.route("https://widget.intercom.io/**", lambda route: route.fulfill(body=""))
    blocked.goto(site.url)
    sign_in(blocked, "grace")
    blocked.wait_for_selector("#user")
    page.goto(site.url)
    badge(page, "Chats shown: 7")
    assert [method for method, _ in calls(page)] == ["shutdown", "boot"]
    assert visitor.verdicts[-1]["user_id"] == "7"


@one_example
def test_the_same_users_next_page_is_a_plain_boot(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Chats shown: 42")
    page.reload()
    badge(page, "Chats shown: 42")
    assert [method for method, _ in calls(page)] == ["boot"]


def test_an_administrator_does_not_speak_in_the_users_name(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    sign_in(page, "root")
    badge(page, "Verified as 1")
    page.select_option("select", "ada")
    page.click("#show-as")
    badge(page, "Signed in as Ada Lovelace, shown to Root")
    badge(page, "Lead: an anonymous visitor")
    assert chats(page) is None
    assert "eyJ" not in page.content()
    assert page.evaluate("fetch('messenger/settings').then(answer => answer.status)") == 401
    visitor.complaints = [each for each in visitor.complaints if "401" not in each]


def test_signing_out_ends_the_messengers_session(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Chats shown: 42")
    page.click("#sign-out")
    badge(page, "Chats shown: none")
    assert not [each["name"] for each in visitor.context.cookies() if "throwaway" in each["name"]]
    page.goto(site.url)
    badge(page, "Chats shown: none")
    assert [method for method, _ in calls(page)] == ["boot"]


def test_the_back_button_brings_nobody_back(visitor: Visitor, site: Site) -> None:
    page = visitor.visit(site)
    sign_in(page, "ada")
    badge(page, "Chats shown: 42")
    page.click("#sign-out")
    badge(page, "Chats shown: none")
    page.go_back()
    badge(page, "Nobody is signed in")
    badge(page, "Chats shown: none")
    assert "eyJ" not in page.content()


@one_example
def test_a_sign_out_in_one_tab_shuts_the_other_down(visitor: Visitor, site: Site) -> None:
    first = visitor.visit(site)
    sign_in(first, "ada")
    badge(first, "Chats shown: 42")
    first.evaluate("document.addEventListener('fin-messenger-auth:stopped', event => { window.why = event.detail; })")
    second = visitor.open(site.url)
    badge(second, "Chats shown: 42")
    second.click("#sign-out")
    badge(second, "Chats shown: none")
    until(first, "window.why === 'signed-out'")
    badge(first, "Chats shown: none")
    until(first, "finMessengerSandbox.calls.some(([method]) => method === 'shutdown')")
    visitor.complaints = [each for each in visitor.complaints if "401" not in each]


@one_example
def test_a_sign_in_in_one_tab_reaches_the_other(visitor: Visitor, site: Site) -> None:
    first = visitor.visit(site)
    badge(first, "Lead: an anonymous visitor")
    second = visitor.open(site.url)
    sign_in(second, "grace")
    badge(second, "Chats shown: 7")
    badge(first, "Chats shown: 7")


def test_tokens_are_renewed_before_they_expire(visitor: Visitor, example: str, serve: Serve) -> None:
    page = visitor.visit(serve(example, "--lifetime", "4"))
    sign_in(page, "ada")
    badge(page, "Verified as 42")
    until(page, "finMessengerSandbox.calls.length > 1")
    (_, first), (method, second) = calls(page)[:2]
    assert method == "update"
    assert second["user_id"] == "42"
    assert second["intercom_user_jwt"] != first["intercom_user_jwt"]
    assert second["salesforce_identity_token"] != first["salesforce_identity_token"]
    until(page, "finMessengerSandbox.verdicts.length > 1")
    assert [each["intercom"] for each in visitor.verdicts[-2:]] == ["Verified as 42"] * 2


def test_if_signing_fails_the_page_is_anonymous_and_the_log_holds_one_record(
    visitor: Visitor, example: str, serve: Serve
) -> None:
    site = serve(example, "--broken")
    page = visitor.visit(site)
    before = site.log.read_text()
    sign_in(page, "ada")
    badge(page, "Signed in as Ada Lovelace")
    badge(page, "Lead: an anonymous visitor")
    records = [line for line in site.log.read_text().removeprefix(before).splitlines() if line.startswith("ERROR:")]
    assert len(records) == 1
    assert "(anonymous)" in records[0]
    assert "hush" not in records[0]
    assert "RuntimeError: hush" not in site.log.read_text()
    assert page.evaluate("fetch('messenger/settings').then(answer => answer.status)") == 503
    visitor.complaints = [each for each in visitor.complaints if "503" not in each]
