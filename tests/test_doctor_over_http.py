"""Pages of a running site, over real HTTP: redirects, refusals, encodings, limits of size and of time."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from fin_messenger_auth import render_snippet
from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import _http
from fin_messenger_auth.onboarding import certificate_pem, self_signed_certificate
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ, throwaway_rsa_key
from fin_messenger_auth.testing._throwaway import pem_of


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 1)


GZIP = {"Content-Encoding": "gzip"}
UTF_16 = {"Content-Type": "text/html; charset=utf-16-le"}
BLOCKED = "blocks https://via.intercom.io, https://api-ping.intercom.io, "
TOO_LARGE = "The page cannot be fetched: it is larger than 8 MB."
BUILDER = throwaway_builder()
PRIVATE = {"Cache-Control": "private, no-store"}


@dataclass
class Reply:
    """What the site answers; what the first line of an error or warning must say, or else of the refusal to go on."""

    says: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    encode: Callable[[str], bytes] = str.encode
    before: int = 0  # bytes
    policies: tuple[str, ...] = ()
    length: int | None = None


REPLIES = {
    "healthy": Reply(""),
    "gzip that nobody asked for": Reply("", 200, GZIP, packed),
    "UTF-16 by its mark": Reply("", encode=lambda text: text.encode("utf-16")),
    "UTF-16 by its header": Reply("", 200, UTF_16, lambda text: text.encode("utf-16-le")),
    "an unknown charset": Reply("", 200, {"Content-Type": "text/html; charset=klingon"}),
    "five megabytes": Reply("", before=5_000_000),
    "nine megabytes": Reply(TOO_LARGE, before=9_000_000),
    "a bomb": Reply(TOO_LARGE, 200, GZIP, packed, 20_000_000),
    "no gzip": Reply("DecodeError", 200, GZIP),
    "cut off": Reply("ProtocolError", length=1_000_000),
    "401": Reply("it was answered with status 401", 401, encode=lambda _: b"{}"),
    "403": Reply("it was answered with status 403", 403, encode=lambda _: b"<h1>Forbidden</h1>"),
    "404": Reply("it was answered with status 404", 404, encode=lambda _: b"<h1>Not found</h1>"),
    "500": Reply("it was answered with status 500", 500),
    "empty": Reply("The page passes no settings to the Messenger: it is empty.", encode=lambda _: b""),
    "to www": Reply(
        'it redirects to "https://www.acme.example/".', 301, {"Location": "https://www.acme.example/?token=x"}
    ),
    "to sign in": Reply(
        'it redirects to "https://login.acme.example/start".',
        302,
        {"Location": "https://login.acme.example/start?state=x#y"},
    ),
    "to no URL": Reply('it redirects to "https://[x/".', 302, {"Location": "https://[x/"}),
    "a script that goes nowhere": Reply(
        'it redirects to "https://[x/".', encode=lambda _: b"<script>location = 'https://[x/'</script>"
    ),
    "a module of nowhere": Reply(
        "", encode=lambda text: f"{text}<script type=module>import 'https://[fin-messenger-auth/'</script>".encode()
    ),
    "in a circle": Reply('it redirects to "/in%20a%20circle"', 302, {"Location": "/in%20a%20circle"}),
    "no Cache-Control": Reply('its Cache-Control is "", without no-store', 200, {"Cache-Control": ""}),
    "from a cache": Reply("its header age: 7200 says that this one comes from a cache", 200, {"Age": "7200"}),
    "fresh from a cache": Reply("", 200, {"Age": "0"}),
    "a hit of a CDN": Reply("its header cf-cache-status: HIT says", 200, {"CF-Cache-Status": "HIT"}),
    "no hit": Reply("", 200, {"X-Cache": "Miss from cloudfront"}),
    "for a CDN": Reply("its cdn-cache-control is", 200, {"CDN-Cache-Control": "max-age=60"}),
    "not for a CDN": Reply("", 200, {"Surrogate-Control": "no-store"}),
    "a nonce beside inline styles": Reply(
        "inline styles (style-src: browsers ignore 'unsafe-inline' beside a nonce",
        policies=("style-src 'unsafe-inline' 'nonce-YWJj'",),
    ),
    "trusted types, which the snippet knows": Reply("", policies=("require-trusted-types-for 'script'",)),
    "a wildcard without a dot": Reply(
        "blocks https://app.intercom.io",
        policies=("script-src 'unsafe-inline' *intercom.io https://js.intercomcdn.com",),
    ),
    "a wildcard": Reply(
        "", policies=("script-src 'unsafe-inline' https://*.intercom.io:443/ https://js.intercomcdn.com",)
    ),
    "another port": Reply(
        "blocks https://app.intercom.io",
        policies=("script-src 'unsafe-inline' *.intercom.io:8443 js.intercomcdn.com:*",),
    ),
    "two policies": Reply(BLOCKED, policies=("default-src * 'unsafe-inline'", "connect-src 'self'")),
    "two policies in one header": Reply(BLOCKED, policies=("img-src *, connect-src 'self'",)),
}


class _Site(BaseHTTPRequestHandler):
    seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        reply = REPLIES[self.path.strip("/").replace("%20", " ")]
        body = reply.encode(f"<p>{'x' * reply.before}</p>{render_snippet(BUILDER.build_settings('42'))}")
        self.send_response(reply.status)
        headers = {**PRIVATE, "Content-Length": str(reply.length or len(body)), **reply.headers}
        for name, value in [*headers.items(), *(("Content-Security-Policy", each) for each in reply.policies)]:
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in throwaway_environ().items():
        monkeypatch.setenv(name, value)


def first_line(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    main(["doctor", *options])
    captured = capsys.readouterr()
    lines = [line for line in captured.out.splitlines() if line[:1] in ("✗", "!")]
    return captured.err or (lines[0] if lines else "")


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.usefixtures("read_here")
def test_the_first_line_says_what_the_site_answered(
    name: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = first_line(capsys, "--page", f"{address}/{name.replace(' ', '%20')}")
    assert REPLIES[name].says in said
    assert bool(said) == bool(REPLIES[name].says)
    assert "token=x" not in said
    assert "state=x" not in said


def test_a_server_that_drips_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()

    class Drip(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not stop.wait(0.02):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(_http, "TIMEOUT_SECONDS", 1.1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Drip) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        before = set(threading.enumerate())
        assert "no answer within" in first_line(capsys, "--page", f"http://127.0.0.1:{server.server_port}/")
        for waiting in set(threading.enumerate()) - before:
            waiting.join(10)  # it gives up at the next byte
            assert not waiting.is_alive()
        stop.set()
        server.shutdown()


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_port_that_is_left_out_is_the_scheme_s_own(scheme: str, port: int) -> None:
    origin = _http.origin_of(f"{scheme}://a.example/page")

    assert origin == _http.origin_of(f"{scheme}://a.example:{port}/")
    assert origin != _http.origin_of(f"{scheme}://a.example:{port + 1}/")


def test_what_a_server_answers_is_not_in_the_repr() -> None:
    assert "secret" not in repr(_http.Answer("https://a.example/", 200, {}, b"secret"))


def test_redirects_without_an_end_are_given_up() -> None:
    asked: list[str] = []

    class Further(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"{self.path}x")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Further) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        assert _http.send(f"http://127.0.0.1:{server.server_port}/", {}).status == 302
        server.shutdown()
    assert asked == [f"/{'x' * hops}" for hops in range(11)]


def test_a_certificate_of_ones_own_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signer = RSASigner(StringKeySource(pem_of(throwaway_rsa_key())))
    pem = pem_of(throwaway_rsa_key()) + certificate_pem(self_signed_certificate(signer, signer.public_key))
    (tmp_path / "both.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), _Site) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        said = first_line(capsys, "--page", f"https://127.0.0.1:{server.server_port}/healthy")
        server.shutdown()
    assert "its TLS certificate cannot be verified; SSL_CERT_FILE can name one of your own" in said


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--page", "http://127.0.0.1/", "--cookie", "ada"], "--cookie: expected NAME=VALUE"),
        (["--page", "http://127.0.0.1/", "--cookie", "a=b\r\n"], "--cookie: expected NAME=VALUE"),
        (["--page", "http://127.0.0.1/", "--header", "X-Test"], "--header: expected NAME:VALUE"),
        (["--page", "http://127.0.0.1/", "--header", "X: 1\r\nY: 2"], "--header: expected NAME:VALUE"),
        (["--page", "page.html", "--cookie", "a=b"], "--cookie and --header need --page URL"),
        (["--header", "X: 1"], "--cookie and --header need --page URL"),
        (["--user", "42"], "--user needs --page"),
        (["--user", ""], "--user needs --page"),
        (["--page", "-", "--uploaded", "-"], "only one of --page and --uploaded can be -"),
    ],
)
def test_an_option_that_would_be_ignored_is_wrong_usage(
    options: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *options])
    assert caught.value.code == 2
    assert wrong in capsys.readouterr().err


def test_cookies_and_headers_are_sent_and_not_printed(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    _Site.seen.clear()
    options = ["--cookie", "session=canary-1", "--header", "Authorization: Bearer canary-2", "--header", "X-Test:1"]
    for more in ([], ["--json"]):
        main(["doctor", "--page", f"{address}/no%20Cache-Control", *options, *more])
        printed = capsys.readouterr()
        assert "canary" not in printed.out + printed.err
    sent = _Site.seen[0]
    assert (sent["Cookie"], sent["Authorization"], sent["X-Test"]) == ("session=canary-1", "Bearer canary-2", "1")


def test_a_page_of_nobody_is_not_taken_for_one_of_a_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    page.write_text(render_snippet(BUILDER.build_settings(None)))
    options = ["doctor", "--page", str(page)]
    assert main(options) == 0
    assert "? configuration: A page of a signed-in user was not checked." in capsys.readouterr().out
    assert main([*options, "--user", ""]) == 0
    assert "A page of a signed-in user" not in capsys.readouterr().out
