"""Where it all meets: a user in, two tokens and the settings out."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

import fin_messenger_auth
from fin_messenger_auth import (
    HMACSigner,
    IntercomMinter,
    MessengerUser,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
    TokenPairBuilder,
)
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError, SigningError
from fin_messenger_auth.testing import (
    FrozenClock,
    decode,
    throwaway_builder,
    throwaway_rsa_key,
    throwaway_secret,
    verify,
)
from fin_messenger_auth.testing._throwaway import pem_of

NOW = 1_700_000_000


def test_the_article_s_example() -> None:
    audience = "https://your-salesforce-subdomain-here.my.salesforce-scrt.com"
    pem = pem_of(throwaway_rsa_key())
    builder = TokenPairBuilder(
        app_id="your-app-id-here",
        intercom=IntercomMinter(HMACSigner(StringKeySource(throwaway_secret()))),
        salesforce=SalesforceMinter(
            RSASigner(StringKeySource(pem), kid="WebAppKey1"), issuer="intercom.com", audience=audience
        ),
        clock=FrozenClock(NOW),
    )

    settings = builder.build_settings(42)

    intercom_user_jwt = jwt.encode(
        {"alg": "HS256", "typ": "JWT"},
        {"user_id": "42", "exp": NOW + 3600},
        OctKey.import_key(throwaway_secret()),
        default_type=None,
    )
    salesforce_identity_token = jwt.encode(
        {"alg": "RS256", "typ": "JWT", "kid": "WebAppKey1"},
        {"iss": "intercom.com", "sub": "42", "aud": audience, "exp": NOW + 3600, "iat": NOW},
        RSAKey.import_key(pem),
        default_type=None,
    )
    assert settings == {
        "api_base": "https://api-iam.intercom.io",
        "app_id": "your-app-id-here",
        "user_id": "42",
        "intercom_user_jwt": intercom_user_jwt,
        "salesforce_identity_token": salesforce_identity_token,
    }


def test_an_anonymous_visitor_has_a_page_without_tokens(messenger_builder: TokenPairBuilder) -> None:
    assert messenger_builder.build(None) is None
    assert messenger_builder.build_settings(None, z_index=3) == {
        "api_base": "https://api-iam.intercom.io",
        "app_id": "throwaway",
        "z_index": 3,
    }


def test_where_fin_makes_the_second_token_there_is_none() -> None:
    builder = throwaway_builder(fin_managed=True, clock=FrozenClock(NOW))

    pair = builder.build("42")

    assert pair is not None
    assert pair.salesforce_identity_token is None
    assert pair.expires_at == NOW + 3600
    assert builder.build_settings("42").keys() == {"api_base", "app_id", "user_id", "intercom_user_jwt"}
    verify(builder.build_settings("42"), now=NOW)


@pytest.mark.parametrize("user", [None, "42"])
def test_settings_are_fresh_plain_json(messenger_builder: TokenPairBuilder, user: str | None) -> None:
    settings = messenger_builder.build_settings(user)
    settings["app_id"] = "changed"

    again = messenger_builder.build_settings(user)

    assert type(again) is dict
    assert again["app_id"] == "throwaway"
    assert json.loads(json.dumps(again)) == again


def test_one_clock_read_a_pair(messenger_builder: TokenPairBuilder, messenger_clock: FrozenClock) -> None:
    assert messenger_clock.reads == 1  # when the builder was made
    messenger_builder.build("42")
    assert messenger_clock.reads == 2
    messenger_builder.build_settings("42", z_index=1, extra={"a": 1})
    assert messenger_clock.reads == 3


@pytest.mark.parametrize(
    ("now", "got"),
    [
        pytest.param(1_700_000_000_000, "got milliseconds", id="milliseconds"),
        pytest.param(datetime(2026, 11, 24, tzinfo=UTC), "got datetime", id="datetime"),
        pytest.param("1700000000", "got str", id="string"),
        pytest.param(None, "got NoneType", id="nothing"),
        pytest.param(True, "got bool", id="bool"),
        pytest.param(0, "outside 2020 to 2100", id="unset"),
        pytest.param(1_577_836_799, "outside 2020 to 2100", id="2019"),
        pytest.param(float("nan"), "outside 2020 to 2100", id="nan"),
        pytest.param(float("inf"), "outside 2020 to 2100", id="infinity"),
        pytest.param(10**400, "outside 2020 to 2100", id="huge"),
        pytest.param(4_102_444_800, "outside 2020 to 2100", id="2100"),
        pytest.param(1_577_836_800_000, "got milliseconds", id="2020 in milliseconds"),
        pytest.param(4_102_444_800_000, "outside 2020 to 2100", id="2100 in milliseconds"),
    ],
)
def test_a_clock_that_cannot_be_unix_seconds_is_refused_at_start_up(now: Any, got: str) -> None:
    with pytest.raises(ConfigurationError, match=got) as caught:
        throwaway_builder(clock=lambda: now)
    assert caught.value.code == "clock-wrong"


@pytest.mark.parametrize("now", [1_577_836_800, 1_700_000_000.5, 4_102_444_799], ids=["2020", "float", "2099"])
def test_a_plausible_clock_is_accepted(now: float) -> None:
    assert throwaway_builder(clock=lambda: now).build("42") is not None


@pytest.mark.parametrize("method", ["build", "build_settings", "abuild", "abuild_settings"])
@pytest.mark.parametrize("user", ["42", None], ids=["signed in", "anonymous"])
def test_the_claims_of_each_token_are_made_once_a_page(
    messenger_builder: TokenPairBuilder, monkeypatch: pytest.MonkeyPatch, method: str, user: str | None
) -> None:
    made = []
    for minter in (IntercomMinter, SalesforceMinter):

        def counted(self: Any, user: MessengerUser, now: int, claims: Any = minter.claims) -> dict[str, Any]:
            made.append(type(self))
            result: dict[str, Any] = claims(self, user, now)
            return result

        monkeypatch.setattr(minter, "claims", counted)
    settings: dict[str, Any] = {"z_index": 1, "extra": {"a": 1}} if method.endswith("settings") else {}

    page = getattr(messenger_builder, method)(user, **settings)
    if method.startswith("a"):
        asyncio.run(page)

    assert made == ([IntercomMinter, SalesforceMinter] if user else [])


def test_the_clock_is_floored_and_all_times_agree(
    messenger_builder: TokenPairBuilder, messenger_clock: FrozenClock
) -> None:
    messenger_clock.now = NOW + 0.999

    decoded = decode(messenger_builder.build_settings("42"))

    assert decoded.intercom
    assert decoded.salesforce
    assert decoded.salesforce.claims["iat"] == NOW
    assert decoded.salesforce.claims["exp"] == decoded.intercom.claims["exp"] == NOW + 3600


def test_a_frozen_clock_makes_every_token_reproducible(
    messenger_builder: TokenPairBuilder, messenger_clock: FrozenClock
) -> None:
    first = messenger_builder.build("42")

    assert messenger_builder.build("42") == first
    messenger_clock.advance(1)
    assert messenger_builder.build("42") != first


@pytest.mark.parametrize(("intercom", "salesforce"), [(10, 60), (60, 10)])
def test_a_pair_expires_with_the_earlier_token(
    messenger_builder: TokenPairBuilder, intercom: int, salesforce: int
) -> None:
    assert messenger_builder.salesforce is not None
    builder = replace(
        messenger_builder,
        intercom=replace(messenger_builder.intercom, lifetime=timedelta(minutes=intercom)),
        salesforce=replace(messenger_builder.salesforce, lifetime=timedelta(minutes=salesforce)),
        clock=FrozenClock(NOW),
    )

    pair = builder.build("42")

    assert pair is not None
    assert pair.expires_at == NOW + 600


def test_the_application_decides_who_the_user_is(messenger_clock: FrozenClock) -> None:
    def from_session(session: dict[str, str]) -> MessengerUser | None:
        return MessengerUser(session["uid"], email=session["mail"]) if session else None

    builder = throwaway_builder(identify=from_session, clock=messenger_clock)

    decoded = verify(builder.build_settings({"uid": "42", "mail": "a@b"}), now=messenger_clock.now)

    assert decoded.intercom is not None
    assert decoded.intercom.claims["email"] == "a@b"
    assert builder.build({}) is None


@pytest.mark.parametrize("answer", ["42", False, {"user_id": "42"}])
def test_an_identify_that_returns_something_else_is_told_so(answer: Any) -> None:
    with pytest.raises(InvalidClaimError, match=r"identify= must return a MessengerUser or None, not") as caught:
        throwaway_builder(identify=lambda _user: answer).build("42")
    assert caught.value.code == "user-unidentified"


WIRED_WRONGLY: list[tuple[str, Any, str, str]] = [
    ("app_id", "", "app_id is blank", "value-blank"),
    ("app_id", None, "app_id: expected a str", "argument-invalid"),
    ("app_id", "\ud800", "app_id", "argument-invalid"),
    ("region", "mars", "region: expected", "region-unknown"),
    ("region", None, "region: expected", "region-unknown"),
    ("region", ["us"], "region: expected", "region-unknown"),
    ("api_base", "http://api-iam.intercom.io", "https://", "argument-invalid"),
    ("api_base", " ", "api_base is blank", "value-blank"),
    ("intercom", HMACSigner(StringKeySource("s" * 32)), "intercom: expected an IntercomMinter", "argument-invalid"),
    ("salesforce", "fin-managed", "salesforce: expected a SalesforceMinter", "argument-invalid"),
    ("identify", None, "identify", "argument-invalid"),
    ("clock", 1_700_000_000, "clock", "argument-invalid"),
    ("on_signing_error", "ignore", "on_signing_error", "argument-invalid"),
    ("app_id", "abc\n", "app_id has whitespace", "value-wrapped"),
    ("api_base", "'https://api-iam.intercom.io'", "api_base has whitespace", "value-wrapped"),
]


@pytest.mark.parametrize(("name", "value", "said", "code"), WIRED_WRONGLY)
def test_wrong_wiring_is_found_when_the_builder_is_made(name: str, value: Any, said: str, code: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        replace(throwaway_builder(), **{name: value})
    assert caught.value.code == code


class Failing:
    alg = "HS256"
    kid = None

    def sign(self, _signing_input: bytes, /) -> bytes:
        raise ConnectionError


def test_a_failed_signature_raises_or_shows_the_anonymous_page(messenger_builder: TokenPairBuilder) -> None:
    builder = replace(messenger_builder, intercom=IntercomMinter(Failing()))
    with pytest.raises(SigningError):
        builder.build("42")
    with pytest.raises(SigningError):
        builder.build_settings("42")

    tolerant = replace(builder, on_signing_error="anonymous")

    assert tolerant.build("42") is None
    assert tolerant.build_settings("42", z_index=1) == builder.build_settings(None, z_index=1)


def test_only_signing_errors_are_tolerated(messenger_builder: TokenPairBuilder) -> None:
    tolerant = replace(messenger_builder, on_signing_error="anonymous")

    with pytest.raises(InvalidClaimError):
        tolerant.build("")


def test_the_module_s_functions_use_one_builder_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "INTERCOM_APP_ID": "abc",
        "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
        "SALESFORCE_IDENTITY": "fin-managed",
    }.items():
        monkeypatch.setenv(name, value)
    fin_messenger_auth.default_builder.cache_clear()
    try:
        assert fin_messenger_auth.default_builder() is fin_messenger_auth.default_builder()
        settings = fin_messenger_auth.build_settings("42", z_index=1, extra={"a": 1})
        assert (settings["app_id"], settings["z_index"], settings["a"]) == ("abc", 1, 1)
        verify(settings)
        verify(asyncio.run(fin_messenger_auth.abuild_settings("42", z_index=1)))
    finally:
        fin_messenger_auth.default_builder.cache_clear()


def test_a_builder_shows_its_arguments_and_nothing_that_it_keeps_for_itself() -> None:
    shown = repr(throwaway_builder())

    assert "app_id='throwaway', intercom=IntercomMinter(" in shown
    assert not re.search(r", (_\w+|seconds)=", shown)
