"""Serves the widget, the verdicts and the status page, on the loopback interface only."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from typing import Any, cast

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._json_values import MAX_JSON_LENGTH, read_json
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ

from ._judge import Sandbox, Verdict, sandbox_from_env

DEFAULT_PORT = 8765
"""Where the command listens, unless another port is given."""

_REMEMBERED = 20
_STATIC = files("fin_messenger_auth").joinpath("static")
_CALL = "sandbox_call"  # beside the settings: how the page sent them, and whose session the browser has
_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")  # of this machine, whatever DNS says
_PAGE = re.compile(r"https?://(([\w-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")  # one of its origins


class SandboxServer(ThreadingHTTPServer):
    """Serves the stand-in's widget, its verdicts and its status page, on the loopback interface.

    Args:
        sandbox: What judges the pages.
        port: Where to listen; 0 for any free port.
    """

    daemon_threads = True

    def __init__(self, sandbox: Sandbox, port: int = DEFAULT_PORT) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox
        self.verdicts: deque[tuple[float, Verdict]] = deque(maxlen=_REMEMBERED)

    @property
    def url(self) -> str:
        """The address of the status page."""
        return f"http://127.0.0.1:{self.server_port}/"


def throwaway_sandbox() -> Sandbox:
    """Return a sandbox that verifies with the throwaway keys of :mod:`fin_messenger_auth.testing`."""
    return sandbox_from_env(throwaway_environ())


def start_throwaway(port: int = 0) -> tuple[TokenPairBuilder, str]:
    """Start a sandbox with throwaway keys in the background, for an example or a first look.

    Args:
        port: Where to listen; 0 for any free port.

    Returns:
        A builder that signs with the same keys, and the address of the sandbox.
    """
    server = SandboxServer(throwaway_sandbox(), port)
    Thread(target=server.serve_forever, daemon=True).start()
    return replace(throwaway_builder(), on_signing_error="anonymous"), server.url


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds; a connection that stays silent holds a thread

    def handle(self) -> None:
        with suppress(ConnectionError):  # the visitor left the page
            super().handle()

    def do_GET(self) -> None:
        if not self._is_local():
            self._answer(403, "text/plain", "Only pages of this machine may ask. Open http://127.0.0.1 instead.")
        elif self.path.startswith("/widget/"):
            self._answer(200, "text/javascript; charset=utf-8", widget_script())
        elif self.path == "/":
            self._answer(200, "text/html; charset=utf-8", _status_page(list(self._server.verdicts)))
        else:
            self._answer(404, "text/plain", "Not found.")

    def do_POST(self) -> None:
        if not self._is_local():
            self._answer(403, "text/plain", "Only pages of this machine may ask.")
            return
        settings = self._settings()
        if self.path != "/sandbox/verdict" or settings is None:
            self._answer(400, "text/plain", "POST the settings as a JSON object to /sandbox/verdict.")
            return
        call = settings.pop(_CALL, None)
        call = call if isinstance(call, dict) else {}
        method, session = str(call.get("method")), call.get("session") and str(call["session"])
        verdict = self._server.sandbox.verdict(settings, method=method, session=session)
        self._server.verdicts.append((time.time(), verdict))
        self._answer(200, "application/json", json.dumps(asdict(verdict)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Log nothing: the status page shows what happened."""

    @property
    def _server(self) -> SandboxServer:
        return cast("SandboxServer", self.server)

    def _is_local(self) -> bool:
        """Tell whether this machine's own name was asked for (DNS rebinding), by one of its pages or by no page.

        A browser names the page's origin with every POST, and with every request whose answer a script could read.
        """
        origin = self.headers.get("Origin")
        by_own_page = origin is None or _PAGE.fullmatch(origin)
        return bool(by_own_page and _HOST.fullmatch(self.headers.get("Host", "")))

    def _settings(self) -> dict[str, Any] | None:
        try:
            length = int(self.headers.get("Content-Length", ""))
            settings = read_json(self.rfile.read(length)) if 0 <= length <= MAX_JSON_LENGTH else None
        except ValueError:
            return None
        return settings if isinstance(settings, dict) else None

    def _answer(self, status: int, content_type: str, content: str) -> None:
        """Answer; scripts of pages of this machine may read it."""
        body, origin = content.encode(), self.headers.get("Origin", "")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Vary", "Origin")
        if _PAGE.fullmatch(origin):
            self.send_header("Access-Control-Allow-Origin", origin)
        self.end_headers()
        self.wfile.write(body)


def widget_script() -> str:
    """Return the JavaScript of the stand-in for the Messenger's widget."""
    return _STATIC.joinpath("widget.js").read_text("utf-8")


def _status_page(verdicts: Sequence[tuple[float, Verdict]]) -> str:
    """Return the HTML of the status page: the last verdicts with their times in Unix seconds, newest first."""
    rows = "".join(
        f"<tr><td>{time.strftime('%H:%M:%S', time.localtime(moment))}"
        f"<td>{escape(verdict.intercom)}<td>{escape(verdict.salesforce)}<td>{escape(verdict.chats)}"
        for moment, verdict in reversed(verdicts)
    )
    page = _STATIC.joinpath("sandbox-status.html").read_text("utf-8")
    return page.replace("<!--rows-->", rows) if rows else page.replace("<table", "<table hidden")
