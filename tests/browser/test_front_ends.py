"""The front ends of docs/integrate/single-page-and-mobile.md, bundled as they stand: React, react-use-intercom, Vue."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from fin_messenger_auth import TokenPairBuilder
    from tests.browser.conftest import Visitor

GUIDE = Path(__file__).parents[2] / "docs" / "integrate" / "single-page-and-mobile.md"
HOME = "https://shop.example/"
# A widget that only remembers what it is told.
RECORDER = """
window.told = [];
const tell = (method, { user_id: id = null, intercom_user_jwt: jwt } = {}) => told.push([method, id, jwt ? "jwt" : ""]);
for (const call of Intercom.q) tell(...call);
window.Intercom = tell;
"""

REACT = """
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter, useNavigate } from "react-router";
import { useMessenger } from "./useMessenger";
import { Messenger } from "./Messenger.jsx";
import { useIntercom } from "react-use-intercom";

function App() {
  const messenger = useMessenger();
  const navigate = useNavigate();
  Object.assign(window, { messenger: () => messenger.current, navigate });
  return null;
}
function Buttons() {
  const intercom = useIntercom();
  window.intercom = intercom;
  return null;
}
const inside = location.search === "?wrapper" ? <Messenger appId="throwaway"><Buttons /></Messenger> : <App />;
createRoot(document.body).render(<StrictMode><BrowserRouter>{inside}</BrowserRouter></StrictMode>);
"""

VUE = """
import { createApp, h, ref } from "vue";
import { useMessenger } from "./useMessenger.vue.js";

const path = ref("/");
window.navigate = (to) => { path.value = to; };
const app = createApp({
  setup() {
    const messenger = useMessenger(() => path.value);
    window.messenger = () => messenger.current;
    return () => h("p", path.value);
  },
});
app.mount(document.body);
window.unmount = () => app.unmount();
"""


class Shop:
    """A site whose front end is one bundle, and its endpoint."""

    def __init__(self, visitor: Visitor, builder: TokenPairBuilder, bundle: bytes) -> None:
        self.visitor, self.builder, self.user = visitor, builder, "42"
        self.asked: list[dict[str, str]] = []
        context = visitor.context
        markup = "<!doctype html><link rel=icon href=data:,><script>1</script><script type=module src=/app.js></script>"
        context.route("https://widget.intercom.io/**", lambda route: route.fulfill(body=RECORDER))
        context.route(f"{HOME}**", lambda route: route.fulfill(body=markup, content_type="text/html"))
        context.route(f"{HOME}app.js", lambda route: route.fulfill(body=bundle, content_type="text/javascript"))
        context.route(f"{HOME}messenger/settings", self._answer)

    def _answer(self, route: Route) -> None:
        self.asked.append(route.request.headers)
        route.fulfill(json=self.builder.build_settings(self.user or None))

    def open(self, search: str = "") -> Page:
        page = self.visitor.open(HOME + search)
        page.wait_for_function("window.told?.length")
        return page


def told(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("told")
    return found


def wait_for(page: Page, expected: list[Any]) -> None:
    for _ in range(100):
        if told(page) == expected:
            break
        page.wait_for_timeout(20)
    assert told(page) == expected


def bundled(parts: Path, folder: str, source: str) -> bytes:
    """Bundle an application with the files of the guide."""
    directory = parts / folder
    directory.mkdir(exist_ok=True)
    text = GUIDE.read_text("utf-8")
    for name, code in re.findall(r"```(?:jsx?|ts)\n// (\S+)\n(.*?)```", text, re.DOTALL):
        (directory / name).write_text(code)
    (directory / "app.jsx").write_text(source)
    options = [
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        f"--alias:fin-messenger-auth={parts}/fin-messenger-auth.js",
    ]
    vue = ("__VUE_OPTIONS_API__", "__VUE_PROD_DEVTOOLS__", "__VUE_PROD_HYDRATION_MISMATCH_DETAILS__")
    defined = {"process.env.NODE_ENV": '"development"', **dict.fromkeys(vue, "false")}
    options += [f"--define:{name}={value}" for name, value in defined.items()]
    command = [f"{parts}/node_modules/.bin/esbuild", *options, "app.jsx"]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout


def test_the_hook_for_react_has_at_most_twenty_lines_and_compiles(parts: Path) -> None:
    [hook] = re.findall(r"// useMessenger\.ts\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(hook.splitlines()) <= 20
    (parts / "hook.ts").write_text(hook.replace('"fin-messenger-auth"', '"./fin-messenger-auth.js"'))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    command = [f"{parts}/node_modules/.bin/tsc", *options, "hook.ts"]
    assert subprocess.run(command, cwd=parts, capture_output=True, text=True, check=False).stdout == ""


@pytest.fixture
def react(visitor: Visitor, parts: Path, messenger_builder: TokenPairBuilder) -> Shop:
    return Shop(visitor, messenger_builder, bundled(parts, "react", REACT))


@pytest.fixture
def vue(visitor: Visitor, parts: Path, messenger_builder: TokenPairBuilder) -> Shop:
    return Shop(visitor, messenger_builder, bundled(parts, "vue", VUE))


def test_react_in_strict_mode_boots_once_and_follows_route_sign_out_and_sign_in(react: Shop) -> None:
    page = react.open()
    ada = ["42", "jwt"]
    wait_for(page, [["boot", *ada]])
    page.evaluate("navigate('/basket')")
    wait_for(page, [["boot", *ada], ["update", *ada]])
    react.user = ""
    page.evaluate("messenger().signedOut()")
    wait_for(page, [["boot", *ada], ["update", *ada], ["shutdown", None, ""], ["boot", None, ""]])
    react.user = "7"
    page.evaluate("messenger().signedIn()")
    wait_for(page, [*told(page)[:4], ["update", "7", "jwt"]])
    assert all(headers["x-fin-messenger"] == "1" for headers in react.asked)


def test_react_use_intercom_opens_what_the_module_has_booted(react: Shop) -> None:
    page = react.open("?wrapper")
    page.wait_for_function("told.some(([method]) => method === 'boot')")
    assert [call for call in told(page) if call[0] in ("boot", "update", "shutdown")] == [["boot", "42", "jwt"]]
    page.evaluate("intercom.show()")  # it does nothing, and warns, where its own `boot` was not called
    assert told(page)[-1][0] == "show"
    second = react.open()  # without the wrapper
    react.user = ""
    second.evaluate("messenger().signedOut()")
    page.wait_for_function("told.at(-1)[0] === 'boot' && told.at(-1)[1] === null")
    assert page.evaluate("JSON.stringify(Object.keys(intercomSettings).sort())") == json.dumps(
        ["api_base", "app_id"], separators=(",", ":")
    )


def test_vue_follows_route_and_sign_out_and_stops_when_it_is_unmounted(vue: Shop) -> None:
    page = vue.open()
    wait_for(page, [["boot", "42", "jwt"]])
    page.evaluate("navigate('/basket')")
    wait_for(page, [["boot", "42", "jwt"], ["update", "42", "jwt"]])
    vue.user = ""
    page.evaluate("messenger().signedOut()")
    wait_for(page, [*told(page)[:2], ["shutdown", None, ""], ["boot", None, ""]])
    page.evaluate("unmount()")
