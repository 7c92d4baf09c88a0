"""The stand-in for both platforms: its verdicts, its server and its command."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey

from fin_messenger_auth import SalesforceMinter, TokenPairBuilder, sandbox
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import Expected, read_verifying_keys
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.sandbox import (
    Sandbox,
    SandboxServer,
    sandbox_from_env,
    start_throwaway,
    throwaway_sandbox,
    widget_script,
)
from fin_messenger_auth.testing import (
    FrozenClock,
    throwaway_builder,
    throwaway_rsa_key,
    throwaway_secret,
)
from fin_messenger_auth.testing._throwaway import pem_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = {
    "INTERCOM_APP_ID": "throwaway",
    "SALESFORCE_KEY_ID": "throwaway",
    "SALESFORCE_ISSUER": "https://issuer.example",
    "SALESFORCE_AUDIENCE": "https://example.my.salesforce-scrt.com",
}


@pytest.fixture
def judge(messenger_clock: FrozenClock) -> Sandbox:
    return replace(throwaway_sandbox(), clock=messenger_clock)


def test_a_page_in_good_health_is_verified_by_both(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    verdict = judge.verdict(messenger_builder.build_settings(42))
    assert verdict.user_id == "42"
    assert verdict.intercom == "Verified as 42"
    assert verdict.salesforce == "Verified as 42"


def test_an_anonymous_page_is_a_leads(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    verdict = judge.verdict(messenger_builder.build_settings(None))
    assert verdict.user_id is None
    assert (verdict.intercom, verdict.salesforce) == ("Lead: an anonymous visitor", "Guest: an anonymous visitor")


def test_an_anonymous_page_that_shows_somebodys_chats_is_an_error(
    judge: Sandbox, messenger_builder: TokenPairBuilder
) -> None:
    verdict = judge.verdict(messenger_builder.build_settings(None), session="42")
    assert verdict.intercom == "Lead: an anonymous visitor"
    assert verdict.chats.startswith("✗ 42's, on an anonymous page. Call Intercom('shutdown')")


def test_one_persons_page_that_shows_anothers_chats_is_an_error(judge: Sandbox) -> None:
    assert judge.verdict({"user_id": "7"}, session="42").chats.startswith("✗ 42's, on a page for 7.")


def test_one_s_own_chats_are_none_of_it(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    assert judge.verdict(messenger_builder.build_settings(42), session="7").chats == "42"
    assert judge.verdict({"user_id": 42}, session="42").chats == "42"
    assert judge.verdict({}).chats == "none"


def test_a_page_with_the_jwt_alone_is_its_users(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings("42")
    del settings["user_id"]

    assert (judge.verdict(settings).user_id, judge.verdict(settings).chats) == ("42", "42")
    del settings["salesforce_identity_token"]
    settings["intercom_user_jwt"] += "x"
    assert judge.verdict(settings, session="7").chats.startswith("✗ 7's, on an anonymous page.")


def test_an_update_without_the_jwt_is_refused(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings(42)
    assert judge.verdict(settings, method="update").intercom == "Verified as 42"
    del settings["intercom_user_jwt"]
    verdict = judge.verdict(settings, method="update", session="42")
    assert verdict.user_id is None
    assert verdict.intercom.startswith("Refused (403): pass intercom_user_jwt with every update")
    assert verdict.chats == "42"
    anonymous = judge.verdict(messenger_builder.build_settings(None), method="update")
    assert anonymous.intercom == "Lead: an anonymous visitor"


def test_an_issuer_with_a_slash_too_many_is_a_guest(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    salesforce = messenger_builder.salesforce
    assert salesforce is not None
    slashed = SalesforceMinter(salesforce.signer, issuer=f"{salesforce.issuer}/", audience=salesforce.audience)
    verdict = judge.verdict(replace(messenger_builder, salesforce=slashed).build_settings(42))
    assert verdict.intercom == "Verified as 42"
    assert verdict.salesforce.startswith("Guest: ")
    assert "slash" in verdict.salesforce


def test_an_expired_page_is_nobodys(
    judge: Sandbox, messenger_builder: TokenPairBuilder, messenger_clock: FrozenClock
) -> None:
    settings = messenger_builder.build_settings(42)
    messenger_clock.advance(3601)
    verdict = judge.verdict(settings)
    assert verdict.user_id is None
    assert verdict.intercom.startswith("Not verified: ")
    assert verdict.salesforce.startswith("Guest: ")


def test_a_changed_user_id_is_noticed(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    verdict = judge.verdict({**messenger_builder.build_settings(42), "user_id": "7"})
    assert verdict.user_id is None
    assert verdict.intercom.startswith("Not verified: ")


def test_a_user_id_without_tokens_is_noticed(judge: Sandbox) -> None:
    verdict = judge.verdict({"app_id": "a", "user_id": 42})
    assert verdict.intercom.startswith("Not verified: ")
    assert verdict.salesforce == "Guest: there is no salesforce_identity_token"


def test_where_fin_makes_the_second_token_it_is_not_checked(messenger_clock: FrozenClock) -> None:
    judge = Sandbox(secret=throwaway_secret().encode(), clock=messenger_clock)
    verdict = judge.verdict(throwaway_builder(clock=messenger_clock, fin_managed=True).build_settings(42))
    assert verdict.salesforce == "Not checked: Fin makes this token"


def test_the_secret_shows_nowhere(judge: Sandbox) -> None:
    assert throwaway_secret() not in repr(judge)


def test_it_knows_the_keys_of_the_configuration(tmp_path: Path, messenger_builder: TokenPairBuilder) -> None:
    secret_file, key_file = tmp_path / "secret", tmp_path / "key.pem"
    secret_file.write_text(f"{throwaway_secret()}\n")
    key_file.write_bytes(pem_of(throwaway_rsa_key()))
    settings = messenger_builder.build_settings(42)
    for secret in (
        {"INTERCOM_MESSENGER_SECRET": throwaway_secret()},
        {"INTERCOM_MESSENGER_SECRET_FILE": str(secret_file)},
    ):
        environ = {**ENVIRON, **secret, "SALESFORCE_PRIVATE_KEY_FILE": str(key_file)}
        judge = replace(sandbox_from_env(environ), clock=messenger_builder.clock)
        assert judge.verdict(settings).salesforce == "Verified as 42"
        other = Expected(keys=[replace(judge.keys[0], kid="other")])
        there = replace(sandbox_from_env(environ, given=other), clock=messenger_builder.clock)
        assert there.verdict(settings).salesforce.startswith("Guest: ")


class TestPublicKeys:
    """The keys of the upload, without any private key."""

    @pytest.fixture
    def key_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "public.pem"
        path.write_bytes(throwaway_rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path

    def test_they_suffice(self, key_file: Path, messenger_builder: TokenPairBuilder) -> None:
        keys = read_verifying_keys(key_file.read_bytes())
        environ = {"INTERCOM_MESSENGER_SECRET": throwaway_secret()}
        judge = sandbox_from_env(environ, given=Expected(keys=keys, issuer=ENVIRON["SALESFORCE_ISSUER"]))
        judge = replace(judge, clock=messenger_builder.clock)
        settings = messenger_builder.build_settings(42)
        assert judge.verdict(settings).salesforce == "Verified as 42"
        assert replace(judge, issuer="another").verdict(settings).salesforce.startswith("Guest: ")
        given = sandbox_from_env({}, given=Expected(keys=keys, issuer="i", secret=b"s" * 32))
        assert (given.secret, given.keys) == (b"s" * 32, keys)

    def test_what_they_do_not_say_is_required(self, key_file: Path) -> None:
        keys = read_verifying_keys(key_file.read_bytes())
        with pytest.raises(ConfigurationError, match="INTERCOM_MESSENGER_SECRET"):
            sandbox_from_env({}, given=Expected(keys=keys, issuer="i"))
        with pytest.raises(ConfigurationError, match="--issuer"):
            sandbox_from_env({"INTERCOM_MESSENGER_SECRET": throwaway_secret()}, given=Expected(keys=keys))

    def test_the_command_takes_them(
        self,
        key_file: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def interrupted(_server: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(sandbox.SandboxServer, "serve_forever", interrupted)
        secret_file = tmp_path / "secret"
        secret_file.write_text(throwaway_secret() + "\n")
        options = ["--key", str(key_file), "--secret-file", str(secret_file), "--issuer", "https://issuer.example"]
        assert main(["sandbox", "--port", "0", *options]) == 0
        assert "FIN_MESSENGER_WIDGET_BASE=http://127.0.0.1:" in capsys.readouterr().out
        jwk = tmp_path / "jwk.json"
        jwk.write_text(json.dumps({**public_jwk(), "kid": "key-1", "alg": "RS256"}))
        assert main(["sandbox", "--port", "0", "--key", str(jwk), *options[2:]]) == 0
        assert "jwk-x5c-missing" in capsys.readouterr().out


def public_jwk() -> dict[str, Any]:
    """A JWK without a certificate, as it is uploaded by mistake."""
    key: dict[str, Any] = RSAKey.import_key(pem_of(throwaway_rsa_key())).as_dict(private=False)
    return key


def test_without_a_salesforce_key_there_is_none_to_verify_with() -> None:
    environ = {
        "INTERCOM_APP_ID": "a",
        "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
        "SALESFORCE_IDENTITY": "fin-managed",
    }
    assert sandbox_from_env(environ).keys == ()


def test_a_lost_configuration_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="INTERCOM_APP_ID"):
        sandbox_from_env({})


@contextmanager
def running(judge: Sandbox) -> Iterator[SandboxServer]:
    with SandboxServer(judge, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_it_serves_the_widget_the_verdicts_and_the_status(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    with running(judge) as server:
        assert ask(f"{server.url}widget/any") == (200, widget_script())
        assert "No page has sent its settings yet" in ask(server.url)[1]
        settings = messenger_builder.build_settings(42)
        status, body = ask(f"{server.url}sandbox/verdict", json.dumps(settings).encode())
        assert (status, json.loads(body)["intercom"]) == (200, "Verified as 42")
        page = ask(server.url)[1]
        assert "Verified as 42" in page
        assert "stand-in" in page
        assert "eyJ" not in page
        assert "<table hidden" not in page


def test_the_status_page_shows_whose_chats_a_page_shows(judge: Sandbox, messenger_builder: TokenPairBuilder) -> None:
    with running(judge) as server:
        assert "FIN_MESSENGER_WIDGET_BASE" in ask(server.url)[1]
        settings = messenger_builder.build_settings(None)
        body = json.dumps({**settings, "sandbox_call": {"method": "boot", "session": "42"}}).encode()
        answer = ask(f"{server.url}sandbox/verdict", body)[1]
        assert json.loads(answer)["chats"].startswith("✗ 42")
        body = json.dumps({**settings, "sandbox_call": "?"}).encode()
        assert json.loads(ask(f"{server.url}sandbox/verdict", body)[1])["chats"] == "none"
        assert "✗ 42" in ask(server.url)[1]


def test_what_a_page_claims_to_be_is_no_markup(judge: Sandbox) -> None:
    with running(judge) as server:
        ask(f"{server.url}sandbox/verdict", json.dumps({"user_id": "<script>", "intercom_user_jwt": "<img>"}).encode())
        assert "<script>" not in ask(server.url)[1]
        assert "<img>" not in ask(server.url)[1]


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"[" * 100_000])
def test_what_is_no_settings_is_refused(judge: Sandbox, body: bytes) -> None:
    with running(judge) as server:
        assert ask(f"{server.url}sandbox/verdict", body)[0] == 400


def test_a_body_without_an_end_is_not_even_read(judge: Sandbox) -> None:
    with running(judge) as server, closing(HTTPConnection("127.0.0.1", server.server_port)) as connection:
        connection.putrequest("POST", "/sandbox/verdict")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        assert connection.getresponse().status == 400


def test_a_foreign_name_that_points_here_is_refused(judge: Sandbox) -> None:
    with running(judge) as server:
        assert ask(server.url, Host="evil.example")[0] == 403
        assert ask(f"{server.url}sandbox/verdict", b"{}", Host="evil.example:80")[0] == 403
        assert ask(server.url, Host=f"localhost:{server.server_port}")[0] == 200
        assert ask(server.url, Host="localhost:80.evil.example")[0] == 403


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:5000", True),
        ("https://shop.localhost", True),
        ("http://[::1]:3000", True),
        ("https://evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://192.168.0.7", False),
        ("null", False),
    ],
)
def test_only_pages_of_this_machine_get_an_answer(judge: Sandbox, origin: str, *, allowed: bool) -> None:
    with running(judge) as server:
        pages = [
            ("sandbox/verdict", b"{}", "application/json"),
            ("widget/throwaway", None, "text/javascript"),
            ("", None, "text/html"),
        ]
        for path, body, kind in pages:
            method = "GET" if body is None else "POST"
            answer = httpx.request(method, f"{server.url}{path}", content=body, headers={"Origin": origin})
            assert answer.status_code == (200 if allowed else 403)
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
            assert answer.headers["Vary"] == "Origin"
            assert answer.headers["Cache-Control"] == "no-store"
            assert int(answer.headers["Content-Length"]) == len(answer.content)
            assert answer.headers["Content-Type"].partition(";")[0] == (kind if allowed else "text/plain")
        assert len(server.verdicts) == int(allowed)
        assert ask(f"{server.url}elsewhere")[0] == 404


def test_an_example_starts_with_throwaway_keys() -> None:
    builder, url = start_throwaway()
    body = json.dumps(builder.build_settings(42)).encode()
    assert json.loads(ask(f"{url}sandbox/verdict", body)[1])["salesforce"] == "Verified as 42"


def test_the_command_serves_until_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = throwaway_secret()
    variables = {
        **ENVIRON,
        "INTERCOM_MESSENGER_SECRET": secret,
        "SALESFORCE_PRIVATE_KEY": pem_of(throwaway_rsa_key()).decode(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def interrupted(_server: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sandbox.SandboxServer, "serve_forever", interrupted)
    assert main(["sandbox", "--port", "0"]) == 0
    said = capsys.readouterr().out
    assert "http://127.0.0.1:" in said
    assert "Stopped." in said
    assert secret not in said


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port_is_wrong_usage(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sandbox", "--port", port])
    assert caught.value.code == 2
    assert "expected a port from 0 to 65535" in capsys.readouterr().err


def test_variables_may_have_a_prefix_and_a_busy_port_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], judge: Sandbox
) -> None:
    key = pem_of(throwaway_rsa_key()).decode()
    variables = {**ENVIRON, "INTERCOM_MESSENGER_SECRET": throwaway_secret(), "SALESFORCE_PRIVATE_KEY": key}
    for name, value in variables.items():
        monkeypatch.setenv(f"ACME_{name}", value)
    assert sandbox_from_env(prefix="ACME_").issuer == ENVIRON["SALESFORCE_ISSUER"]
    with sandbox.SandboxServer(judge, 0) as server:
        port = server.server_port
        assert main(["sandbox", "--prefix", "ACME_", "--port", str(port)]) == 1
    assert f"Cannot listen on port {port}: Address already in use. Choose another" in capsys.readouterr().err


def test_a_sandbox_in_the_background_keeps_no_interpreter_from_ending() -> None:
    before = set(threading.enumerate())
    sandbox.start_throwaway()

    assert [each.daemon for each in set(threading.enumerate()) - before] == [True]
