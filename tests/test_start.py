"""What stops a start, and what does not: the uploaded JWK, and remote keys that cannot be used yet."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fin_messenger_auth import (
    Reloading,
    RSASigner,
    StringKeySource,
    TokenPairBuilder,
    _late_signer,
    build_settings,
    default_builder,
    with_deadline,
)
from fin_messenger_auth._builder import builder_of, checked_source
from fin_messenger_auth._environment import messenger_enabled
from fin_messenger_auth._late_signer import LateSigner
from fin_messenger_auth._signers import WantedKey, public_key_of
from fin_messenger_auth.diagnosis import check_environment
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthWarning,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
)
from fin_messenger_auth.onboarding import make_jwk, self_signed_certificate
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ, throwaway_rsa_key, verify
from fin_messenger_auth.testing._throwaway import pem_of
from tests.signing_service import install

ENVIRON = throwaway_environ()
KEY = throwaway_rsa_key()
WITHOUT_A_KID = {name: value for name, value in ENVIRON.items() if name != "SALESFORCE_KEY_ID"}
BY_NAME = {name: value for name, value in WITHOUT_A_KID.items() if name != "SALESFORCE_PRIVATE_KEY"}


@cache
def another_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def jwk(kid: str = "K1", alg: Any = "RS256", *, other: bool = False, days: int = 730) -> dict[str, Any]:
    key = another_key() if other else KEY
    signer = RSASigner(StringKeySource(pem_of(key)), kid=kid, alg=alg)
    return make_jwk(key.public_key(), self_signed_certificate(signer, key.public_key(), days=days), kid=kid, alg=alg)


@pytest.fixture
def uploaded(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Write the document of ``SALESFORCE_JWK_FILE``, and return the variable."""

    def write(document: object, prefix: str = "") -> dict[str, str]:
        file = tmp_path / "uploaded.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return {f"{prefix}SALESFORCE_JWK_FILE": str(file)}

    return write


Uploaded = Callable[..., dict[str, str]]


def header_of(builder: TokenPairBuilder) -> dict[str, Any]:
    salesforce = verify(asyncio.run(builder.abuild_settings("42")), public_key=KEY.public_key()).salesforce
    assert salesforce
    return dict(salesforce.header)


# The uploaded JWK is the configuration


FITTING: dict[str, tuple[Any, dict[str, str], tuple[str, str]]] = {
    "a JWK": (jwk("K1"), {}, ("K1", "RS256")),
    "of RS512": (jwk("K1", "RS512"), {}, ("K1", "RS512")),
    "with the same values beside it": (
        jwk("K1"),
        {"SALESFORCE_KEY_ID": "K1", "SALESFORCE_ALGORITHM": "RS256"},
        ("K1", "RS256"),
    ),
    "without a certificate, as it is served": ({**jwk("K1"), "x5c": None}, {}, ("K1", "RS256")),
    "with the dummies of Salesforce's tool": ({**jwk("K1"), "d": "d", "k": "k"}, {}, ("K1", "RS256")),
    "a JWKS, the second key": ({"keys": [jwk("old", other=True), jwk("K2", "RS512")]}, {}, ("K2", "RS512")),
    "a JWKS with the key twice": ({"keys": [jwk("K1"), jwk("K2")]}, {"SALESFORCE_KEY_ID": "K2"}, ("K2", "RS256")),
    "no JWK, RS512": (None, {"SALESFORCE_KEY_ID": "k", "SALESFORCE_ALGORITHM": "RS512"}, ("k", "RS512")),
}


@pytest.mark.parametrize("name", FITTING)
def test_kid_and_alg_are_those_of_the_uploaded_jwk(name: str, uploaded: Uploaded) -> None:
    document, changed, (kid, alg) = FITTING[name]
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if value is not None}
    environ = WITHOUT_A_KID | changed | (uploaded(document) if document else {})

    header = header_of(TokenPairBuilder.from_env(environ))

    assert (header["kid"], header["alg"]) == (kid, alg)
    assert check_environment(environ) == []


MISMATCHES: dict[str, tuple[Any, dict[str, str], str, str]] = {
    "another key": (jwk(other=True), {}, "key-differs", r"is of another key than the one that signs \(kid 'K1'\)"),
    "another kid": (
        jwk(),
        {"SALESFORCE_KEY_ID": "K9"},
        "kid-differs",
        "is 'K9', and the kid in .* 'K1'",
    ),
    "a key as the kid": (jwk(), {"SALESFORCE_KEY_ID": pem_of(KEY).decode()}, "value-credential", "is a key or a"),
    "another alg": (
        jwk(),
        {"SALESFORCE_ALGORITHM": "RS512"},
        "algorithm-differs",
        "is RS512, and alg in",
    ),
    "no alg of Salesforce": (
        jwk(),
        {"SALESFORCE_ALGORITHM": "PS256"},
        "salesforce-algorithm",
        "expected RS256 or RS512",
    ),
    "a JWKS without the key": ({"keys": [jwk(other=True)]}, {}, "key-differs", "another key than the one that signs"),
    "a JWKS with the key twice": (
        {"keys": [jwk("K1"), jwk("K2")]},
        {},
        "key-differs",
        "contains the signing key twice",
    ),
    "a JWK without a kid": ({**jwk(), "kid": ""}, {}, "jwk-member", "JWK_FILE: kid of the JWK is"),
    "a JWK without an alg": (
        {**jwk(), "alg": None},
        {},
        "jwk-member",
        "JWK_FILE: alg of the JWK is",
    ),
    "a certificate of another key": (
        {**jwk(), "x5c": jwk(other=True)["x5c"]},
        {},
        "jwk-certificate-differs",
        "is for another key than n and e",
    ),
    "a private JWK": ({**jwk(), "d": "AQAB"}, {}, "jwk-private", "contains a private key"),
    "no JWK": ("[]", {}, "jwk-document", "Expected a JWK, or a JWKS"),
    "no JSON": ("-----BEGIN CERTIFICATE-----", {}, "jwk-document", "SALESFORCE_JWK_FILE: This is a certificate"),
    "no file": (
        None,
        {"SALESFORCE_JWK_FILE": "/nowhere/jwk.json"},
        "key-unavailable",
        "JWK_FILE: The key file",
    ),
}


@pytest.mark.parametrize("prefix", ["", "MY_"])
@pytest.mark.parametrize("name", MISMATCHES)
def test_what_differs_from_the_upload_stops_the_start(name: str, prefix: str, uploaded: Uploaded) -> None:
    document, changed, code, said = MISMATCHES[name]
    environ = {f"{prefix}{key}": value for key, value in (WITHOUT_A_KID | changed).items()}
    environ |= uploaded(document, prefix) if document is not None else {}

    with pytest.raises((ConfigurationError, KeyUnavailableError), match=said) as caught:
        TokenPairBuilder.from_env(environ, prefix=prefix, on_signing_error="anonymous")

    assert caught.value.code == code == check_environment(environ, prefix=prefix)[0].code
    assert str(caught.value.variable).startswith(f"{prefix}SALESFORCE_")
    assert "PRIVATE KEY-----" not in str(caught.value)


@pytest.mark.parametrize(("days", "near"), [(31, False), (29, True)])
def test_the_last_day_of_the_certificate_is_a_warning_when_it_is_near(
    days: int, near: bool, uploaded: Uploaded, recwarn: pytest.WarningsRecorder
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        environ = WITHOUT_A_KID | uploaded(jwk(days=days))

    TokenPairBuilder.from_env(environ)

    day = (datetime.now(UTC) + timedelta(days=days)).date()
    assert [(each.category, str(day) in str(each.message)) for each in recwarn] == (
        [(FinMessengerAuthWarning, True)] if near else []
    )


# Signers by name, and in code


class Hidden:
    """A signer that does not say its public key."""

    def __init__(self, key: rsa.RSAPrivateKey, kid: str = "K1", alg: Any = "RS256") -> None:
        self._signer = RSASigner(StringKeySource(pem_of(key)), kid=kid, alg=alg)
        self.kid, self.alg = kid, alg

    def sign(self, signing_input: bytes, /) -> bytes:
        return self._signer.sign(signing_input)


class HiddenAsync(Hidden):
    sign = None  # type: ignore[assignment]

    async def asign(self, signing_input: bytes, /) -> bytes:
        return self._signer.sign(signing_input)


STATE: dict[str, Any] = {}


def factory(_environ: Mapping[str, str], _prefix: str, *, kid: str, alg: str, public_key: object) -> Any:
    STATE.setdefault("calls", []).append((kid, alg, public_key))
    if (trouble := STATE.get("trouble")) is not None:
        raise trouble
    return STATE["make"](kid, alg)


@pytest.fixture
def by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A signer by name, whose factory makes what this says, or fails with its ``trouble``."""
    monkeypatch.setitem(sys.modules, "factory_of_the_start", sys.modules[__name__])
    install(tmp_path / "site", "signers-of-the-start", {"ours": "factory_of_the_start:factory"})
    monkeypatch.syspath_prepend(tmp_path / "site")
    STATE.clear()
    STATE["make"] = lambda kid, alg: with_deadline(RSASigner(StringKeySource(pem_of(KEY)), kid=kid, alg=alg))
    yield STATE
    STATE.clear()


NAMED = BY_NAME | {"SALESFORCE_SIGNER": "ours"}


def test_a_factory_is_given_what_the_jwk_says(by_name: dict[str, Any], uploaded: Uploaded) -> None:
    builder = TokenPairBuilder.from_env(NAMED | uploaded(jwk("K1", "RS512")))

    assert header_of(builder)["kid"] == "K1"
    assert by_name["calls"] == [("K1", "RS512", KEY.public_key())]


@pytest.mark.parametrize("hidden", [False, True])
def test_of_a_jwks_the_key_that_signs_is_found_at_a_remote_signer_too(
    hidden: bool, by_name: dict[str, Any], uploaded: Uploaded
) -> None:
    if hidden:
        by_name["make"] = lambda kid, alg: Hidden(KEY, kid, alg)

    builder = TokenPairBuilder.from_env(NAMED | uploaded({"keys": [jwk("old", other=True), jwk("K2", "RS512")]}))

    assert (header_of(builder)["kid"], header_of(builder)["alg"]) == ("K2", "RS512")
    assert by_name["calls"] == [("old", "RS256", None), ("K2", "RS512", KEY.public_key())]


POLICIES: list[tuple[rsa.RSAPrivateKey, Any]] = [(KEY, "raise"), (another_key(), "intercom-only")]


@pytest.mark.parametrize("kind", [Hidden, HiddenAsync])
def test_a_signer_that_signs_with_another_key_is_found_by_its_first_signature(kind: Any, uploaded: Uploaded) -> None:
    environ = BY_NAME | uploaded(jwk())
    right, wrong = (
        TokenPairBuilder.from_env(environ, salesforce_signer=kind(key), on_signing_error=policy)
        for key, policy in POLICIES
    )

    assert header_of(right)["kid"] == header_of(right)["kid"] == "K1"
    assert repr(right).count("FirstChecked") == 1
    for _ in range(2):
        assert "salesforce_identity_token" not in asyncio.run(wrong.abuild_settings("42"))
    assert "signs with another key than the one in the uploaded JWK" in str(wrong.trouble())


def test_a_signer_in_code_must_be_of_the_jwk(uploaded: Uploaded) -> None:
    with pytest.raises(InvalidKeyError, match="Expected a JWK"):
        TokenPairBuilder.from_env(BY_NAME | uploaded("[]"), salesforce_signer=Hidden(KEY))
    environ = BY_NAME | uploaded(jwk())
    for signer, code in (
        (Hidden(KEY, "K9"), "kid-differs"),
        (Hidden(KEY, "K1", "RS512"), "algorithm-differs"),
        (RSASigner(StringKeySource(pem_of(another_key())), kid="K1"), "key-differs"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            TokenPairBuilder.from_env(environ, salesforce_signer=signer)
        assert caught.value.code == code


def test_an_async_signer_of_several_keys_needs_the_kid(uploaded: Uploaded) -> None:
    environ = BY_NAME | uploaded({"keys": [jwk("K1"), jwk("K2", other=True)]})

    with pytest.raises(ConfigurationError, match="neither public_key nor sign"):
        TokenPairBuilder.from_env(environ, salesforce_signer=HiddenAsync(KEY))
    chosen = TokenPairBuilder.from_env(environ | {"SALESFORCE_KEY_ID": "K1"}, salesforce_signer=HiddenAsync(KEY))
    assert header_of(chosen)["kid"] == "K1"


def test_an_async_signer_that_is_checked_first_says_so_where_it_cannot_be_awaited(uploaded: Uploaded) -> None:
    builder = TokenPairBuilder.from_env(
        BY_NAME | uploaded(jwk("K1")), salesforce_signer=HiddenAsync(KEY), on_signing_error="anonymous"
    )

    with pytest.raises(ConfigurationError, match="HiddenAsync signs asynchronously only; await abuild"):
        builder.build("user-42")
    assert asyncio.run(builder.abuild("user-42")) is not None


def test_a_key_that_cannot_sign_once_is_no_key_of_a_jwks(by_name: dict[str, Any], uploaded: Uploaded) -> None:
    class Down(Hidden):
        def sign(self, _signing_input: bytes, /) -> bytes:
            raise OSError("hunter2")

    by_name["make"] = lambda kid, alg: Down(KEY, kid, alg)
    with pytest.raises(KeyUnavailableError, match="Down raised OSError at its first signature") as caught:
        TokenPairBuilder.from_env(NAMED | uploaded({"keys": [jwk("K1"), jwk("K2", other=True)]}))
    assert "hunter2" not in repr(caught.value.__cause__)


# Remote trouble does not stop a start


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_late_signer, "PAUSE", 0.05)


DOWN = KeyUnavailableError("the KMS does not answer.")
LATE = NAMED | {"SALESFORCE_KEY_ID": "K1", "MESSENGER_ON_SIGNING_ERROR": "intercom-only"}


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 30 seconds"
        time.sleep(0.01)


@pytest.mark.usefixtures("pause")
@pytest.mark.parametrize("trouble", [DOWN, OSError("hunter2")], ids=["ours", "foreign"])
def test_a_remote_key_that_cannot_be_used_starts_late(
    trouble: Exception, by_name: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    by_name["trouble"] = trouble
    builder = TokenPairBuilder.from_env(LATE)
    for _ in range(3):
        assert "intercom_user_jwt" in builder.build_settings("42")
        assert "salesforce_identity_token" not in asyncio.run(builder.abuild_settings("42"))
        time.sleep(0.06)
    assert "The key cannot be used yet" in str(builder.trouble())
    [critical] = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert "MESSENGER_START=strict" in critical.getMessage()
    assert "hunter2" not in caplog.text

    by_name["trouble"] = None
    until(lambda: "salesforce_identity_token" in builder.build_settings("42"))

    assert header_of(builder)["kid"] == "K1"
    assert "The key with kid 'K1' can be used now" in caplog.text
    assert builder.salesforce
    assert public_key_of(builder.salesforce.signer) == KEY.public_key()


def test_there_is_at_most_one_attempt_a_pause(by_name: dict[str, Any]) -> None:
    by_name["trouble"] = DOWN
    builder = TokenPairBuilder.from_env(LATE)

    for _ in range(50):
        builder.build_settings("42")
        builder.trouble()

    assert len(by_name["calls"]) == 1


STOPPED: dict[str, tuple[dict[str, str], Any, Exception]] = {
    "raise": ({"MESSENGER_ON_SIGNING_ERROR": "raise"}, None, DOWN),
    "raise, by default": ({"MESSENGER_ON_SIGNING_ERROR": ""}, None, DOWN),
    "raise, in code": ({}, "raise", DOWN),
    "strict": ({"MESSENGER_START": "strict"}, None, DOWN),
    "a variable of the factory": ({}, None, KeyUnavailableError("no PIN", variable="SALESFORCE_PKCS11_PIN_FILE")),
    "a mistake": ({}, None, ConfigurationError("boto3 is not installed.")),
}


@pytest.mark.parametrize("name", STOPPED)
def test_what_stops_the_start_all_the_same(name: str, by_name: dict[str, Any]) -> None:
    changed, policy, by_name["trouble"] = STOPPED[name]

    with pytest.raises((ConfigurationError, KeyUnavailableError)):
        TokenPairBuilder.from_env(LATE | changed, on_signing_error=policy)


def test_the_doctor_lists_what_a_late_start_hides(by_name: dict[str, Any]) -> None:
    by_name["trouble"] = DOWN

    assert [each.code for each in check_environment(LATE)] == ["key-unavailable"]


@pytest.mark.usefixtures("pause")
def test_what_is_wrong_when_it_can_be_used_is_told(
    by_name: dict[str, Any], uploaded: Uploaded, caplog: pytest.LogCaptureFixture
) -> None:
    by_name["trouble"] = DOWN
    environ = {name: value for name, value in LATE.items() if name != "SALESFORCE_KEY_ID"} | uploaded(jwk(other=True))
    builder = TokenPairBuilder.from_env(environ)

    by_name["trouble"] = None
    until(lambda: builder.build_settings("42") and "of another key" in str(builder.trouble()))

    assert "salesforce_identity_token" not in builder.build_settings("42")
    until(lambda: [each.levelno for each in caplog.records].count(logging.CRITICAL) == 2)  # another thread writes it


def test_a_late_signer_that_signs_asynchronously_only_fails_in_synchronous_code() -> None:
    late = LateSigner(lambda: HiddenAsync(KEY), DOWN, WantedKey("K1", "RS256"))
    assert (late.kid, late.alg) == ("K1", "RS256")
    late._attempt()

    assert repr(late).startswith("LateSigner(<")
    assert asyncio.run(late.asign(b"x"))
    with pytest.raises(SigningError, match="asynchronously only"):
        late.sign(b"x")
    assert late.trouble() is None


def test_the_first_page_of_a_forked_child_waits_for_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = LateSigner(lambda: Hidden(KEY), DOWN, WantedKey("K1", "RS256"))
    with pytest.raises(SigningError, match="cannot be used yet"):
        inherited.sign(b"x")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert inherited.sign(b"x")


def test_a_forked_child_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def make() -> Any:
        attempts.append(1)
        raise DOWN

    inherited = LateSigner(make, DOWN, WantedKey("K1", "RS256"))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for _ in range(3):
        with pytest.raises(SigningError, match="cannot be used yet"):
            inherited.sign(b"x")
    assert len(attempts) == 1


def test_a_system_without_threads_leaves_the_attempt_to_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_late_signer, "PAUSE", 0)
    late = LateSigner(lambda: Hidden(KEY), DOWN, WantedKey("K1", "RS256"))

    def refuse(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(SigningError):
            late.sign(b"x")
    until(lambda: late.trouble() is None)


# The builder of the process, and of a request


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    default_builder.cache_clear()
    yield monkeypatch
    default_builder.cache_clear()


def test_integrations_share_what_the_process_has_made(process: pytest.MonkeyPatch) -> None:
    made = default_builder()

    lenient = default_builder(by_default="anonymous")

    assert default_builder() is made
    assert default_builder(by_default="anonymous") is lenient
    assert (made.on_signing_error, lenient.on_signing_error) == ("raise", "anonymous")
    assert lenient.salesforce is made.salesforce
    assert default_builder(on_signing_error="intercom-only").on_signing_error == "intercom-only"
    process.setenv("MESSENGER_ON_SIGNING_ERROR", "intercom-only")
    default_builder.cache_clear()
    assert default_builder(by_default="anonymous").on_signing_error == "intercom-only"
    assert default_builder(by_default="anonymous") is default_builder()
    with pytest.raises(ConfigurationError, match=r"^MY_INTERCOM_APP_ID"):
        default_builder(prefix="MY_")


@pytest.mark.usefixtures("process")
def test_the_first_of_the_process_may_be_an_integration_s() -> None:
    lenient = default_builder(by_default="anonymous")

    assert default_builder() is lenient


def test_another_builder_can_be_that_of_the_process(process: pytest.MonkeyPatch) -> None:
    process.delenv("INTERCOM_APP_ID")
    first, second = (throwaway_builder() for _ in range(2))
    by_request = {"first": first, "second": second}

    default_builder.use(by_request.__getitem__)
    assert default_builder("second", by_default="anonymous") is second
    default_builder.use(Reloading(lambda: first))
    assert default_builder() is first
    assert verify(build_settings("42"), secret=None).intercom

    with pytest.raises(ConfigurationError, match="builder: expected a TokenPairBuilder, or a function"):
        default_builder.use(42)  # type: ignore[arg-type]


async def coroutine(_request: object) -> TokenPairBuilder:
    return throwaway_builder()


def test_a_builder_is_a_builder_or_a_function_of_the_request() -> None:
    builder = throwaway_builder()
    reloading = Reloading(lambda: builder)

    for source in (builder, reloading, lambda _request: builder, default_builder):
        assert checked_source(source) is source
    assert builder_of(builder, None) is builder_of(reloading, "request") is builder_of(lambda _: builder, 1) is builder
    assert reloading() is reloading("request") is builder
    for wrong in (None, 42, coroutine):
        with pytest.raises(ConfigurationError, match="builder: expected"):
            checked_source(wrong)
    with pytest.raises(ConfigurationError, match="expected the function to return a TokenPairBuilder, got str"):
        builder_of(lambda _request: "builder", None)  # type: ignore[arg-type,return-value]


# Off means off


@pytest.mark.parametrize(
    ("value", "enabled"), [(None, True), ("", True), ("1", True), ("0", False), ("off", False), ("False", False)]
)
def test_a_variable_switches_the_messenger_off(value: str | None, enabled: bool) -> None:
    assert messenger_enabled({} if value is None else {"MY_MESSENGER_ENABLED": value}, prefix="MY_") is enabled


@pytest.mark.parametrize("variable", ["MESSENGER_ENABLED", "MESSENGER_START"])
def test_a_switch_with_another_value_is_refused(variable: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}: expected") as caught:
        TokenPairBuilder.from_env(ENVIRON | {variable: "maybe"})
    assert caught.value.variable == variable
    if variable == "MESSENGER_ENABLED":
        with pytest.raises(ConfigurationError, match=r"^MESSENGER_ENABLED: expected 0 or 1"):
            messenger_enabled({variable: "maybe"})


def test_a_copy_of_a_builder_keeps_its_signers() -> None:
    builder = throwaway_builder()

    assert replace(builder, on_signing_error="anonymous").salesforce is builder.salesforce
