"""What the library offers to its users' own tests, used as they would use it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import fin_messenger_auth
from fin_messenger_auth import Company, IntercomMinter, MessengerUser, TokenPairBuilder, render_snippet
from fin_messenger_auth.testing import (
    FrozenClock,
    decode,
    decode_token,
    settings_in,
    throwaway_builder,
    throwaway_environ,
    throwaway_rsa_key,
    throwaway_secret,
    verify,
)


def install_the_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the project's entry points for pytest, and nothing else of it, in the test's directory."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    lines = [f"{name} = {value}" for name, value in project["project"]["entry-points"]["pytest11"].items()]
    installed = pytester.mkdir("plugin-0.dist-info")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 0\n")
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    monkeypatch.setenv("PYTHONPATH", str(Path(fin_messenger_auth.__file__).parents[1]))


def test_the_fixtures_need_no_import(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_PRIVATE_KEY_FILE", "/the/machine/s/own.pem")
    install_the_plugin(pytester, monkeypatch)
    pytester.makepyfile(
        """
        import os

        from fin_messenger_auth import build_settings, default_builder
        from fin_messenger_auth.testing import verify

        def test_environment(messenger_environment):
            assert messenger_environment.items() <= os.environ.items()
            verify(build_settings("42"))

        def test_environment_is_gone():
            assert os.environ["SALESFORCE_PRIVATE_KEY_FILE"] == "/the/machine/s/own.pem"
            assert not default_builder._made

        def test_claims(messenger_builder, messenger_clock):
            messenger_clock.advance(60)
            settings = messenger_builder.build_settings("42")
            claims = verify(settings, now=messenger_clock.now).intercom.claims
            assert claims == {"user_id": "42", "exp": 1_700_000_060 + 3600}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_the_plugin_loads_nothing_of_the_library(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    install_the_plugin(pytester, monkeypatch)
    pytester.makepyfile(
        """
        import sys

        def test_modules(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("fin_messenger_auth_pytest")
            assert not [name for name in sys.modules if name.startswith(("fin_messenger_auth.", "cryptography"))]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_throwaway_keys_are_made_once() -> None:
    assert throwaway_secret() is throwaway_secret()
    assert throwaway_rsa_key() is throwaway_rsa_key()
    assert throwaway_rsa_key(3072).key_size == 3072


def test_a_frozen_clock_stands_still_until_told() -> None:
    clock = FrozenClock(5)

    assert (clock(), clock()) == (5, 5)
    clock.advance(2.5)
    assert clock() == 7.5
    assert clock.reads == 3


def test_the_settings_of_a_page_are_found(messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings("42")

    for page in (f"<body>{render_snippet(settings)}</body>", json.dumps(settings)):
        assert settings_in(page) == settings
        verify(settings_in(page), now=messenger_builder.clock())
    with pytest.raises(AssertionError, match="no settings"):
        settings_in("<p>")


def test_decode_takes_settings_apart(messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings("42", z_index=1)

    decoded = decode(settings)

    assert decoded.unsigned == {
        "api_base": "https://api-iam.intercom.io",
        "app_id": "throwaway",
        "user_id": "42",
        "z_index": 1,
    }
    assert decoded.intercom == decode_token(settings["intercom_user_jwt"])
    assert decoded.salesforce == decode_token(settings["salesforce_identity_token"])
    assert decode(messenger_builder.build_settings(None)).intercom is None
    with pytest.raises(ValueError, match="not a compact JWS"):
        decode_token("not a token")


def spoil(name: str) -> Any:
    def spoiled(settings: dict[str, Any]) -> None:
        head, _, signature = settings[name].rpartition(".")
        settings[name] = f"{head}.{signature[:-8]}AAAAAAAA"

    return spoiled


def test_large_tokens_are_verified_too(messenger_builder: TokenPairBuilder) -> None:
    user = MessengerUser("42", company=Company("7", name="x" * 200_000))

    assert verify(messenger_builder.build_settings(user), now=1_700_000_000).intercom


def test_a_throwaway_environment_is_a_whole_one() -> None:
    verify(TokenPairBuilder.from_env(throwaway_environ()).build_settings("42"))


REJECTED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "anonymous": (lambda s: s.pop("intercom_user_jwt"), {}, "no intercom_user_jwt"),
    "Intercom's signature": (spoil("intercom_user_jwt"), {}, "intercom_user_jwt would be rejected: BadSignature"),
    "Salesforce's signature": (spoil("salesforce_identity_token"), {}, "salesforce_identity_token would be rejected"),
    "no token at all": (lambda s: s.update(intercom_user_jwt=7), {}, "not a compact JWS"),
    "another secret": (lambda _: None, {"secret": "x" * 32}, "intercom_user_jwt would be rejected"),
    "another key": (
        lambda _: None,
        {"public_key": rsa.generate_private_key(65537, 2048).public_key()},
        "salesforce_identity_token would be rejected",
    ),
    "expired": (lambda _: None, {"now": 1_700_003_601}, "would be rejected: ExpiredToken"),
    "another user": (lambda s: s.update(user_id="43"), {}, "user_id is not the same"),
    "swapped": (
        lambda s: s.update(intercom_user_jwt=s["salesforce_identity_token"]),
        {},
        "intercom_user_jwt would be rejected",
    ),
}


@pytest.mark.parametrize(("change", "arguments", "said"), REJECTED.values(), ids=REJECTED)
def test_verify_rejects_what_the_platforms_would(
    messenger_builder: TokenPairBuilder, change: Any, arguments: dict[str, Any], said: str
) -> None:
    settings = messenger_builder.build_settings("42")
    verify(settings, now=1_700_000_000)
    change(settings)

    with pytest.raises(AssertionError, match=said):
        verify(settings, **({"now": 1_700_000_000} | arguments))


def test_verify_wants_an_expiry(messenger_builder: TokenPairBuilder) -> None:
    class Endless(IntercomMinter):
        def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
            del now
            return {"user_id": user.user_id}

    builder = replace(messenger_builder, intercom=Endless(messenger_builder.intercom.signer))

    with pytest.raises(AssertionError, match="MissingClaim"):
        verify(builder.build_settings("42"), now=1_700_000_000)


def test_now_is_the_machine_s_clock_unless_given() -> None:
    verify(throwaway_builder().build_settings("42"))
    with pytest.raises(AssertionError, match="Expired"):
        verify(throwaway_builder(clock=FrozenClock(1_600_000_000)).build_settings("42"))
