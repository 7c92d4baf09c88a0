"""What is said of an org and of a published JWKS, over real HTTP, with a double on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.diagnosis import (
    Finding,
    Level,
    Org,
    _http,
    check_org,
    check_published_jwks,
)
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, make_jwks, self_signed_certificate
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_setups import OTHER_JWK
from tests.broken_tokens import AUDIENCE, ISSUER, KEY, OTHER_KEY, signed
from tests.org_double import DEPLOYMENT, JWKS_PATH, ORG_ID, OrgDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KID = "key-1"
SIGNER = RSASigner(StringKeySource(pem_of(KEY)), kid=KID)
CERTIFICATE = self_signed_certificate(SIGNER, SIGNER.public_key)
JWK = make_jwk(SIGNER.public_key, CERTIFICATE, kid=KID)
CACHED = {"Cache-Control": "public, max-age=300"}
SUBJECT = "user-42-of-the-shop"


def identity_token(*, key: RSAPrivateKey = KEY, kid: str = KID, **changed: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": now + 600, "iat": now, **changed}
    return signed({"alg": "RS256", "kid": kid}, claims, key)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def org() -> Iterator[OrgDouble]:
    with OrgDouble(jwks=make_jwks([JWK]), issuer=ISSUER, headers=dict(CACHED)) as double:
        yield double


def ask(org: OrgDouble, token: str | None = None, *, now: float | None = None) -> list[Finding]:
    return check_org(Org(org.url, ORG_ID, DEPLOYMENT), token or identity_token(), now=now)


def codes(findings: list[Finding]) -> set[str]:
    return {each.code for each in findings}


def test_a_healthy_org_takes_a_healthy_token(org: OrgDouble) -> None:
    assert ask(org) == []
    assert [method for method, _ in org.requests] == ["GET", "POST"]


def test_the_answer_to_a_token_may_say_the_mode_itself(org: OrgDouble) -> None:
    org.token_mode = "Auth"
    assert ask(org) == []
    org.token_mode = "UnAuth"
    assert [each.code for each in ask(org)] == ["online-channel-mode"]


@pytest.mark.parametrize("refusal", ["401", "guest", "anon"])
@pytest.mark.parametrize(
    "token",
    [
        pytest.param({"kid": "another"}, id="kid"),
        pytest.param({"iss": ISSUER + "/"}, id="issuer"),
        pytest.param({"key": OTHER_KEY}, id="key"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_a_refused_token_is_told_from_a_silent_guest(org: OrgDouble, refusal: str, token: dict[str, Any]) -> None:
    org.refusal = refusal
    [found] = ask(org, identity_token(**token))
    assert found.code == "online-guest"
    assert ("refused the token with status 401" if refusal == "401" else "accepted the token") in found.message


def test_a_key_that_was_uploaded_without_its_certificate_makes_guests(org: OrgDouble) -> None:
    org.refusal = "guest"
    org.jwks = {"keys": [{name: value for name, value in JWK.items() if name != "x5c"}]}
    assert codes(ask(org)) == {"online-guest"}


def test_a_channel_that_verifies_nobody_is_found_by_both_probes(org: OrgDouble) -> None:
    org.auth_mode = "UnAuth"
    assert [(each.code, each.message.partition("(")[2]) for each in ask(org)] == [
        ("online-channel-mode", 'authMode is "UnAuth", expected Auth): every visitor is a guest.'),
        ("online-channel-mode", "it answers that User Verification is not enabled): every visitor is a guest."),
    ]


def test_a_channel_without_a_configuration_is_found(org: OrgDouble) -> None:
    org.scheme_active = False
    assert codes(ask(org)) == {"online-no-scheme"}


def test_an_unknown_deployment_is_found(org: OrgDouble) -> None:
    findings = check_org(Org(org.url + "/", ORG_ID, "Another"), identity_token())
    assert codes(findings) == {"online-deployment"}
    assert org.tokens == []


def test_without_a_token_only_the_channel_is_asked(org: OrgDouble) -> None:
    [found] = check_org(Org(org.url, ORG_ID, DEPLOYMENT), None)
    assert (found.code, found.level) == ("unchecked", Level.UNCHECKED)
    assert org.tokens == []


def test_a_clock_that_is_off_is_found_by_the_date_of_the_answer(org: OrgDouble) -> None:
    assert codes(ask(org, now=time.time() - 1000)) == {"clock-wrong"}


SUBJECTS = {"context": {"endUser": {"subject": "v2/iamessage/AUTH/Fin/uid:somebody else"}}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((500, {}), {"online-answer"}, id="500"),
        pytest.param((200, b"<html>"), {"online-answer"}, id="HTML"),
        pytest.param((200, b"[]"), {"online-answer"}, id="list"),
        pytest.param((200, b"[" * 9999), {"online-answer"}, id="deep"),
        pytest.param((200, {"embeddedServiceConfig": []}), {"online-channel-mode", "online-answer"}, id="no subject"),
        pytest.param(
            (200, {"context": {"endUser": {"subject": "v2"}}}), {"online-channel-mode", "online-guest"}, id="no AUTH"
        ),
        pytest.param((200, SUBJECTS), {"online-channel-mode"}, id="another"),
        pytest.param((403, {}), {"online-answer", "online-guest"}, id="403"),
        pytest.param((400, {"message": "User Verification is not enabled"}), {"online-deployment"}, id="400"),
    ],
)
def test_every_other_answer_has_a_finding(org: OrgDouble, answer: tuple[int, Any], expected: set[str]) -> None:
    org.always = answer
    assert codes(ask(org)) == expected


@pytest.mark.parametrize("location", ["{elsewhere}", r"{elsewhere}\@{own}/"])  # parsers differ on the second
def test_a_token_does_not_follow_a_redirect(org: OrgDouble, location: str) -> None:
    with OrgDouble(jwks={"keys": []}, issuer="") as elsewhere:
        own = org.url.partition("://")[2]
        org.always, org.headers = (302, {}), {"Location": location.format(elsewhere=elsewhere.url, own=own)}
        assert codes(ask(org)) == {"online-answer"}
        assert elsewhere.requests == []


@pytest.mark.parametrize("url", ["http://acme.my.salesforce-scrt.com", "ftp://x", "acme", "https://[", "https:///x"])
def test_a_token_is_sent_over_https_only(url: str) -> None:
    assert codes(check_org(Org(url, ORG_ID, DEPLOYMENT), identity_token())) == {"online-address"}


def test_an_address_with_a_path_is_no_origin() -> None:
    org = Org("https://acme.my.salesforce-scrt.com/iamessage", ORG_ID, DEPLOYMENT)
    assert codes(check_org(org, identity_token())) == {"online-address"}


class TestWithoutAnAnswer:
    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield listener

    def reason(self, address: str) -> str:
        [finding] = check_published_jwks(address)
        assert finding.code == "online-unreachable"
        return finding.message

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        [finding] = check_org(Org(f"http://127.0.0.1:{port}", ORG_ID, DEPLOYMENT), identity_token())
        assert "nothing listens there" in finding.message

    def test_no_answer_in_time(self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_http, "TIMEOUT_SECONDS", 0.05)
        assert "no answer within" in self.reason(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def test_something_that_speaks_no_http(self, listener: socket.socket) -> None:
        def speak() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        threading.Thread(target=speak, daemon=True).start()
        assert "ProtocolError" in self.reason(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def test_a_certificate_that_nobody_vouches_for(self, listener: socket.socket, tmp_path: Path) -> None:
        (tmp_path / "both.pem").write_bytes(pem_of(KEY) + certificate_pem(CERTIFICATE))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "both.pem")

        def speak() -> None:
            with listener.accept()[0] as connection, pytest.raises(OSError, match=r"."):
                context.wrap_socket(connection, server_side=True)

        threading.Thread(target=speak, daemon=True).start()
        assert "TLS certificate" in self.reason(f"https://127.0.0.1:{listener.getsockname()[1]}")


class TestPublishedJWKS:
    def ask(self, org: OrgDouble, *, kid: str | None = None) -> set[str]:
        return codes(check_published_jwks(org.url + JWKS_PATH, kid=kid))

    def test_a_healthy_one(self, org: OrgDouble) -> None:
        assert self.ask(org, kid=KID) == set()

    def test_the_signing_key_is_missing(self, org: OrgDouble) -> None:
        org.jwks = make_jwks([OTHER_JWK])
        assert self.ask(org, kid=KID) == {"online-jwks-key-missing"}

    def test_a_bare_list(self, org: OrgDouble) -> None:
        org.jwks = {"keys": ["key-1"]}
        assert self.ask(org, kid=KID) == {"jwks-empty", "online-jwks-key-missing"}

    def test_keys_that_are_no_list(self, org: OrgDouble) -> None:
        org.jwks = {"keys": None}
        assert self.ask(org, kid=KID) == {"jwks-empty", "online-jwks-key-missing"}

    def test_not_there(self, org: OrgDouble) -> None:
        assert codes(check_published_jwks(org.url)) == {"online-answer"}

    def test_no_json(self, org: OrgDouble) -> None:
        org.always = (200, b"<html>")
        assert self.ask(org) == {"online-answer"}

    def test_not_over_https(self) -> None:
        assert codes(check_published_jwks("http://acme.example/jwks.json")) == {"online-address"}
