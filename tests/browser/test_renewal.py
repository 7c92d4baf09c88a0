"""The renewal module under a clock that the test moves on."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth.page import render_renewal, renewal_module, script_json
from fin_messenger_auth.testing import FrozenClock, throwaway_builder

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from fin_messenger_auth import TokenPairBuilder
    from tests.browser.conftest import Visitor

NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"
HOME = "https://shop.example/"
START = 1_700_000_000
MINUTE = 60_000
ESBUILD = "esbuild@0.28.2"


class Shop:
    """A page with renewal, and the endpoint that it asks."""

    def __init__(self, visitor: Visitor, clock: FrozenClock, builder: TokenPairBuilder, user: int | None = 42) -> None:
        self.clock, self.builder = clock, builder
        self.asked = 0
        self.answers: list[Callable[[Route], None]] = []
        self.user = user
        self._visitor = visitor
        context = visitor.context
        context.route(HOME, self._show)
        context.route(
            f"{HOME}renewal.js",
            lambda route: route.fulfill(path=Path(renewal_module()), content_type="text/javascript"),
        )
        context.route(f"{HOME}settings", self._answer)
        self.page: Page = context.new_page()
        moment = datetime.fromtimestamp(START, UTC)
        self.page.clock.install(time=moment)
        self.page.goto(HOME)
        self.page.clock.pause_at(moment + timedelta(seconds=1))
        self.page.wait_for_timeout(50)

    def _show(self, route: Route) -> None:
        settings = self.builder.build_settings(self.user)
        body = (
            f"<!doctype html><link rel=icon href=data:,><script nonce={NONCE}>"
            f"intercomSettings = {script_json(settings)};"
            "updates = []; why = null; Intercom = (...call) => updates.push(call);"
            "document.addEventListener('fin-messenger-auth:stopped', event => { why = event.detail; });"
            f"</script>{render_renewal('/renewal.js', '/settings', nonce=NONCE)}"
        )
        policy = f"default-src 'none'; script-src 'nonce-{NONCE}' 'strict-dynamic'; connect-src 'self'"
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

    @property
    def updates(self) -> list[list[Any]]:
        found: list[list[Any]] = self.page.evaluate("updates")
        return found

    @property
    def why(self) -> str | None:
        found: str | None = self.page.evaluate("why")
        return found


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
    assert len(shop.updates) == 1


def test_three_failures_are_waited_out_ever_longer(shop: Shop) -> None:
    failures: list[Callable[[Route], None]] = [
        lambda route: route.fulfill(status=500),
        lambda route: route.abort(),
        lambda route: route.fulfill(status=200, json={"app_id": "a"}),  # anonymous, because the signer has failed
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


def test_401_ends_it(shop: Shop) -> None:
    shop.answers = [lambda route: route.fulfill(status=401)]
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.why == "signed-out"
    shop.suspend(120 * MINUTE)
    assert shop.asked == 1
    assert shop.updates == []


def test_a_way_to_the_sign_in_page_ends_it(shop: Shop) -> None:
    shop.answers = [lambda route: route.fulfill(status=302, headers={"Location": "/sign-in"})]
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.why == "signed-out"


def test_another_user_ends_it(shop: Shop) -> None:
    shop.user = 7
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.why == "user-changed"
    assert shop.updates == []
    assert shop.page.evaluate("intercomSettings.user_id") == "42"


def test_a_sign_out_in_this_tab_ends_it_unasked(shop: Shop) -> None:
    shop.page.evaluate("delete intercomSettings.user_id")
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.why == "signed-out"
    assert shop.asked == 0


@pytest.mark.parametrize(("value", "reason"), [("null", "signed-out"), ("'other'", "user-changed")])
def test_another_tab_ends_it(shop: Shop, value: str, reason: str) -> None:
    shop.page.evaluate(
        f"dispatchEvent(new StorageEvent('storage', {{key: 'fin-messenger-auth.throwaway', newValue: {value}}}))"
    )
    assert shop.why == reason
    shop.suspend(120 * MINUTE)
    shop.suspend(5_000)
    assert shop.asked == 0


def test_other_storage_is_none_of_its_business(shop: Shop) -> None:
    shop.page.evaluate("dispatchEvent(new StorageEvent('storage', {key: 'theirs', newValue: null}))")
    assert shop.why is None


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
    assert shop.asked == 1  # by its clock the first tokens were expired; by the server's the second are not


def test_starting_it_again_ends_the_one_before(shop: Shop) -> None:
    shop.page.evaluate(
        "import('/renewal.js').then(({renew}) => { renew('/settings'); window.stop = renew('/settings'); })"
    )
    shop.suspend(55 * MINUTE)
    shop.suspend(5_000)
    assert shop.asked == 1
    shop.page.evaluate("stop()")
    shop.suspend(120 * MINUTE)
    assert shop.asked == 1
    assert shop.why is None


def test_for_nobody_there_is_nothing_to_renew(visitor: Visitor) -> None:
    clock = FrozenClock(START)
    shop = Shop(visitor, clock, throwaway_builder(clock=clock), user=None)
    shop.suspend(120 * MINUTE)
    assert shop.asked == 0
    assert shop.why is None


def test_what_is_shipped_is_the_minified_source(program: Callable[[str], str], tmp_path: Path) -> None:
    source = Path(renewal_module()).with_name("renewal.js")
    command = [program("npm"), "exec", "--yes", f"--package={ESBUILD}", "--", "esbuild", "--minify", "--format=esm"]
    made = subprocess.run(command, input=source.read_bytes(), capture_output=True, check=True, cwd=tmp_path).stdout
    assert made == Path(renewal_module()).read_bytes()
    assert len(made) < 2048
