"""A site for each test, with a session cookie and an endpoint of its own, all on one server.

The site of a test is its host name, ``www.NAME.localhost``, which every browser takes to this machine. So tests share
the server and, where need be, the browser, and no cookie, channel or history.
"""

from __future__ import annotations

import json
import mimetypes
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from fin_messenger_auth import TokenPairBuilder, render_snippet
from fin_messenger_auth.page import (
    NO_STORE,
    SettingsResponse,
    render_renewal,
    renewal_module,
    script_json,
    settings_response,
    strict_policy,
)
from fin_messenger_auth.sandbox import Sandbox, SandboxServer, Verdict, throwaway_sandbox
from fin_messenger_auth.testing import throwaway_builder
from tests.browser.engines import ScriptError, Tab

MODULE = "/fin-messenger-auth.js"
# What a test looks at: the clock of the browser, which it moves, the console, the last verdict and the cookies.
CLOCK = """
window.ahead = AHEAD; window.lines = [];
window.verdict = () => finMessengerSandbox.verdicts.length ? finMessengerSandbox.verdicts.at(-1).user_id : "none yet";
window.jar = () => Reflect.get(Document.prototype, "cookie", document);
Date.now = (real => () => real() + ahead)(Date.now);
console.warn = (warn => (...words) => { lines.push(words.join(' ')); warn.apply(console, words); })(console.warn);
addEventListener('pageshow', event => { if (event.persisted) sessionStorage.persisted = true; });
"""


class Adapter(ABC):
    """How a page gets its Messenger, and how its person signs in and out."""

    renews: ClassVar = True  # it has the module, and follows other tabs without a page load

    @abstractmethod
    def scripts(self, site: Site, settings: Mapping[str, Any], nonce: str) -> str: ...

    def sign_in(self, site: Site, tab: Tab, user: str) -> None:
        tab.goto(f"{site.url}sign-in?user={user}")

    def sign_out(self, site: Site, tab: Tab) -> None:
        tab.goto(f"{site.url}sign-out")


class Snippet(Adapter):
    """``render_snippet`` alone."""

    renews = False

    def scripts(self, site: Site, settings: Mapping[str, Any], nonce: str) -> str:
        return render_snippet(settings, nonce=nonce, widget_base=site.widget_base)


class Renewal(Snippet):
    """``render_snippet`` and ``render_renewal``, as the integrations put them into a page."""

    renews = True

    def scripts(self, site: Site, settings: Mapping[str, Any], nonce: str) -> str:
        return super().scripts(site, settings, nonce) + render_renewal(MODULE, "/settings", nonce=nonce)


class Module(Adapter):
    """A single-page application with the module alone: no page load at a sign-in or sign-out."""

    source = MODULE

    def scripts(self, site: Site, settings: Mapping[str, Any], nonce: str) -> str:  # noqa: ARG002
        options = script_json({"widgetBase": site.widget_base})
        return (
            f'<script type=module nonce={nonce}>import * as it from "{self.source}";'
            f"window.options = {{...{options}, api: it.api}};"
            f"window.started = it.startMessenger('/settings', options).then(made => window.messenger = made);</script>"
        )

    def sign_in(self, site: Site, tab: Tab, user: str) -> None:  # noqa: ARG002
        until(tab, "!!window.messenger")
        tab.run(f"fetch('/sign-in?user={user}').then(() => messenger.signedIn())")

    def sign_out(self, site: Site, tab: Tab) -> None:  # noqa: ARG002
        until(tab, "!!window.messenger")
        tab.run("fetch('/sign-out').then(() => messenger.signedOut())")


class Npm(Module):
    """The same beside the npm package, in one bundle."""

    source = "/bundle.js"


class ByHand(Adapter):
    """What sites write themselves; the tests must notice it."""

    renews = False

    def scripts(self, site: Site, settings: Mapping[str, Any], nonce: str) -> str:
        source = f"{site.widget_base}{settings['app_id']}"
        return (
            f"<script nonce={nonce}>window.intercomSettings = {script_json(settings)};</script>"
            f"<script nonce={nonce} src={source}></script>"
        )


@dataclass
class Site:
    """One test's site and its server's state."""

    name: str
    server: Server
    adapter: Adapter
    open_tab: Callable[[], Tab]
    sessions: dict[str, str] = field(default_factory=dict)
    answers: list[Callable[[Site, _Handler], bool]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)  # one person's chats on a page, while that person is not signed in
    asked: int = 0
    age: float = 0  # of the tokens, in seconds, when they come to the page
    passed: float = 0  # the seconds by which the test has moved the clocks of the server and of the browser
    skew: float = 0  # of the browser's clock, in seconds
    before: str = ""  # script that runs first
    markup: str = ""
    head: str = ""
    body: str = ""
    strict: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: NO_STORE)

    @property
    def url(self) -> str:
        return self.at("www")

    def at(self, host: str) -> str:
        """Return the address of another host of the site's domain."""
        return f"http://{host}.{self.name}.localhost:{self.server.server_port}/"

    @property
    def widget_base(self) -> str:
        return f"{self.server.sandbox.url}widget/"

    def settings(self, user: str | None, host: str = "www") -> SettingsResponse:
        """Return what the endpoint answers for a user."""
        app_id = self.name if host == "www" else f"{self.name}-{host}"
        builder = replace(self.server.builder, app_id=app_id, clock=lambda: self.now() - self.age)
        return settings_response(builder, user, {}, "")

    def now(self) -> float:
        return time.time() + self.passed

    # What a person does, and what a test sees

    def tab(self, user: str | None = None, path: str = "") -> Tab:
        """Open a tab; if a user is given, sign in there before its first page."""
        tab = self.open_tab()
        tab.goto(f"{self.url}sign-in?user={user}" if user else self.url + path)
        if user:
            self.shows(tab, user)
        return tab

    def sign_in(self, tab: Tab, user: str) -> None:
        self.adapter.sign_in(self, tab, user)

    def sign_out(self, tab: Tab) -> None:
        self.adapter.sign_out(self, tab)

    def expire(self) -> None:
        """The server forgets its sessions; no browser is told."""
        self.sessions.clear()

    def later(self, tab: Tab, minutes: float) -> None:
        """Let time go by in a tab, which then wakes up."""
        self.passed += minutes * 60
        tab.run(f"(window.ahead += {minutes * 60_000}, dispatchEvent(new Event('focus')), 0)")

    def shows(self, tab: Tab, user: str | None) -> None:
        """Wait until the Messenger shows the chats of this user, or, for ``None``, an anonymous visitor's."""
        until(tab, "window.finMessengerSandbox && [finMessengerSandbox.chats, verdict()]", [user, user])
        if user is None:
            assert tab.run("Object.keys(intercomSettings).sort()") == ["api_base", "app_id"]
            assert tab.run("jar().includes('intercom-session-' + intercomSettings.app_id + '=')") is False

    def follows(self, tab: Tab, user: str | None) -> None:
        """Wait until a tab that nobody touches shows the chats of a user who signed in elsewhere."""
        if user is None or self.adapter.renews:
            self.shows(tab, user)
        else:  # the snippet alone does not know who it is: the next page does
            until(tab, "[finMessengerSandbox.chats, 'user_id' in intercomSettings]", [None, False])

    def calls(self, tab: Tab) -> list[list[str | None]]:
        """Return what the Messenger was told since the page was loaded, and of whom."""
        found: list[list[str | None]] = tab.run(
            "finMessengerSandbox.calls.map(([method, settings]) => [method, settings?.user_id ?? null])"
        )
        return found


def until(tab: Tab, expression: str, expected: object = True, seconds: float = 20) -> None:  # noqa: FBT002
    """Wait until an expression has the value."""
    end, found = time.monotonic() + seconds, None
    while True:
        try:
            found = tab.run(expression)
        except ScriptError as error:  # between two pages
            found = error
        if found == expected:
            return
        assert time.monotonic() < end, f"{expression}: expected {expected!r}, got {found!r}"
        time.sleep(0.03)


class Server(ThreadingHTTPServer):
    """Serves all sites, and the sandbox that judges their pages."""

    daemon_threads = True

    def __init__(self, parts: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.builder: TokenPairBuilder = throwaway_builder()
        self.files = {
            MODULE: Path(renewal_module()),
            "/bundle.js": parts / "bundle.js",
            "/turbo.js": parts / "node_modules/@hotwired/turbo/dist/turbo.es2017-umd.js",
            "/htmx2.js": parts / "node_modules/htmx2/dist/htmx.min.js",
            "/htmx4.js": parts / "node_modules/htmx4/dist/htmx.min.js",
        }
        self.sites: dict[str, Site] = {}
        self._number = 0
        self.sandbox = SandboxServer(_Recording(throwaway_sandbox(), self.sites), 0)  # type: ignore[arg-type]
        for server in (self, self.sandbox):
            Thread(target=server.serve_forever, daemon=True).start()

    @contextmanager
    def site(self, adapter: Adapter, open_tab: Callable[[], Tab]) -> Iterator[Site]:
        self._number += 1
        name = f"t{self._number}"
        made = self.sites[name] = Site(name, self, adapter, open_tab)
        yield made
        del self.sites[name]


class _Recording:
    """A sandbox that tells the site what was found there."""

    def __init__(self, sandbox: Sandbox, sites: Mapping[str, Site]) -> None:
        self._sandbox, self._sites = sandbox, sites

    def verdict(self, settings: Mapping[str, Any], **how: Any) -> Verdict:
        site = self._sites.get(str(settings.get("app_id")).partition("-")[0])
        if site is None:  # its test has ended
            return Verdict(None, "", "")
        found = replace(self._sandbox, clock=site.now).verdict(settings, **how)
        if found.chats.startswith("✗") and found.chats[2:].partition("'")[0] not in site.sessions.values():
            site.leaks.append(found.chats)
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        host, name = [*self.headers.get("Host", "").split("."), ""][:2]
        site, url = self.server.sites.get(name), urlsplit(self.path)
        self._passed = site.passed if site else 0
        if site is None:
            self.send(404, "")
        elif path := self.server.files.get(url.path):
            self.send(
                200, path.read_text(), mimetypes.guess_type(path.name)[0] or "", {"Cache-Control": "max-age=9999"}
            )
        elif url.path == "/settings":
            self._settings(site, host)
        elif url.path in ("/sign-in", "/sign-out"):
            self._session(site, parse_qs(url.query).get("user", [""])[0])
        else:
            self._page(site, host, url.path)

    def _user(self, site: Site) -> str | None:
        session = self.headers.get("Cookie", "").partition("session=")[2].partition(";")[0]
        return site.sessions.get(session)

    def _session(self, site: Site, user: str) -> None:
        site.expire()
        session = secrets.token_hex(8)
        if user:
            site.sessions[session] = user
        cookie = f"session={session}; Domain={site.name}.localhost; Path=/; HttpOnly; SameSite=Lax"
        self.send(303, "", headers={"Location": "/", "Set-Cookie": cookie})

    def _settings(self, site: Site, host: str) -> None:
        site.asked += 1
        if site.answers and site.answers.pop(0)(site, self):
            return
        made = site.settings(self._user(site), host)
        with suppress(ConnectionError):
            self.send(made.status, json.dumps(made.body), "application/json", made.headers)

    def _page(self, site: Site, host: str, path: str) -> None:
        user, nonce = self._user(site), secrets.token_urlsafe(16)
        first = CLOCK.replace("AHEAD", str((site.passed + site.skew) * 1000)) + site.before
        headers = dict(site.headers)
        if site.strict:
            headers["Content-Security-Policy"] = strict_policy(
                nonce, also={"connect-src": [site.server.sandbox.url.rstrip("/")]}
            )
        scripts = site.adapter.scripts(site, site.settings(user, host).body, nonce)
        self.send(
            200,
            f"<!doctype html><html><head><meta charset=utf-8><link rel=icon href=data:,><title>{path}</title>"
            f"<script nonce={nonce}>if (!window.lines) {{{first}}}</script>{site.head.replace('NONCE', nonce)}"
            f"</head><body {site.body}>{site.markup}<p id=user>{user or 'nobody'}</p><p id=path>{path}</p>"
            "<a id=home href=/>home</a> <a id=other href=/other>other</a> <a id=out href=/sign-out>out</a> "
            f"<a id=ada href=/sign-in?user=42>in</a> <a id=grace href=/sign-in?user=7>in</a>{scripts}</body></html>",
            headers=headers,
        )

    def send(
        self, status: int, body: str, kind: str = "text/html; charset=utf-8", headers: Mapping[str, str] | None = None
    ) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(data)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(time.time() + self._passed) if timestamp is None else int(timestamp))

    def log_message(self, *_arguments: object) -> None: ...


def says(status: int, body: object = None, **headers: str) -> Callable[[Site, _Handler], bool]:
    """An answer of the endpoint; a string as a body is HTML."""

    def answer(_site: Site, handler: _Handler) -> bool:
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        handler.send(status, text, "text/html" if isinstance(body, str) else "application/json", headers)
        return True

    return answer


def anonymous(status: int) -> Callable[[Site, _Handler], bool]:
    """The anonymous visitor's settings, with a status."""
    return lambda site, handler: says(status, site.settings(None).body)(site, handler)


def breaks(_site: Site, handler: _Handler) -> bool:
    """The network is down: the connection ends without an answer."""
    handler.close_connection = True
    handler.connection.close()
    return True


def waits(gate: Event) -> Callable[[Site, _Handler], bool]:
    """The answer as of now, sent when the gate opens."""

    def answer(site: Site, handler: _Handler) -> bool:
        made = site.settings(handler._user(site))
        gate.wait(10)
        with suppress(ConnectionError):
            handler.send(made.status, json.dumps(made.body), "application/json", made.headers)
        return True

    return answer
