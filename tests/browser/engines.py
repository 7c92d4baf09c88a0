"""Three browsers behind one small interface: Chromium, Debian's WebKit and Debian's Firefox."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MINI_BROWSER = "/usr/lib/*-linux-gnu*/webkit2gtk-4.*/MiniBrowser"
# One process for all tabs, and no start-up that asks anybody anything.
PREFERENCES = 'user_pref("marionette.port", 0); user_pref("app.normandy.enabled", false);'


class ScriptError(Exception):
    """The script failed, or its page went away."""


class Tab(Protocol):
    """One tab."""

    def goto(self, url: str) -> None: ...

    def run(self, expression: str) -> Any:
        """Return the value of an expression, awaited."""


class Engine(Protocol):
    """A browser. Two visitors are two host names: no cookie, channel or history is shared between them."""

    name: str

    def visit(self) -> Iterator[Callable[[], Tab]]:
        """Yield what opens tabs for one visitor, and close them in the end."""


class PlaywrightTab:
    def __init__(self, page: Page) -> None:
        self._page = page

    def goto(self, url: str) -> None:
        self._page.goto(url)

    def run(self, expression: str) -> Any:
        from playwright.sync_api import Error

        try:
            return self._page.evaluate(f"(async () => ({expression}))()")
        except Error as error:
            raise ScriptError(str(error)) from error

    def freeze(self, state: str) -> None:
        """Make the tab "frozen" or "active", as the browser does with a tab in the background."""
        self._page.context.new_cdp_session(self._page).send("Page.setWebLifecycleState", {"state": state})

    def set_offline(self, offline: bool) -> None:
        self._page.context.set_offline(offline)


class Chromium:
    name = "chromium"

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def visit(self) -> Iterator[Callable[[], Tab]]:
        context = self._browser.new_context()
        context.set_default_timeout(10_000)
        yield lambda: PlaywrightTab(context.new_page())
        context.close()


Send = Callable[..., Any]  # a command of WebDriver (W3C) by its name in Marionette, and what it takes


class Command(NamedTuple):
    """The HTTP form of a command."""

    method: str
    path: str


HTTP = {
    "WebDriver:Navigate": Command("POST", "/url"),
    "WebDriver:ExecuteAsyncScript": Command("POST", "/execute/async"),
    "WebDriver:NewWindow": Command("POST", "/window/new"),
    "WebDriver:SwitchToWindow": Command("POST", "/window"),
    "WebDriver:GetWindowHandle": Command("GET", "/window"),
    "WebDriver:CloseWindow": Command("DELETE", "/window"),
}


class WebDriver:
    """A browser that is driven by the commands of WebDriver, one window at a time."""

    def __init__(self, name: str, send: Send) -> None:
        self.name, self._send = name, send
        self._current: str = send("WebDriver:GetWindowHandle")

    def visit(self) -> Iterator[Callable[[], Tab]]:
        first, opened = self._current, list[str]()

        def tab() -> Tab:
            opened.append(self._send("WebDriver:NewWindow", type="tab")["handle"])
            return WebDriverTab(self, opened[-1])

        yield tab
        for handle in opened:
            self.send(handle, "WebDriver:CloseWindow")
        self._current = ""
        self.send(first, "WebDriver:GetWindowHandle")

    def send(self, handle: str, name: str, **arguments: object) -> Any:
        if handle != self._current:
            self._send("WebDriver:SwitchToWindow", handle=handle)
            self._current = handle
        return self._send(name, **arguments)


class WebDriverTab:
    def __init__(self, browser: WebDriver, handle: str) -> None:
        self._browser, self._handle = browser, handle

    def goto(self, url: str) -> None:
        self._browser.send(self._handle, "WebDriver:Navigate", url=url)

    def run(self, expression: str) -> Any:
        script = (
            "const done = arguments[arguments.length - 1];"
            f"(async () => ({expression}))().then(value => done([value]), error => done('' + error));"
        )
        found = self._browser.send(self._handle, "WebDriver:ExecuteAsyncScript", script=script, args=[])
        if not isinstance(found, list):
            raise ScriptError(str(found))
        return found[0]


@contextmanager
def webkit(program: Callable[[str], str]) -> Iterator[Engine]:
    """Debian's WebKitGTK, through its WebDriver, on a screen that nobody sees."""
    driver, screen = program("WebKitWebDriver"), program("Xvfb")
    [*_, browser] = sorted(Path("/").glob(MINI_BROWSER.lstrip("/")))
    with ExitStack() as stack:
        xvfb = stack.enter_context(
            subprocess.Popen([screen, "-displayfd", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        stack.callback(xvfb.terminate)
        assert xvfb.stdout is not None
        display = xvfb.stdout.readline().strip()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {"DISPLAY": f":{display}", "GDK_BACKEND": "x11", "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
        server = stack.enter_context(
            subprocess.Popen(
                ["env", *(f"{name}={value}" for name, value in environment.items()), driver, f"--port={port}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(server.terminate)

        def ask(method: str, path: str, **body: object) -> Any:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/session{path}", method=method, data=json.dumps(body).encode()
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)["value"]
            except urllib.error.HTTPError as error:
                raise ScriptError(error.read().decode()) from error

        options = {"binary": str(browser), "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        session = f"/{patient(lambda: ask('POST', '', **wanted))['sessionId']}"
        stack.callback(lambda: ask("DELETE", session))
        yield WebDriver("webkit", lambda name, **body: ask(HTTP[name].method, session + HTTP[name].path, **body))


@contextmanager
def firefox(program: Callable[[str], str], profile: Path) -> Iterator[Engine]:
    """Debian's Firefox, through Marionette: the commands of WebDriver as JSON over a socket."""
    (profile / "user.js").write_text(PREFERENCES)
    command = [program("firefox-esr"), "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.terminate)
        port = patient(lambda: int((profile / "MarionetteActivePort").read_text()))
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        answers = stack.enter_context(connection.makefile("rb"))

        def received() -> Any:
            length = b"".join(iter(lambda: answers.read(1), b":"))
            return json.loads(answers.read(int(length)))

        def send(name: str, **arguments: object) -> Any:
            if name == "WebDriver:ExecuteAsyncScript":
                arguments["sandbox"] = None  # the page's own globals, not a copy
            message = json.dumps([0, 1, name, arguments]).encode()
            connection.sendall(b"%d:%b" % (len(message), message))
            _, _, error, result = received()
            if error:
                raise ScriptError(error["message"])
            return result["value"] if isinstance(result, dict) and result.keys() == {"value"} else result

        received()  # the greeting
        send("WebDriver:NewSession")
        yield WebDriver("firefox", send)


def patient(attempt: Callable[[], Any]) -> Any:
    """Return the result of what may not be there yet."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(OSError, ValueError):
            return attempt()
        time.sleep(0.05)
    return attempt()
