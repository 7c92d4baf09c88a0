"""What an adversarial review found, and the classes of attack on JWT libraries, each as a named test."""

from __future__ import annotations

import hmac
import json
import re
import socket
import threading
import time
import tomllib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth import FileKeySource, MessengerUser, StringKeySource, identify
from fin_messenger_auth._json_values import MAX_DEPTH, MAX_JSON_LENGTH, read_json
from fin_messenger_auth._jws import base64url
from fin_messenger_auth._keys import MaskedBytes, checked_rsa_key
from fin_messenger_auth._signers import HMACSigner
from fin_messenger_auth.diagnosis import (
    VerifyingKey,
    _http,
    check_intercom_token,
    check_jwks,
    check_salesforce_token,
    has_errors,
)
from fin_messenger_auth.diagnosis._http import NoAnswerError, send
from fin_messenger_auth.diagnosis._page_reader import read_page
from fin_messenger_auth.errors import InvalidClaimError, InvalidKeyError, KeyUnavailableError
from fin_messenger_auth.onboarding._jwk import read_jwk
from fin_messenger_auth.page import is_same_origin
from fin_messenger_auth.sandbox import Sandbox, SandboxServer
from fin_messenger_auth.testing import throwaway_builder, throwaway_rsa_key, throwaway_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = throwaway_secret().encode()
PUBLIC_KEY = throwaway_rsa_key().public_key()
SETTINGS = throwaway_builder().build_settings("42")
TOKEN: str = SETTINGS["intercom_user_jwt"]
IDENTITY: str = SETTINGS["salesforce_identity_token"]


def token_with(header: dict[str, Any], claims: bytes | None = None, signature: bytes = b"x") -> str:
    payload = TOKEN.split(".")[1].encode() if claims is None else base64url(claims)
    return b".".join([base64url(json.dumps(header).encode()), payload, base64url(signature)]).decode()


def public_key_pem() -> bytes:
    return PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def confused() -> str:
    message = token_with({"alg": "HS256", "kid": "k"}).rpartition(".")[0]
    return f"{message}.{base64url(hmac.digest(public_key_pem(), message.encode(), 'sha256')).decode()}"


def seconds(call: Callable[[], object]) -> float:
    best = 9.0
    for _ in range(3):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


LINEAR: dict[str, tuple[str, Callable[[str], object]]] = {
    "a user_id of dots": ("a@" + "." * 20_000, lambda text: MessengerUser(text + "@")),
    "a page of token beginnings": ("eyJ" * 10_000, lambda text: read_page(f"<script>app_id={{a:'{text}'}}</script>")),
    "a page of braces": ("={" * 5_000, lambda text: read_page(f"<script>app_id{text}</script>")),
    "a page of tags without an end": ("<a " * 5_000, read_page),
    "a token of dots": ("." * 20_000, lambda text: check_intercom_token("eyJ" + text)),
}


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
@pytest.mark.parametrize("name", LINEAR)
def test_twice_the_input_takes_about_twice_the_time(name: str) -> None:
    text, read = LINEAR[name]

    assert seconds(lambda: read(text * 4)) < 10 * seconds(lambda: read(text)) + 0.02  # 16 times if quadratic


class TestTokens:
    """Each class of attack is an error for both platforms' checks."""

    FORGED: dict[str, str] = {  # noqa: RUF012 - never changed
        "alg none": token_with({"alg": "none"}, signature=b""),
        "alg None": token_with({"alg": "None"}),
        "alg none with a signature": token_with({"alg": "none"}),
        "no alg": token_with({}),
        "alg as a list": token_with({"alg": ["HS256"]}),
        "HS256 with the public key": confused(),
        "an embedded jwk": token_with({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}),
        "a jku": token_with({"alg": "RS256", "kid": "k", "jku": "http://127.0.0.1:9/"}),
        "an x5u": token_with({"alg": "RS256", "kid": "k", "x5u": "http://127.0.0.1:9/"}),
        "a kid that is a path": token_with({"alg": "HS256", "kid": "../../dev/null"}, signature=b""),
        "crit": token_with({"alg": "HS256", "crit": ["exp"]}),
        "crit with b64": token_with({"alg": "HS256", "crit": ["b64"], "b64": False}),
        "compressed": token_with({"alg": "HS256", "zip": "DEF"}, zlib.compress(b"{}")),
        "encrypted": "e30.e30.e30.e30.e30",
        "oversized": token_with({"alg": "HS256"}, b'{"user_id":"%s"}' % (b"a" * MAX_JSON_LENGTH)),
        "nested": token_with({"alg": "HS256"}, b'{"a":' + b"[" * 600 + b"]" * 600 + b"}"),
        "a member twice": token_with({"alg": "HS256"}, b'{"user_id":"1","user_id":"2"}'),
        "infinity": token_with({"alg": "HS256"}, b'{"user_id":"1","exp":1e999}'),
        "padded": TOKEN + "=",
        "not canonical": TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
        "signature cut off": TOKEN[:-4],
        "signature emptied": TOKEN.rpartition(".")[0] + ".",
    }

    @pytest.mark.parametrize("name", FORGED)
    def test_no_forgery_is_accepted(self, name: str) -> None:
        token = self.FORGED[name]

        assert has_errors(check_intercom_token(token, secret=SECRET))
        assert has_errors(check_salesforce_token(token, keys=[VerifyingKey(PUBLIC_KEY, "k", "RS256")]))
        assert Sandbox(secret=SECRET).verdict({"user_id": "42", "intercom_user_jwt": token}).user_id is None

    def test_crit_is_refused_even_where_the_signature_is_right(self) -> None:
        message, _, _ = token_with({"alg": "HS256", "crit": ["exp"]}).rpartition(".")
        signer = HMACSigner(_Source())
        token = f"{message}.{base64url(signer.sign(message.encode())).decode()}"

        assert has_errors(check_intercom_token(token, secret=SECRET))

    def test_a_public_key_is_no_secret(self) -> None:
        with pytest.raises(InvalidKeyError):
            HMACSigner(StringKeySource(public_key_pem()))


class _Source:
    def read(self) -> bytes:
        return SECRET


class TestJson:
    @pytest.mark.parametrize(
        "document",
        [
            '{"a":1,"a":2}',
            "NaN",
            "[Infinity]",
            "-1e999",
            "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
            "[" * 10**5,
            "",
            "{",
            '"\\',
            " " * (MAX_JSON_LENGTH + 1),
        ],
        ids=["twice", "nan", "infinity", "overflow", "deep", "very deep", "empty", "open", "escape", "long"],
    )
    def test_what_readers_may_differ_about_is_refused(self, document: str) -> None:
        with pytest.raises(ValueError, match="not valid JSON") as caught:
            read_json(document)
        assert caught.value.__context__ is None

    def test_bytes_that_are_not_utf8_are_refused(self) -> None:
        with pytest.raises(ValueError, match="not valid JSON"):
            read_json(b'"\xff"')

    def test_a_large_key_set_makes_few_findings(self) -> None:
        document = json.dumps({"keys": [{}] * 30_000})

        assert [each.code for each in check_jwks(document)] == ["jwks-empty"]
        assert len(check_jwks(json.dumps({"keys": [{}] * 100}))) < 1_000

    def test_a_key_document_holds_each_member_once(self) -> None:
        with pytest.raises(InvalidKeyError, match="not valid JSON"):
            read_jwk('{"kty":"RSA","kty":"oct"}')


class TestKeys:
    @pytest.mark.parametrize(
        ("n", "e"), [(2**2047 + 2, 65537), (PUBLIC_KEY.public_numbers().n, 3)], ids=["even modulus", "exponent 3"]
    )
    def test_weak_numbers_are_refused(self, n: int, e: int) -> None:
        with pytest.raises((InvalidKeyError, ValueError)):
            checked_rsa_key(RSAPublicNumbers(e, n).public_key(), "The key")

    @pytest.mark.parametrize("part", [slice(None), slice(5), slice(2, 9), slice(None, None, 2)], ids=str)
    def test_a_slice_of_a_masked_value_is_masked(self, part: slice) -> None:
        assert repr(MaskedBytes(SECRET)[part]) == "<masked>"
        assert MaskedBytes(SECRET)[part] == SECRET[part]

    @pytest.mark.parametrize("value", ["/c2VjcmV0c2VjcmV0", "/abc/def0123456789", "secret.withadot", "plain"])
    def test_a_secret_in_place_of_a_path_is_not_printed(self, value: str) -> None:
        source = FileKeySource(value)
        with pytest.raises(KeyUnavailableError) as caught:
            source.read()

        assert value not in f"{caught.value} {source!r} {caught.value.__cause__!r}"

    def test_the_sandbox_masks_its_secret(self) -> None:
        assert repr(Sandbox(secret=SECRET).secret) == "<masked>"


class TestUsers:
    @pytest.mark.parametrize(
        "value",
        [
            "none",
            "NULL",
            "NaN",
            "None ",
            "\u200b",
            "\x00",
            "\u2800\u3164",
            "undefined",
            "'None'",
            '"null"',
            "''",
            "\tnil ",
        ],
    )
    def test_a_lost_id_is_refused(self, value: str) -> None:
        with pytest.raises(InvalidClaimError):
            MessengerUser(value)

    def test_the_class_in_place_of_a_user_is_refused(self) -> None:
        class User:
            id = 7

        with pytest.raises(InvalidClaimError):
            identify(User)

    def test_is_anonymous_without_is_authenticated_is_refused(self) -> None:
        class Visitor:
            id = 7
            is_anonymous = True

        with pytest.raises(InvalidClaimError, match="is_anonymous"):
            identify(Visitor())


@pytest.mark.parametrize(
    ("origin", "host"), [("https://[", "a.example"), ("null", ""), ("", ""), ("https://", ""), ("null", "null")]
)
def test_an_origin_that_is_not_the_sites(origin: str, host: str) -> None:
    assert not is_same_origin({"Origin": origin}, host)


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(Sandbox(secret=SECRET), 0) as made:
        threading.Thread(target=made.serve_forever, args=[0.01], daemon=True).start()
        yield made
        made.shutdown()


class TestNetwork:
    def test_other_sites_cannot_read_the_status_page(self, server: SandboxServer) -> None:
        assert "access-control-allow-origin" not in send(server.url, {}).headers
        for path in ("", "widget/a"):
            assert (
                "access-control-allow-origin"
                not in send(f"{server.url}{path}", {"Origin": "https://a.example"}).headers
            )

    def test_a_silent_connection_ends(self, server: SandboxServer) -> None:
        assert 0 < getattr(server.RequestHandlerClass, "timeout", 0) <= 30

    def test_one_deadline_for_all_of_an_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_http, "TIMEOUT_SECONDS", 0.5)

        def drip(listening: socket.socket) -> None:
            connection, _ = listening.accept()
            with connection:
                for _ in range(50):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.1)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=drip, args=[listening], daemon=True).start()
            start = time.monotonic()
            with pytest.raises(NoAnswerError):
                send(f"http://127.0.0.1:{listening.getsockname()[1]}/", {})

        assert time.monotonic() - start < 3

    def test_what_was_for_loopback_passes_no_proxy(
        self, server: SandboxServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

        assert send(server.url, {}).status == 200


# The lowest version without a published advisory on what is called here. docs/security/releases-and-reporting.md
# says how this is watched.
ADVISORIES = {
    # CVE-2026-26007, -34073 and -39892 (46.0.5 to 46.0.7), GHSA-537c-gmf6-5ccf: OpenSSL in the wheels (48.0.1).
    # Left out: CVE-2026-69247 (50.0.0), on decrypting PKCS#7, which is not called.
    "cryptography": (48, 0, 1),
    # CVE-2026-48990, CVE-2026-49852, GHSA-gg9x-qcx2-xmrh (1.6.8); GHSA-5jhw-7jv7-qcqq: padded tokens (1.7.2).
    # 1.7.7 refuses public keys of every form as secrets.
    "joserfc": (1, 7, 7),
    # None of its own, but older versions require a urllib3 below 2.1, of which each has advisories.
    "boto3": (1, 36),
    "azure-identity": (1, 16, 1),  # CVE-2023-36415 (1.15.0), CVE-2024-35255 (1.16.1)
    "azure-keyvault-keys": (4, 9),  # none is published
    "google-cloud-kms": (3, 0),  # none is published
    "hvac": (2, 3),  # none is published
    "python-pkcs11": (0, 10),  # none is published
    "quickjs-ng": (0, 17),  # none is published for the binding
    "rich": (13, 9),  # none is published
    "selectolax": (1, 0),  # none is published
    "urllib3": (2, 7),  # CVE-2026-44431 and -44432, on redirects and on limits of decompression
}


def test_no_admitted_version_has_a_published_advisory() -> None:
    document = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [each for group in document["optional-dependencies"].values() for each in group]
    lowest = dict(line.split(">=") for line in [*document["dependencies"], *extras])

    assert lowest.keys() == ADVISORIES.keys()
    for name, version in lowest.items():
        assert tuple(map(int, version.split("."))) >= ADVISORIES[name], name


def test_what_an_advisory_left_out_is_about_is_not_called() -> None:
    sources = (Path(__file__).parents[1] / "src").rglob("*.py")

    called = re.compile(r"serialization(\.| import .*)pkcs7|\bpkcs7\.")
    assert [path.name for path in sources if called.search(path.read_text("utf-8"))] == []
