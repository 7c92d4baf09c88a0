"""Whose chats a page shows, whatever happens to it: each scenario with the snippet, the module, and the npm package.

Chromium, WebKit and Firefox run them. The stand-in for the widget keeps a session, as the platform does, and judges
each page: after each test, none may have shown the chats of somebody who was not signed in.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.browser.engines import Chromium, Engine, PlaywrightTab, Tab, firefox, webkit
from tests.browser.sites import (
    ByHand,
    Module,
    Npm,
    Renewal,
    Server,
    Site,
    Snippet,
    anonymous,
    breaks,
    says,
    until,
    waits,
)
from tests.browser.test_page import hostile

ADAPTERS = {"snippet": Snippet(), "renewal": Renewal(), "module": Module(), "npm": Npm()}
# A scenario runs in each engine with these; the renewal holds all of the code.
USUAL = {"chromium": ["snippet", "renewal", "module"], "webkit": ["renewal"], "firefox": ["renewal"]}
# Where the person changes, it runs in an application's one document, too, and with the npm package.
EVERY = {"chromium": [*ADAPTERS], "webkit": ["renewal", "module"], "firefox": ["renewal", "module"]}

every_way = pytest.mark.every_way
renewing = pytest.mark.adapters("renewal", "module", "npm")
in_one_document = pytest.mark.adapters("module", "npm")
chromium_only = pytest.mark.engines("chromium")


def in_chromium(tab: Tab) -> PlaywrightTab:
    """The tab, with what Chromium alone can do to it."""
    assert isinstance(tab, PlaywrightTab)
    return tab


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each scenario with every adapter and engine that its marks do not leave out."""

    def names(mark: str) -> tuple[str, ...]:
        found = metafunc.definition.get_closest_marker(mark)
        return found.args if found else ()

    if "site" in metafunc.fixturenames:
        engines = EVERY if metafunc.definition.get_closest_marker("every_way") else USUAL
        pairs = [
            (engine, adapter)
            for engine in names("engines") or engines
            for adapter in engines[engine]
            if adapter in (names("adapters") or ADAPTERS)
        ]
        metafunc.parametrize(("engine", "adapter"), pairs, indirect=["engine"], scope="session")


@pytest.fixture(scope="session")
def bundled(parts: Path) -> Path:
    """The module and the npm package, bundled as a front end does."""
    source = 'export * from "./fin-messenger-auth.js"; export * as api from "@intercom/messenger-js-sdk";'
    command = [f"{parts}/node_modules/.bin/esbuild", "--bundle", "--format=esm", "--outfile=bundle.js"]
    subprocess.run(command, input=source, text=True, check=True, cwd=parts, capture_output=True)
    return parts


@pytest.fixture(scope="session")
def server(bundled: Path) -> Iterator[Server]:
    made = Server(bundled)
    yield made
    for each in (made, made.sandbox):
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if request.param == "chromium":
        yield Chromium(request.getfixturevalue("browser"))
    elif request.param == "webkit":
        with webkit(program) as started:
            yield started
    else:
        with firefox(program, tmp_path_factory.mktemp("profile")) as started:
            yield started


@pytest.fixture
def site(engine: Engine, adapter: str, server: Server) -> Iterator[Site]:
    visit = engine.visit()
    with server.site(ADAPTERS[adapter], next(visit)) as made:
        yield made
    next(visit, None)
    assert made.leaks == []


# In this tab


def test_an_expired_session_and_a_reload(site: Site) -> None:
    tab = site.tab("42")
    site.expire()
    tab.goto(site.url)
    site.shows(tab, None)
    assert site.calls(tab) == [["shutdown", None], ["boot", None]]


def test_the_same_person_is_not_shut_down(site: Site) -> None:
    tab = site.tab("42")
    tab.goto(f"{site.url}other")
    site.shows(tab, "42")
    assert site.calls(tab) == [["boot", "42"]]


@every_way
def test_a_sign_out(site: Site) -> None:
    tab = site.tab("42")
    site.sign_out(tab)
    site.shows(tab, None)
    assert "fin-messenger-auth" not in tab.run("document.cookie")


@pytest.mark.parametrize("strict", [False, True])
def test_a_sign_out_and_the_next_person(site: Site, strict: bool) -> None:
    site.strict = strict
    tab = site.tab("42")
    site.sign_out(tab)
    site.shows(tab, None)
    site.sign_in(tab, "7")
    site.shows(tab, "7")


@every_way
def test_a_change_of_user_without_a_sign_out(site: Site) -> None:
    tab = site.tab("42")
    site.sign_in(tab, "7")
    site.shows(tab, "7")
    assert ["shutdown", None] in site.calls(tab)


@every_way
def test_a_lead_who_signs_in_keeps_the_conversation(site: Site) -> None:
    tab = site.tab()
    site.shows(tab, None)
    site.sign_in(tab, "42")
    site.shows(tab, "42")
    assert ["shutdown", None] not in site.calls(tab)


def test_a_session_that_ends_while_another_begins_by_a_page_load(site: Site) -> None:
    tab = site.tab("42")
    tab.goto(f"{site.url}sign-in?user=7")
    site.shows(tab, "7")
    tab.goto(f"{site.url}sign-out")
    site.shows(tab, None)


@every_way
@in_one_document
def test_a_sign_in_and_a_sign_out_within_milliseconds(site: Site) -> None:
    tab = site.tab("42")
    tab.run(
        "Promise.all([messenger.signedIn(), messenger.signedOut(), messenger.refresh(), messenger.signedOut(),"
        " fetch('/sign-out'), messenger.signedIn(), messenger.signedOut()])"
    )
    site.shows(tab, None)
    time.sleep(0.3)
    site.shows(tab, None)


# In another tab


@every_way
def test_a_sign_out_in_another_tab(site: Site) -> None:
    first, second = site.tab("42"), site.tab()
    site.shows(second, "42")
    site.sign_out(second)
    site.shows(second, None)
    site.shows(first, None)


def test_a_sign_in_in_another_tab(site: Site) -> None:
    first = site.tab()
    site.shows(first, None)
    second = site.tab("42")
    site.shows(second, "42")
    if site.adapter.renews:
        site.shows(first, "42")
    else:
        assert site.calls(first) == [["boot", None]]


@every_way
def test_a_change_of_user_in_another_tab(site: Site) -> None:
    first, second = site.tab("42"), site.tab()
    site.sign_in(second, "7")
    site.shows(second, "7")
    site.follows(first, "7")
    first.goto(site.url)
    site.shows(first, "7")


def test_an_expired_session_that_another_tab_finds(site: Site) -> None:
    first, second = site.tab("42"), site.tab()
    site.shows(second, "42")
    site.expire()
    second.goto(site.url)
    site.shows(second, None)
    site.shows(first, None)


def test_three_tabs_and_two_changes_within_milliseconds(site: Site) -> None:
    tabs = [site.tab("42"), site.tab(), site.tab()]
    for tab in tabs:
        site.shows(tab, "42")
    tabs[1].run("(setTimeout(() => fetch('/sign-out').then(() => location.reload())), 0)")
    tabs[2].run("(setTimeout(() => fetch('/sign-in?user=7').then(() => location.reload())), 0)")
    for tab in tabs:
        until(tab, "'user_id' in intercomSettings && intercomSettings.user_id !== '7'", expected=False)
    site.tab("7")
    site.follows(tabs[0], "7")
    site.sign_out(site.tab())
    for tab in tabs:
        site.shows(tab, None)


@pytest.mark.engines("chromium")
@pytest.mark.adapters("snippet")
def test_a_page_for_nobody_that_met_the_session_of_somebody_drops_it_at_the_sign_out(site: Site) -> None:
    first = site.tab()
    site.shows(first, None)
    second = site.tab("42")
    # As if the first tab's widget had come late, and found the cookie of the second.
    first.run("(Intercom('boot', intercomSettings), 0)")
    until(first, "finMessengerSandbox.chats", "42")
    site.sign_out(second)
    site.shows(first, None)


def test_a_sign_out_on_another_host_of_the_domain(site: Site) -> None:
    first, second = site.tab("42"), site.open_tab()
    second.goto(site.at("app"))
    site.expire()
    # That host's application is another workspace's; its server ends the session of this one, as cookie_names says.
    second.run(
        "['intercom-session', 'fin-messenger-auth'].forEach((name) => { for (const glue of '-.')"
        f" document.cookie = name + glue + '{site.name}=;path=/;max-age=0;domain={site.name}.localhost' }})"
    )
    until(first, f"jar().includes('auth.{site.name}=')", expected=False)  # it comes to other processes in its time
    first.run("(dispatchEvent(new Event('focus')), 0)")
    site.shows(first, None)


def test_without_storage_a_tab_that_is_looked_at_again_follows(site: Site) -> None:
    site.before = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('none'); }});"
    first, second = site.tab("42"), site.tab()
    before = first.run("jar()")
    site.sign_in(second, "7")
    site.shows(second, "7")
    until(first, f"jar() === {json.dumps(before)}", expected=False)
    first.run("(dispatchEvent(new Event('visibilitychange')), 0)")
    site.follows(first, "7")


@chromium_only
def test_a_tab_that_sleeps_through_a_change_of_user(site: Site) -> None:
    first = in_chromium(site.tab("42"))
    first.freeze("frozen")
    second = site.tab("7")
    site.shows(second, "7")
    first.freeze("active")
    site.follows(first, "7")


# The history


@pytest.mark.parametrize("user", [None, "7", "42"], ids=["sign-out", "change-of-user", "same-user"])
def test_a_page_from_the_back_forward_cache(site: Site, user: str | None) -> None:
    site.headers = {}  # with no-store, a page is not kept
    tab = site.tab("42")
    tab.goto(f"{site.url}other")
    site.shows(tab, "42")
    second = site.tab(user) if user else site.tab(path="sign-out")
    site.shows(second, user)
    tab.run("(setTimeout(() => history.back()), 0)")
    until(tab, "[sessionStorage.persisted, location.pathname]", ["true", "/"])
    site.shows(tab, user)


# The clock


@every_way
@renewing
def test_tokens_are_renewed_for_the_same_person(site: Site) -> None:
    tab = site.tab("42")
    before = site.asked
    site.later(tab, 55)
    until(tab, "finMessengerSandbox.calls.length", 2)
    site.shows(tab, "42")
    assert site.calls(tab) == [["boot", "42"], ["update", "42"]]
    assert site.asked == before + 1
    assert tab.run("finMessengerSandbox.verdicts.at(-1).intercom") == "Verified as 42"


@renewing
def test_a_tab_that_slept_for_a_day_with_an_expired_session(site: Site) -> None:
    tab = site.tab("42")
    site.expire()
    site.later(tab, 24 * 60)
    site.shows(tab, None)


@chromium_only
@renewing
def test_tokens_of_seconds(site: Site) -> None:
    site.age = 3598
    tab = site.tab("42")
    until(tab, "finMessengerSandbox.calls.length > 2")
    site.shows(tab, "42")
    assert [method for method, _ in site.calls(tab)][:3] == ["boot", "update", "update"]
    site.expire()
    site.shows(tab, None)


@chromium_only
@pytest.mark.parametrize("hours", [2, -2], ids=["fast", "slow"])
def test_a_clock_that_is_hours_off(site: Site, hours: int) -> None:
    site.skew = hours * 3600
    tab = site.tab("42")
    tab.goto(site.url)
    site.shows(tab, "42")
    site.sign_out(tab)
    site.shows(tab, None)


# The endpoint and the network


# A redirect and a connection that ends come to the script in each engine's own way; the others are the server's words.


@chromium_only
@renewing
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(anonymous(200), id="200"),
        pytest.param(anonymous(401), id="401"),
        pytest.param(says(401), id="401-empty"),
        pytest.param(says(403, {}), id="403"),
        pytest.param(anonymous(503), id="503"),
    ],
)
def test_an_endpoint_that_says_that_nobody_is_signed_in(site: Site, answer: Callable[..., bool]) -> None:
    tab = site.tab("42")
    site.answers = [answer]
    site.later(tab, 55)
    site.shows(tab, None)


@renewing
def test_an_endpoint_that_redirects_to_the_sign_in(site: Site) -> None:
    tab = site.tab("42")
    site.answers = [says(303, Location="/sign-in")]
    site.later(tab, 55)
    site.shows(tab, None)


@renewing
def test_no_network_until_the_tokens_expire(site: Site) -> None:
    outlasts(site, breaks)


@chromium_only
@renewing
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says(500), id="500"),
        pytest.param(says(200, "<!doctype html>"), id="html"),
        pytest.param(says(200, {}), id="empty"),
    ],
)
def test_an_endpoint_that_says_nothing_until_the_tokens_expire(site: Site, answer: Callable[..., bool]) -> None:
    outlasts(site, answer)


def outlasts(site: Site, answer: Callable[..., bool]) -> None:
    """The same person is shown until the tokens expire, and again after the outage; the console says so once."""
    tab = site.tab("42")
    site.answers = [answer] * 99  # browsers try again by themselves where a connection ends
    site.later(tab, 52)
    until(tab, "lines.length", 1)
    site.shows(tab, "42")
    site.later(tab, 15)
    site.shows(tab, None)
    site.answers = []
    site.later(tab, 15)
    site.shows(tab, "42")
    assert len(tab.run("lines")) == 1


@chromium_only
@renewing
def test_offline_until_the_tokens_expire(site: Site) -> None:
    tab = in_chromium(site.tab("42"))
    tab.set_offline(True)
    site.later(tab, 65)
    until(tab, "finMessengerSandbox.chats", None)
    site.sessions = dict.fromkeys(site.sessions, "7")
    tab.set_offline(False)
    site.shows(tab, "7")


@renewing
def test_a_slow_answer_that_comes_after_a_sign_out(site: Site) -> None:
    tab, gate = site.tab("42"), Event()
    site.answers = [waits(gate)]
    asked = site.asked
    site.later(tab, 55)
    while site.asked == asked:
        time.sleep(0.01)
    second = site.tab(path="sign-out")
    site.shows(second, None)
    until(tab, "'user_id' in intercomSettings", expected=False)
    gate.set()
    time.sleep(0.3)
    site.shows(tab, None)


@renewing
def test_a_page_that_is_left_while_the_endpoint_is_asked(site: Site) -> None:
    tab, gate = site.tab("42"), Event()
    site.answers = [waits(gate)]
    site.later(tab, 55)
    site.expire()
    tab.goto(f"{site.url}other")
    gate.set()
    site.shows(tab, None)


# The page


@pytest.mark.parametrize("library", ["turbo", "htmx2", "htmx4"])
def test_links_that_swap_the_body(site: Site, library: str) -> None:
    site.head = f"<script nonce=NONCE src=/{library}.js></script>"
    site.body = {"turbo": "", "htmx2": "hx-boost=true", "htmx4": "hx-boost:inherited=true"}[library]

    def click(link: str, user: str | None) -> None:
        # A body that is being swapped has no link yet, or one that htmx does not know yet.
        swapping = "document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"
        until(tab, f"!!document.getElementById('{link}') && !{swapping}")
        tab.run(f"document.getElementById('{link}').click()")
        until(tab, "document.getElementById('user')?.textContent", user or "nobody")
        site.shows(tab, user)

    tab = site.tab()
    site.shows(tab, None)
    tab.run("window.stays = 1")
    click("ada", "42")
    click("other", "42")
    until(tab, "document.getElementById('path').textContent", "/other")
    click("out", None)
    assert tab.run("window.stays") == 1
    tab.run("(setTimeout(() => history.back()), 0)")
    until(tab, "location.pathname", "/other")
    site.shows(tab, None)
    click("grace", "7")
    click("ada", "42")


def test_two_workspaces_by_host_name(site: Site) -> None:
    first, second = site.tab("42"), site.open_tab()
    second.goto(site.at("app"))
    site.shows(second, "42")
    assert second.run("intercomSettings.app_id") == f"{site.name}-app"
    site.sign_in(first, "7")
    site.shows(first, "7")
    site.shows(second, "42")


@pytest.mark.parametrize("user", [None, "7"], ids=["nobody", "another"])
def test_markup_that_shadows_the_document(site: Site, user: str | None) -> None:
    # The package itself reads `document` as it is, and does not load the widget if these are shadowed.
    site.markup = hostile({"createElement", "readyState"} if isinstance(site.adapter, Npm) else set())
    tab = site.tab("42")
    other = site.tab(user) if user else site.tab(path="sign-out")
    site.shows(other, user)
    site.follows(tab, user)


def test_without_storage(site: Site) -> None:
    site.before = (
        "for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])"
        " Object.defineProperty(window, name, {get() { throw new Error('none'); }});"
    )
    tab = site.tab("42")
    site.sign_out(tab)
    site.shows(tab, None)
    site.sign_in(tab, "7")
    site.shows(tab, "7")


@pytest.mark.parametrize("get", ["return ''", "throw new DOMException('none')"], ids=["empty", "throws"])
def test_without_cookies_nobody_is_identified(site: Site, get: str) -> None:
    tab = site.tab("42")
    site.before = f"Object.defineProperty(Document.prototype, 'cookie', {{get() {{ {get} }}, set() {{ {get} }}}});"
    tab.goto(site.url)
    until(tab, "lines[0]", "fin-messenger-auth: without cookies nobody is identified")
    assert tab.run("Object.keys(intercomSettings).sort()") == ["api_base", "app_id"]


# The tests themselves


@pytest.mark.engines("chromium")
@pytest.mark.adapters("snippet")
def test_a_page_written_by_hand_is_noticed(site: Site) -> None:
    site.adapter = ByHand()
    tab = site.tab("42")
    site.expire()
    tab.goto(site.url)
    until(tab, "window.finMessengerSandbox?.chats", "42")
    assert site.leaks
    site.leaks.clear()
