"""A stand-in for both platforms on this machine: would they take this page's tokens for the user's?

It is a double, built from what is documented: it verifies what can be verified with the keys at hand, and says
nothing of how an org or a workspace is configured. It answers on the loopback interface only, keeps the last
few verdicts in memory and no token at all.
"""

from __future__ import annotations

import json
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from .diagnosis import Level, VerifyingKey, check_intercom_token, check_pair, check_salesforce_token
from .environment import Environment
from .keys import read_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .diagnosis import Finding
    from .pair import TokenPairBuilder
    from .signers import RSASigner

DEFAULT_PORT = 8765
"""Where the command listens, if not told otherwise."""

_MAX_BODY = 2_000_000
_REMEMBERED = 20
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the two platforms would make of one page.

    Attributes:
        user_id: Whom Intercom would take the visitor for; ``None`` for a lead.
        intercom: The same in words, with the reason.
        salesforce: Whom Salesforce would take the visitor for, in words, with the reason.
    """

    user_id: str | None
    intercom: str
    salesforce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What the stand-in knows: the halves of the keys with which it verifies.

    Args:
        secret: The Messenger API Secret.
        keys: The public keys of the keyset; empty where Fin makes the Salesforce token.
        issuer: The keyset's issuer.
        audience: The audience of the Salesforce token.
        clock: The time in Unix seconds.
    """

    secret: bytes = field(repr=False)
    keys: Sequence[VerifyingKey] = ()
    issuer: str | None = None
    audience: str | None = None
    clock: Callable[[], float] = time.time

    def verdict(self, settings: Mapping[str, Any]) -> Verdict:
        """Judge ``window.intercomSettings``, as the page has sent it."""
        now = self.clock()
        user_id, token = settings.get("user_id"), settings.get("intercom_user_jwt")
        identity = settings.get("salesforce_identity_token")
        if user_id is None and token is None and identity is None:
            return Verdict(None, "Lead: an anonymous visitor", "Guest: an anonymous visitor")
        name = None if user_id is None else str(user_id)
        problem = _problem(check_intercom_token(str(token or ""), secret=self.secret, user_id=name, now=now))
        who = _claim(str(token), "user_id") if problem is None else None
        return Verdict(
            who,
            f"Verified as {who}" if problem is None else f"Not verified: {problem}",
            self._salesforce(str(token or ""), identity, now),
        )

    def _salesforce(self, token: str, identity: object, now: float) -> str:
        if not self.keys:
            return "Not checked: Fin makes this token"
        if identity is None:
            return "Guest: there is no salesforce_identity_token"
        text = str(identity)
        findings = check_salesforce_token(text, keys=self.keys, issuer=self.issuer, audience=self.audience, now=now)
        problem = _problem([*findings, *check_pair(token, text)])
        return f"Guest: {problem}" if problem else f"Verified as {_claim(text, 'sub')}"


def throwaway_sandbox() -> Sandbox:
    """Return a sandbox that knows the throwaway keys of :mod:`fin_messenger_auth.testing`."""
    from . import testing  # noqa: PLC0415 - the core of the package does not need it
    from .testing import throwaway  # noqa: PLC0415 - as above

    return Sandbox(
        secret=testing.throwaway_secret().encode(),
        keys=[VerifyingKey(testing.throwaway_rsa_key().public_key(), throwaway.THROWAWAY_KID, "RS256")],
        issuer=throwaway.THROWAWAY_ISSUER,
        audience=throwaway.THROWAWAY_AUDIENCE,
    )


def sandbox_from_env(
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    kid: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> Sandbox:
    """Return a sandbox that knows the keys of the application's own configuration.

    Args:
        environ: The variables, as for ``TokenPairBuilder.from_env``; the process's own if left out.
        prefix: What stands before each variable's name.
        kid: The ``kid`` of the JWK in Salesforce, where it may differ from the configuration's.
        issuer: The keyset's issuer in Salesforce, likewise.
        audience: The audience that is expected, likewise.

    Raises:
        ConfigurationError: A variable is missing, contradicts another or holds an unusable value.
        KeyUnavailableError: A file that a variable names cannot be read.
    """
    variables = Environment(environ, prefix)
    salesforce = variables.builder_arguments()["salesforce"]
    _, source = variables.key("INTERCOM_MESSENGER_SECRET")
    secret = bytes(read_key(source).without_line_end())
    if salesforce is None:
        return Sandbox(secret=secret)
    signer = cast("RSASigner", salesforce.signer)  # the environment makes no other
    return Sandbox(
        secret=secret,
        keys=[VerifyingKey(signer.public_key, kid or signer.kid, signer.alg)],
        issuer=issuer or salesforce.issuer,
        audience=audience or salesforce.audience,
    )


class SandboxServer(ThreadingHTTPServer):
    """Serves the stand-in's widget, its verdicts and its status page, on the loopback interface.

    Args:
        sandbox: What judges.
        port: Where to listen; 0 for any free port.
    """

    daemon_threads = True

    def __init__(self, sandbox: Sandbox, port: int = DEFAULT_PORT) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox
        self.verdicts: deque[tuple[float, Verdict]] = deque(maxlen=_REMEMBERED)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}/"


def start_throwaway(port: int = 0) -> tuple[TokenPairBuilder, str]:
    """Start a sandbox on throwaway keys in the background, for an example or a first look.

    Args:
        port: Where to listen; 0 for any free port.

    Returns:
        A builder that signs with the same keys, and the address of the sandbox.
    """
    from .testing import throwaway_builder  # noqa: PLC0415 - the core of the package does not need it

    server = SandboxServer(throwaway_sandbox(), port)
    Thread(target=server.serve_forever, daemon=True).start()
    return replace(throwaway_builder(), on_signing_error="anonymous"), server.url


def widget_script() -> str:
    """Return the stand-in's widget script."""
    return files("fin_messenger_auth").joinpath("static/widget.js").read_text("utf-8")


def verdict_json(verdict: Verdict) -> str:
    """Return a verdict as the widget reads it."""
    return json.dumps({"user_id": verdict.user_id, "intercom": verdict.intercom, "salesforce": verdict.salesforce})


def status_page(verdicts: Sequence[tuple[float, Verdict]]) -> str:
    """Return the status page: what was judged lately, the newest first.

    Args:
        verdicts: The time in Unix seconds and the verdict, for each page that was judged.
    """
    rows = "".join(
        f"<tr><td>{time.strftime('%H:%M:%S', time.localtime(moment))}"
        f"<td>{escape(verdict.intercom)}<td>{escape(verdict.salesforce)}"
        for moment, verdict in reversed(verdicts)
    )
    return _STATUS.replace("<!--rows-->", rows or "<tr><td colspan=3>No page has asked yet.")


_STATUS = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Sandbox</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
p.note { background: #fffbe6; border: 2px dashed #b7791f; border-radius: 8px; padding: .75rem 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .8rem .4rem 0;
vertical-align: top; border-bottom: 1px solid #ddd }
</style>
<h1>Sandbox</h1>
<p class="note"><strong>A stand-in for Intercom and Salesforce on this machine.</strong> It verifies tokens with the
keys of this machine's configuration. It knows nothing of what is uploaded to Salesforce or set in the workspace.</p>
<table><thead><tr><th>Time<th>Intercom<th>Salesforce</thead><tbody><!--rows--></tbody></table>
"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self._is_local():
            self._answer(403, "text/plain", "Ask for 127.0.0.1.")
        elif self.path.startswith("/widget/"):
            self._answer(200, "text/javascript; charset=utf-8", widget_script())
        elif self.path == "/":
            self._answer(200, "text/html; charset=utf-8", status_page(list(self._server.verdicts)))
        else:
            self._answer(404, "text/plain", "Nothing here.")

    def do_POST(self) -> None:
        settings = self._settings()
        if not self._is_local() or self.path != "/sandbox/verdict" or settings is None:
            self._answer(400, "text/plain", "POST the settings as a JSON object to /sandbox/verdict.")
            return
        verdict = self._server.sandbox.verdict(settings)
        self._server.verdicts.append((time.time(), verdict))
        self._answer(200, "application/json", verdict_json(verdict))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep quiet: the status page says what happened."""

    @property
    def _server(self) -> SandboxServer:
        return cast("SandboxServer", self.server)

    def _is_local(self) -> bool:
        """Whether the page's address is this machine's too, so that no foreign name points here."""
        host = self.headers.get("Host", "")
        return host in _LOOPBACK or host.rpartition(":")[0] in _LOOPBACK

    def _settings(self) -> dict[str, Any] | None:
        try:
            length = int(self.headers.get("Content-Length", ""))
            settings = json.loads(self.rfile.read(length)) if 0 <= length <= _MAX_BODY else None
        except (ValueError, RecursionError):
            return None
        return settings if isinstance(settings, dict) else None

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        with suppress(ConnectionError):  # the page was left while it was judged
            self.wfile.write(body)


def _problem(findings: Sequence[Finding]) -> str | None:
    return next((each.message for each in findings if each.level is Level.ERROR), None)


def _claim(token: str, name: str) -> str:
    from .testing import decode_token  # noqa: PLC0415 - the core of the package does not need it

    return str(decode_token(token).claims[name])
