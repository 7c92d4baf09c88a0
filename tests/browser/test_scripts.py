"""What is shipped: built from its sources, with type declarations that hold, and working with the npm package."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from hashlib import sha384
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth.cli import main
from fin_messenger_auth.page import renewal_module
from tests.tools.build_scripts import ECMASCRIPT, LIMITS, OLDEST, STATIC, build, compressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visitor

RIGHT = """
import * as sdk from "@intercom/messenger-js-sdk";
import { useIntercom } from "react-use-intercom";
import { startMessenger, type Change, type Messenger, type MessengerSettings } from "./fin-messenger-auth.js";

const messenger: Messenger = await startMessenger("/messenger/settings", {
  widgetBase: "http://127.0.0.1:8765/widget/", api: sdk, reload: true, credentials: "include",
  settings: { hide_default_launcher: true, app_id: "a" }, onLoad: () => {}, onLoadFailed: () => {},
  onChange: (change: Change) => console.log(change),
});
await messenger.signedIn();
await messenger.signedIn({ app_id: "a", user_id: "42", z_index: 3 });
const settings = async () => (await fetch("/settings")).json() as Promise<MessengerSettings>;
await messenger.signedIn(settings);
await messenger.signedIn(({ signal }) => fetch("https://api.example/settings", { signal }));
await messenger.signedOut();
await messenger.refresh();
messenger.update({ horizontal_padding: 30, language_override: "de" });
messenger.routeChanged();
messenger.stop();
await startMessenger({ app_id: "a" });
await startMessenger(() => null, { api: useIntercom() });
document.addEventListener("fin-messenger-auth:stopped", (event) => event.detail === "signed-out");
window.Intercom?.("show");
window.intercomSettings = { app_id: "a" };
"""

WRONG = """
import { startMessenger } from "./fin-messenger-auth.js";
startMessenger();
startMessenger({ user_id: "42" });
startMessenger({ app_id: "a", usr_id: "42" });
startMessenger("/settings", { widget_base: "x" });
startMessenger("/settings", { onChange: (change: number) => change });
startMessenger("/settings", { api: { boot() {} } });
startMessenger("/settings", { settings: { hide_default_luncher: true } });
startMessenger("/settings", { settings: { email: "ada@shop.example" } });
startMessenger(() => undefined);
(await startMessenger("/settings")).shutdown();
(await startMessenger("/settings")).update({ z_index: "3" });
document.addEventListener("fin-messenger-auth:stopped", (event) => event.detail === "other");
"""

BESIDE_NPM = """
import * as api from "@intercom/messenger-js-sdk";
import { startMessenger } from "./fin-messenger-auth.js";
window.started = startMessenger("/settings", { api }).then((messenger) => { window.messenger = messenger; });
"""


SCRIPTS = Path(__file__).parents[1] / "scripts"
VERSIONS = Path(__file__).parents[2] / "docs" / "reference" / "versions-and-performance.md"
TYPESCRIPT = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]


def compiled(parts: Path, *arguments: str | Path) -> list[str]:
    command = [parts / "node_modules/.bin/tsc", *TYPESCRIPT, *arguments]
    return subprocess.run(command, cwd=parts, capture_output=True, text=True, check=False).stdout.splitlines()


def checked(parts: Path, source: str) -> list[str]:
    (parts / "check.ts").write_text(source)
    return compiled(parts, "check.ts")


def test_what_is_shipped_is_what_the_sources_give(program: Callable[[str], str]) -> None:
    for name, script in build(program("npm")).items():
        assert (STATIC / name).read_text() == script
        assert compressed(script) <= LIMITS[name]


def for_the_oldest_browsers(node: str, parts: Path, *scripts: Path) -> subprocess.CompletedProcess[str]:
    """Look in the browsers that the docs name for everything that scripts use."""
    browsers = {"safari_ios" if name == "ios" else name: least for name, least in OLDEST.items()}
    command = [node, str(SCRIPTS / "oldest.mjs"), json.dumps(browsers), str(ECMASCRIPT), *map(str, scripts)]
    return subprocess.run(command, cwd=parts, capture_output=True, text=True, check=False)


def test_the_oldest_browsers_that_the_docs_name_have_all_that_the_scripts_use(
    program: Callable[[str], str], parts: Path
) -> None:
    named = "Chrome and Edge {chrome}, Firefox {firefox}, Safari {safari} (iOS {ios})".format(**OLDEST)
    assert f"They need ES{ECMASCRIPT}: {named}" in VERSIONS.read_text("utf-8")
    done = for_the_oldest_browsers(program("node"), parts, *(STATIC / name for name in LIMITS))
    assert done.returncode == 0, done.stderr
    assert {"AbortController", "localStorage", "storage", "fetch"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("class A { static {} }", "Unexpected token"),
        ("new BroadcastChannel('x');", "BroadcastChannel is not in all of"),
        ("AbortSignal.timeout(3);", "timeout is not in all of"),
        ("[1].at(-1);", "at is not in all of"),
        ("addEventListener('scrollend', () => {});", "scrollend is not in all of"),
        ("navigate();", "navigate is no global"),
    ],
)
def test_what_the_oldest_browsers_lack_is_noticed(
    program: Callable[[str], str], parts: Path, tmp_path: Path, script: str, what: str
) -> None:
    (tmp_path / "new.js").write_text(script)
    done = for_the_oldest_browsers(program("node"), parts, tmp_path / "new.js")
    assert done.returncode == 1
    assert what in done.stderr


def test_the_module_says_which_version_it_is() -> None:
    first = (STATIC / "fin-messenger-auth.js").read_text().splitlines()[0]
    assert first == f"/*! fin-messenger-auth {version('fin-messenger-auth')} | MIT */"


def test_the_sources_have_types_that_hold(parts: Path) -> None:
    assert compiled(parts, "--allowJs", "--checkJs", "--types", "", *sorted((STATIC / "source").iterdir())) == []


def test_20_000_random_interleavings_show_nobody_who_has_left(program: Callable[[str], str]) -> None:
    command = [program("node"), str(SCRIPTS / "interleavings.mjs"), "20000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20000 sequences")


def test_the_integrity_hash_is_that_of_the_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", str(tmp_path / "static")]) == 0
    module = (tmp_path / "static" / "fin-messenger-auth.js").read_bytes()
    assert module == Path(renewal_module()).read_bytes()
    assert capsys.readouterr().out == f"sha384-{b64encode(sha384(module).digest()).decode()}\n"


def test_typescript_takes_what_is_right(parts: Path) -> None:
    assert checked(parts, RIGHT) == []


def test_typescript_refuses_what_is_wrong(parts: Path) -> None:
    errors = [line for line in checked(parts, WRONG) if line.startswith("check.ts")]
    assert [int(line.partition("(")[2].partition(",")[0]) for line in errors] == list(range(3, 15))


def test_beside_the_npm_package_the_region_and_the_user_are_right(
    visitor: Visitor, parts: Path, messenger_builder: TokenPairBuilder
) -> None:
    (parts / "app.js").write_text(BESIDE_NPM)
    esbuild = [str(parts / "node_modules/.bin/esbuild"), "--bundle", "--format=esm", "app.js"]
    bundle = subprocess.run(esbuild, check=True, capture_output=True, cwd=parts).stdout
    api_base = "https://api-iam.eu.intercom.io"
    answers = [
        {**messenger_builder.build_settings(42), "api_base": api_base},
        {"app_id": "throwaway", "api_base": api_base},
        {**messenger_builder.build_settings(7), "api_base": api_base},
    ]
    context, home = visitor.context, "https://shop.example/"
    page_markup = '<!doctype html><link rel=icon href=data:,><body><script type=module src="/app.js"></script>'
    context.route(home, lambda route: route.fulfill(body=page_markup, content_type="text/html"))
    context.route(f"{home}app.js", lambda route: route.fulfill(body=bundle, content_type="text/javascript"))
    context.route(f"{home}settings", lambda route: route.fulfill(json=answers.pop(0)))
    loads: list[str] = []
    recorder = (
        "window.told = Intercom.q.map(call => [...call]);"
        "Intercom = (method, settings) => told.push([method, JSON.parse(JSON.stringify(settings ?? null))]);"
    )

    def widget(route: object) -> None:
        loads.append(route.request.url)  # type: ignore[attr-defined]
        route.fulfill(body=recorder, content_type="text/javascript")  # type: ignore[attr-defined]

    context.route("https://widget.intercom.io/**", widget)
    page = visitor.open(home)
    page.evaluate("started")
    page.wait_for_function("window.told")
    page.evaluate("messenger.refresh()")
    page.evaluate("messenger.signedIn()")
    told = json.loads(page.evaluate("JSON.stringify(told)"))
    assert [(method, settings and settings.get("user_id")) for method, settings in told] == [
        ("boot", "42"),
        ("shutdown", None),
        ("boot", None),
        ("update", "7"),
    ]
    for method, settings in told:
        assert method == "shutdown" or settings["api_base"] == api_base
        assert not settings or "region" not in settings
    assert loads == ["https://widget.intercom.io/widget/throwaway"]
    assert page.evaluate("intercomSettings.api_base") == api_base
