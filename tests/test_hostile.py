"""Values, pages, arguments and visitors that mean harm, and time-outs that come at a bad moment."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Never

import pytest
from starlette.responses import Response

from fin_messenger_auth import MessengerUser, SalesforceMinter
from fin_messenger_auth.cli import main
from fin_messenger_auth.contrib._visit import Framework, Site, Visit
from fin_messenger_auth.diagnosis._page_reader import decoded
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError, masked
from fin_messenger_auth.page import is_same_origin, render_sign_out, render_snippet, script_json
from fin_messenger_auth.sandbox import SandboxServer
from fin_messenger_auth.sandbox._server import throwaway_sandbox
from fin_messenger_auth.testing import throwaway_builder

if TYPE_CHECKING:
    from pathlib import Path

USER = MessengerUser("42", name="Ada Hostile Lovelace")
SECRET = "Xq7-not-a-real-secret-but-as-long-as-one"


class LyingStr(str):
    __slots__ = ()

    def __getitem__(self, _key: object) -> Never:
        raise ZeroDivisionError


class Slow:
    alg = "RS256"
    kid = "slow"

    def __init__(self, wait: Any) -> None:
        self.sign = wait


class AsyncSlow:
    alg = "RS256"
    kid = "slow"

    async def asign(self, _signing_input: bytes, /) -> bytes:
        await asyncio.sleep(60)
        return b""


def with_salesforce(signer: Any) -> Any:
    minter = SalesforceMinter(signer, issuer="https://i.example", audience="https://x.my.salesforce-scrt.com")
    return replace(throwaway_builder(), salesforce=minter)


def test_a_str_that_cannot_be_read_is_an_error_of_ours() -> None:
    with pytest.raises(InvalidClaimError, match="name"):
        MessengerUser("42", name=LyingStr("x"))
    with pytest.raises(ConfigurationError, match="LyingStr cannot be read"):
        render_sign_out(LyingStr("x"))


def test_settings_of_any_depth_are_rendered_or_refused() -> None:
    value: Any = 1
    for _ in range(1_000):
        value = [value]
        try:
            script_json(value)
        except InvalidClaimError:
            break
    else:
        pytest.fail("nothing was refused")


def test_an_integer_in_a_tuple_is_not_rounded_either() -> None:
    with pytest.raises(InvalidClaimError, match="2\\^53"):
        script_json({"x": (2**60,)})


@pytest.mark.parametrize("value", [pytest.param(10**5_000, id="huge"), [], None, 1])
def test_a_nonce_or_a_url_of_another_type_is_not_converted(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="widget_base: expected"):
        render_snippet({"app_id": "a"}, widget_base=value)
    if value is not None:
        with pytest.raises(ConfigurationError, match="nonce: expected"):
            render_snippet({"app_id": "a"}, nonce=value)


@pytest.mark.parametrize("headers", [{b"sec-fetch-site": b"cross-site"}, {"origin": b"https://evil.example"}])
def test_headers_as_bytes_do_not_pass_for_the_site_itself(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="decode the bytes"):
        is_same_origin(headers, "site.example")


def test_errors_within_a_group_are_cleared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fin_messenger_auth.errors._is_ours", lambda frame: "planted" in frame.f_locals)

    def fail() -> Never:
        planted = [SECRET]
        raise ValueError(len(planted))

    @masked
    def group() -> None:
        errors = []
        for _ in range(2):
            try:
                fail()
            except ValueError as error:
                errors.append(error)
        raise ExceptionGroup("two", errors)

    with pytest.raises(ExceptionGroup) as caught:
        group()
    frames = [frame for each in caught.value.exceptions for frame, _ in traceback.walk_tb(each.__traceback__)][1::2]
    assert [frame.f_locals for frame in frames] == [{}, {}]


@pytest.mark.parametrize(
    "command",
    [
        [SECRET],
        ["demo", SECRET],
        ["keygen", "keys", "--bits", SECRET],
        ["doctor", "keys", f"--secret={SECRET}"],
        ["doctor", SECRET],
        ["doctor", "--uploaded", SECRET],
        ["doctor", "--page", SECRET],
        ["doctor", "--page", f"<script>x={{jwt:'{SECRET}'}}"],
        ["inspect", "--key", SECRET, "token"],
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(command)
    except SystemExit as ended:
        status = int(ended.code or 0)

    said = capsys.readouterr()
    assert status in {1, 2}
    assert SECRET not in said.out + said.err


def test_the_name_of_an_unknown_option_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--usr", "ada", "--colour=red"])

    assert "unrecognized arguments: --usr --colour\n" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"\x1f\x8bno gzip", b"<p>"])
def test_a_page_that_cannot_be_decoded_is_read_all_the_same(body: bytes) -> None:
    assert decoded(body, "text/html; charset=undefined")


def test_a_visitor_who_leaves_the_sandbox_prints_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with SandboxServer(throwaway_sandbox(), 0) as server:
        server.daemon_threads = False  # so that closing the server waits for the connections
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = ("127.0.0.1", server.server_port)
        for length in (2, 5_000):
            with socket.create_connection(address) as visitor:
                host = f"Host: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
                visitor.sendall(f"POST /sandbox/verdict HTTP/1.1\r\n{host}{{}}".encode())
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        with socket.create_connection(address) as visitor:
            visitor.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert visitor.recv(20).startswith(b"HTTP/1.0 200")
        server.shutdown()
        thread.join()

    assert "Traceback" not in capsys.readouterr().err


def test_no_cache_keeps_the_cookies_of_a_sign_out() -> None:
    framework = Framework(
        host=lambda _: "127.0.0.1:80",
        is_secure=lambda _: True,
        urls=lambda _: [],
        cookies=lambda _: "",
        add_cookie=lambda response, value: response.headers.append("set-cookie", value),
    )
    visit = Visit(Site(framework=framework, builder=throwaway_builder()), None)
    response = Response()
    response.headers["Cache-Control"] = "public, max-age=60"
    visit.signed_out = True
    visit.complete(response)

    assert len(response.headers.getlist("set-cookie")) == 4
    assert (response.headers["cache-control"], response.headers["vary"]) == ("private, no-store", "Cookie")
