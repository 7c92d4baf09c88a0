"""The module under a clock that the test moves on: it renews a page, and runs a single-page application."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth.page import render_renewal, render_sign_out, render_snippet, renewal_module
from fin_messenger_auth.testing import FrozenClock, throwaway_builder

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Request, Route

    from fin_messenger_auth import TokenPairBuilder
    from tests.browser.conftest import Visitor

NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"
HOME = "https://shop.example/"
START = 1_700_000_000
MINUTE = 60_000

# A Messenger that only remembers what it is told.
RECORDER = (
    "calls = []; whys = []; Intercom = (method, settings) => calls.push([method, settings?.user_id, settings]);"
    "document.addEventListener('fin-messenger-auth:stopped', event => whys.push(event.detail));"
)


class Shop:
    """A site with an endpoint; its page has the snippet and the renewal, or as a single-page application neither."""

    def __init__(
        self,
        visitor: Visitor,
        clock: FrozenClock,
        builder: TokenPairBuilder,
        *,
        user: int | None = 42,
        rendered: bool = True,
    ) -> None:
        self.clock, self.builder = clock, builder
        self.asked = 0
        self.answers: list[Callable[[Route], None]] = []
        self.user = user
        self.rendered = rendered
        self.policy = "connect-src 'self'"
        context = self.context = visitor.context
        context.route(HOME, self._show)
        context.route(
            f"{HOME}module.js",
            lambda route: route.fulfill(path=Path(renewal_module()), content_type="text/javascript"),
        )
        context.route(f"{HOME}settings", self._answer)
        self._in_flight: set[Request] = set()
        context.on("request", self._requested)
        context.on("requestfinished", self._answered)
        context.on("requestfailed", self._answered)
        moment = datetime.fromtimestamp(START, UTC)
        context.clock.install(time=moment - timedelta(minutes=1))
        self.page: Page = self.tab()
        context.clock.pause_at(moment + timedelta(seconds=1))
        self.page.wait_for_timeout(50)

    def _requested(self, request: Request) -> None:
        self._in_flight.add(request)

    def _answered(self, request: Request) -> None:
        self._in_flight.discard(request)

    def tab(self) -> Page:
        page = self.context.new_page()
        page.goto(HOME)
        page.wait_for_timeout(50)
        return page

    def _show(self, route: Route) -> None:
        body = f"<!doctype html><link rel=icon href=data:,><body><script nonce={NONCE}>{RECORDER}</script>"
        if self.rendered:
            body += render_snippet(self.builder.build_settings(self.user), nonce=NONCE)
            body += render_renewal("/module.js", "/settings", nonce=NONCE)
        policy = f"default-src 'none'; script-src 'nonce-{NONCE}' 'strict-dynamic'; {self.policy}"
        route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    def _answer(self, route: Route) -> None:
        self.asked += 1
        if self.answers:
            self.answers.pop(0)(route)
            return
        now = datetime.fromtimestamp(self.clock.now, UTC)
        route.fulfill(
            body=json.dumps(self.builder.build_settings(self.user)),
            content_type="application/json",
            headers={"Date": f"{now:%a, %d %b %Y %H:%M:%S GMT}"},
        )

    def wait(self, milliseconds: int, step: int = MINUTE) -> None:
        """Let time go by in steps, here and on the server; what a step sets off comes to its end before the next."""
        for _ in range(0, milliseconds, step):
            self.suspend(step)

    def suspend(self, milliseconds: int) -> None:
        """Close the lid: time goes by all at once."""
        self.clock.advance(milliseconds / 1000)
        self.page.clock.fast_forward(milliseconds)
        self.page.wait_for_timeout(20)
        for _ in range(200):
            if not self._in_flight:
                break
            self.page.wait_for_timeout(10)

    @property
    def updates(self) -> list[list[Any]]:
        return [[method, settings] for method, _, settings in self.page.evaluate("calls") if method == "update"]

    @property
    def told(self) -> list[list[Any]]:
        return told(self.page)

    def must_tell(self, expected: list[list[str | None]], start: int = 0) -> None:
        """Wait for what the Messenger must have been told since the call number ``start``."""
        for _ in range(100):
            if self.told[start:] == expected:
                break
            self.page.wait_for_timeout(20)
        assert self.told[start:] == expected

    def must_update(self, times: int) -> None:
        """Wait until the Messenger was updated so often, and see that it is not more often."""
        for _ in range(100):
            if len(self.updates) >= times:
                break
            self.page.wait_for_timeout(20)
        assert len(self.updates) == times

    @property
    def whys(self) -> list[str]:
        found: list[str] = self.page.evaluate("whys")
        return found

    def start(self, options: str = "{}", source: str = "'/settings'", page: Page | None = None) -> None:
        """Start the module, as a single-page application does."""
        (page or self.page).evaluate(
            f"import('/module.js').then(it => it.startMessenger({source}, {options})).then(it => {{ messenger = it; }})"
        )


def told(page: Page) -> list[list[Any]]:
    """Return what the Messenger was told, and of whom."""
    return [[method, user] for method, user, _ in page.evaluate("calls")]


@pytest.fixture
def shop(visitor: Visitor) -> Shop:
    clock = FrozenClock(START)
    return Shop(visitor, clock, throwaway_builder(clock=clock))


def test_it_renews_once_an_hour_and_before_the_hour_is_over(shop: Shop) -> None:
    shop.wait(41 * MINUTE)
    assert shop.updates == []
    shop.wait(11 * MINUTE)
    assert shop.asked == 1
    [[method, settings]] = shop.updates
    assert method == "update"
    assert settings["user_id"] == "42"
    assert settings == shop.page.evaluate("intercomSettings")
    shop.wait(8 * MINUTE)
    assert shop.asked == 1


def test_after_a_sleep_it_renews_at_once(shop: Shop) -> None:
    shop.suspend(8 * 60 * MINUTE)
    shop.suspend(2_000)
    shop.must_update(1)


def test_three_failures_are_waited_out_ever_longer(shop: Shop) -> None:
    failures: list[Callable[[Route], None]] = [
        lambda route: route.fulfill(status=500),
        lambda route: route.abort(),
        lambda route: route.fulfill(status=200, body="<!doctype html>"),  # a front end that answers every path
    ]
    shop.answers = failures.copy()
    shop.suspend(55 * MINUTE)
    assert shop.asked == 1
    moments = [shop.clock.now]
    for _ in range(60):
        before = shop.asked
        shop.suspend(2_000)
        if shop.asked > before:
            moments.append(shop.clock.now)
        if shop.updates:
            break
    first, second, third = (later - earlier for earlier, later in pairwise(moments))
    assert 0 < first <= second < third <= 35
    assert len(shop.updates) == 1


def anonymous(route: Route, status: int = 200) -> None:
    route.fulfill(status=status, json={"app_id": "throwaway", "api_base": "https://api-iam.eu.intercom.io"})


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda route: route.fulfill(status=401), id="401"),
        pytest.param(lambda route: route.fulfill(status=403, json={"detail": "no"}), id="403"),
        pytest.param(lambda route: route.fulfill(status=302, headers={"Location": "/sign-in"}), id="redirect"),
        pytest.param(lambda route: anonymous(route, 401), id="401-settings"),
        pytest.param(anonymous, id="200-settings"),
    ],
)
def test_when_the_endpoint_says_that_nobody_is_signed_in_the_messenger_is_nobodys(
    shop: Shop, answer: Callable[[Route], None]
) -> None:
    shop.answers = [answer]
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    assert shop.whys == ["signed-out"]
    assert shop.page.evaluate("Object.keys(intercomSettings).sort()") == ["api_base", "app_id"]
    shop.suspend(120 * MINUTE)
    assert shop.asked == 1


def test_when_signing_fails_the_messenger_is_nobodys_until_it_works_again(shop: Shop) -> None:
    shop.answers = [lambda route: anonymous(route, 503)]
    shop.suspend(55 * MINUTE)
    shop.suspend(2_000)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    shop.suspend(10_000)
    shop.must_tell([["update", "42"]], 3)


@pytest.mark.parametrize(("user", "whys"), [(42, []), (7, ["user-changed"])], ids=["same", "another"])
def test_when_nobody_confirms_the_user_until_the_tokens_expire_the_messenger_is_nobodys(
    shop: Shop, user: int, whys: list[str]
) -> None:
    shop.answers = [lambda route: route.abort()] * 2
    shop.suspend(61 * MINUTE)
    shop.suspend(1_000)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    shop.user = user
    shop.suspend(10_000)
    shop.suspend(20_000)
    shop.must_tell([["update", "42"]] if user == 42 else [["shutdown", None], ["boot", "7"]], 3)
    assert shop.whys == whys


def test_another_user_is_booted_after_a_shutdown(shop: Shop) -> None:
    shop.user = 7
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", "7"]])
    assert shop.whys == ["user-changed"]
    assert shop.page.evaluate("intercomSettings.user_id") == "7"


def test_a_sign_out_in_this_document_ends_the_renewal(shop: Shop) -> None:
    script = str(render_sign_out("throwaway")).partition(">")[2].rpartition("<")[0]
    shop.page.evaluate(script)
    shop.suspend(120 * MINUTE)
    assert shop.asked == 0
    shop.must_tell([["boot", "42"], ["shutdown", None]])


@pytest.mark.parametrize("user", [None, 7], ids=["signed-out", "user-changed"])
def test_another_tab_is_followed_at_once(shop: Shop, user: int | None) -> None:
    shop.user = user
    second = shop.tab()
    shop.suspend(100)
    shop.page.wait_for_timeout(100)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", str(user) if user else None]])
    assert shop.whys == ["user-changed" if user else "signed-out"]
    assert told(second) == [["shutdown", None], ["boot", str(user) if user else None]]


def test_a_sign_in_in_another_tab_is_followed(visitor: Visitor) -> None:
    clock = FrozenClock(START)
    shop = Shop(visitor, clock, throwaway_builder(clock=clock), user=None)
    shop.user = 7
    shop.tab()
    shop.suspend(100)
    shop.page.wait_for_timeout(100)
    shop.must_tell([["boot", None], ["update", "7"]])


def test_what_the_server_said_too_early_is_asked_again(shop: Shop) -> None:
    """Another tab tells of the sign-out before the server has ended the session."""
    shop.context.clear_cookies()
    shop.page.evaluate("dispatchEvent(new Event('focus'))")
    shop.suspend(100)
    shop.must_tell([["boot", "42"], ["shutdown", None], ["boot", "42"]])
    shop.answers = [lambda route: route.fulfill(status=401)]
    shop.suspend(11_000)
    shop.suspend(100)
    shop.must_tell([["shutdown", None], ["boot", None]], 3)


def test_offline_it_waits_and_then_renews_at_once(visitor: Visitor, shop: Shop) -> None:
    visitor.context.set_offline(True)
    shop.suspend(55 * MINUTE)
    shop.wait(5 * MINUTE)
    assert shop.asked == 0
    visitor.context.set_offline(False)
    shop.page.wait_for_timeout(200)
    assert len(shop.updates) == 1


def test_endless_wake_ups_and_short_tokens_stay_well_below_the_throttle(visitor: Visitor) -> None:
    clock = FrozenClock(START)
    builder = throwaway_builder(clock=lambda: clock() - 3595)  # tokens that live for five seconds
    shop = Shop(visitor, clock, builder)
    for _ in range(90):
        shop.suspend(20_000)
        shop.page.evaluate("dispatchEvent(new Event('pageshow'))")
    assert 5 <= len(shop.updates) <= 9


def test_a_browser_whose_clock_is_off_asks_no_more_often(visitor: Visitor) -> None:
    clock = FrozenClock(START - 2 * 3600)  # the browser's clock is two hours fast
    shop = Shop(visitor, clock, throwaway_builder(clock=clock))
    shop.wait(40 * MINUTE)
    assert shop.asked == 0  # by its clock the tokens have expired; by their own, they have not


def test_starting_it_again_ends_the_one_before(shop: Shop) -> None:
    shop.page.evaluate(
        "import('/module.js').then(async (it) => { window.messenger = await it.startMessenger('/settings'); })"
    )
    assert shop.asked == 1
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.asked == 2
    shop.page.evaluate("messenger.stop()")
    shop.suspend(120 * MINUTE)
    assert shop.asked == 2
    assert shop.whys == []


def test_for_nobody_there_is_nothing_to_renew(visitor: Visitor) -> None:
    clock = FrozenClock(START)
    shop = Shop(visitor, clock, throwaway_builder(clock=clock), user=None)
    shop.suspend(120 * MINUTE)
    assert shop.asked == 0
    assert shop.whys == []


@pytest.fixture
def app(visitor: Visitor) -> Shop:
    """A single-page application: its page holds no settings."""
    clock = FrozenClock(START)
    return Shop(visitor, clock, throwaway_builder(clock=clock), rendered=False)


def signed_out(route: Route) -> None:
    route.fulfill(status=401, json={"app_id": "throwaway", "api_base": "https://api-iam.intercom.io"})


def test_an_application_boots_and_renews_with_one_call(app: Shop) -> None:
    app.start()
    app.must_tell([["boot", "42"]])
    assert app.page.evaluate("intercomSettings.user_id") == "42"
    app.suspend(55 * MINUTE)
    app.suspend(2_000)
    app.must_tell([["boot", "42"], ["update", "42"]])
    [[_, settings]] = app.updates
    assert settings["intercom_user_jwt"]
    assert settings["salesforce_identity_token"]


def test_an_application_that_is_reloaded_after_the_session_has_expired_shows_nobodys_chats(app: Shop) -> None:
    app.start()
    app.answers = [signed_out]
    app.page.reload()
    app.start()
    app.must_tell([["shutdown", None], ["boot", None]])


def test_without_a_word_of_the_workspace_nothing_is_booted(app: Shop) -> None:
    app.answers = [lambda route: route.fulfill(status=401)]
    app.start()
    app.must_tell([])
    app.page.evaluate("messenger.signedIn()")
    app.must_tell([["boot", "42"]])


def test_a_sign_out_and_a_sign_in_without_a_page_load(app: Shop) -> None:
    app.start()
    app.page.evaluate("messenger.signedOut()")
    app.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    assert app.page.evaluate("Object.keys(intercomSettings).sort()") == ["api_base", "app_id"]
    assert app.context.cookies() == []
    app.user = 7
    app.page.evaluate("messenger.signedIn()")
    app.must_tell([["update", "7"]], 3)
    assert app.whys == []


def test_a_sign_in_as_another_shuts_down_before_it_asks(app: Shop) -> None:
    app.start()
    app.user = 7
    app.answers = [lambda route: route.abort()]
    app.page.evaluate("messenger.signedIn()")
    app.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    app.suspend(10_000)
    app.must_tell([["update", "7"]], 3)


def test_an_answer_that_comes_after_the_sign_out_is_dropped(app: Shop) -> None:
    app.start()
    app.page.evaluate("done = messenger.refresh(); messenger.signedOut()")
    app.page.evaluate("done")
    app.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])


def test_settings_take_the_place_of_an_endpoint(app: Shop) -> None:
    asked: list[str] = []
    app.page.on("request", lambda request: asked.append(request.url))
    app.start(source=json.dumps(app.builder.build_settings(42)))
    app.page.evaluate(f"messenger.signedIn({json.dumps(app.builder.build_settings(7))})")
    app.must_tell([["boot", "42"], ["shutdown", None], ["boot", "7"]])
    app.suspend(120 * MINUTE)
    app.page.evaluate("messenger.refresh()")
    assert asked == [f"{HOME}module.js"]


def test_offline_nobody_is_shown_and_the_network_brings_the_user(visitor: Visitor, app: Shop) -> None:
    app.page.evaluate("module = import('/module.js')")
    app.page.wait_for_timeout(100)
    visitor.context.set_offline(True)
    app.page.evaluate("module.then(it => it.startMessenger('/settings'))")
    app.must_tell([])
    visitor.context.set_offline(False)
    app.page.wait_for_timeout(200)
    app.must_tell([["boot", "42"]])


def test_all_tabs_of_an_application_follow(app: Shop) -> None:
    app.start("{onChange: change => { whys.push('called ' + change); }}")
    second = app.tab()
    app.start(page=second)
    app.user = None
    second.evaluate("messenger.signedOut()")
    app.suspend(100)
    app.page.wait_for_timeout(100)
    app.must_tell([["boot", "42"], ["shutdown", None], ["boot", None]])
    assert app.whys == ["signed-out", "called signed-out"]
    app.user = 7
    second.evaluate("messenger.signedIn()")
    app.page.wait_for_timeout(100)
    app.must_tell([["update", "7"]], 3)


def test_reload_loads_the_page_again_instead(app: Shop) -> None:
    app.start("{reload: true}")
    app.suspend(6_000)
    app.context.clear_cookies()
    with app.page.expect_navigation():
        app.page.evaluate("calls.push = call => { document.title = call[0]; }; dispatchEvent(new Event('focus'))")
    app.must_tell([])


def test_tabs_whose_servers_disagree_do_not_chase_each_other(app: Shop) -> None:
    app.start()
    second = app.tab()
    second.route(f"{HOME}settings", lambda route: route.fulfill(json=app.builder.build_settings(7)))
    app.start(page=second)
    for _ in range(30):
        app.suspend(2_000)
    assert len(app.told) + len(told(second)) < 60


def test_a_page_without_a_network_is_said_once(visitor: Visitor, app: Shop) -> None:
    lines: list[str] = []
    app.page.on("console", lambda message: lines.append(message.text) if message.type == "warning" else None)
    app.answers = [lambda route: route.fulfill(status=500)] * 3
    app.start()
    app.suspend(10_000)
    app.suspend(20_000)
    assert app.asked == 3
    assert lines == ["fin-messenger-auth: no settings: 500"]
    assert visitor.complaints == []


def test_a_late_answer_signs_nobody_in_again(app: Shop) -> None:
    late: list[Route] = []
    app.answers = [late.append]
    app.page.evaluate("import('/module.js').then(it => { it.startMessenger('/settings'); })")
    app.suspend(100)
    second = app.tab()
    second.evaluate(str(render_sign_out("throwaway")).partition(">")[2].rpartition("<")[0])
    app.answers = [signed_out]
    app.suspend(1_000)
    late[0].fulfill(json=app.builder.build_settings(42))
    app.page.wait_for_timeout(100)
    app.must_tell([["boot", None]])
    assert app.context.cookies() == []


def test_an_outage_that_is_longer_than_the_tokens_loses_no_form(visitor: Visitor, app: Shop) -> None:
    app.start("{reload: true}")
    app.page.evaluate("stays = true")
    visitor.context.set_offline(True)
    app.wait(90 * MINUTE)
    app.must_tell([["shutdown", None], ["boot", None]], 1)
    app.page.evaluate("dispatchEvent(new Event('focus'))")
    visitor.context.set_offline(False)
    app.page.wait_for_timeout(300)
    app.must_tell([["update", "42"]], 3)
    assert app.page.evaluate("stays")
    assert app.whys == []


@pytest.mark.parametrize("allowed", [True, False])
def test_an_endpoint_on_another_origin(app: Shop, allowed: bool) -> None:
    seen: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        seen.append(route.request.headers)
        headers = {"Access-Control-Allow-Origin": HOME.rstrip("/"), "Access-Control-Allow-Credentials": "true"}
        if allowed:
            route.fulfill(json=app.builder.build_settings(42), headers=headers)
        else:  # to a script, a refusal without these headers is a failure of the network
            route.abort()

    lines: list[str] = []
    app.page.on("console", lambda message: lines.append(message.text) if message.type == "warning" else None)
    app.policy = "connect-src https://api.shop.example"
    app.page.reload()
    app.context.route("https://api.shop.example/settings", answer)
    app.start(source="'https://api.shop.example/settings'")
    app.page.wait_for_timeout(200)
    app.must_tell([["boot", "42"]] if allowed else [])
    assert all(headers.get("x-fin-messenger") == "1" for headers in seen)
    assert allowed or "origins=" in lines[0]


def test_a_widget_that_is_blocked_is_heard_of_and_leaves_a_function(app: Shop) -> None:
    app.page.evaluate("delete window.Intercom")
    app.context.route("https://widget.intercom.io/**", lambda route: route.abort())
    app.start("{onLoadFailed: () => whys.push('failed')}")
    app.page.wait_for_function("whys[0] === 'failed'")
    assert app.page.evaluate("typeof Intercom") == "function"
