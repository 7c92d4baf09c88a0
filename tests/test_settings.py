"""The rules of window.intercomSettings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fin_messenger_auth import Company, IntercomMinter, MessengerUser, PublicSettings, TokenPairBuilder
from fin_messenger_auth._settings import DISPLAY_SETTINGS, IDENTIFYING_SETTINGS, RULES
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidClaimError
from fin_messenger_auth.testing import throwaway_builder

EVERYTHING: dict[str, Any] = {
    "action_color": "#123456",
    "alignment": "left",
    "auth_tokens": {"security_token": "abc"},
    "avatar": {"type": "avatar", "image_url": "https://example.com/ada.png"},
    "background_color": "#fff",
    "companies": [{"id": "7", "name": "Acme"}],
    "company": {"id": "7", "name": "Acme", "plan": "pro"},
    "created_at": 1_700_000_000,
    "custom_launcher_selector": "#help",
    "email": "ada@example.com",
    "hide_default_launcher": True,
    "hide_notifications": False,
    "horizontal_padding": 20,
    "installation_type": "x",
    "language_override": "fr",
    "link_color": "#000",
    "name": "Ada",
    "page_title": "Home",
    "phone": "+44",
    "session_duration": 300_000,
    "unsubscribed_from_emails": False,
    "vertical_padding": 99,
    "z_index": -15,
}


@pytest.fixture
def builder() -> TokenPairBuilder:
    return throwaway_builder()


def test_every_documented_setting_has_a_type_and_a_rule() -> None:
    assert RULES.keys() == PublicSettings.__annotations__.keys() == EVERYTHING.keys()


def test_every_documented_setting_is_passed_on(builder: TokenPairBuilder) -> None:
    settings = builder.build_settings("42", **EVERYTHING)

    assert {name: settings[name] for name in EVERYTHING} == EVERYTHING
    assert json.loads(json.dumps(settings)) == settings


def test_without_a_user_nothing_identifies(builder: TokenPairBuilder) -> None:
    with pytest.warns(FinMessengerAuthWarning, match=r"^auth_tokens, avatar, companies, .* phone: dropped") as caught:
        settings = builder.build_settings(None, extra={"plan": "pro"}, **EVERYTHING)

    assert {each.message.code for each in caught} == {"page-not-anonymous"}  # type: ignore[union-attr]
    assert settings.keys() == {"api_base", "app_id", "plan", *EVERYTHING} - IDENTIFYING_SETTINGS
    assert settings.keys() >= DISPLAY_SETTINGS
    with pytest.warns(FinMessengerAuthWarning, match="email: dropped"):
        assert "email" not in builder.build_settings(None, extra={"email": "ada@example.com"})


def test_where_signing_fails_nothing_identifies(builder: TokenPairBuilder) -> None:
    class Broken:
        alg, kid = "HS256", None

        def sign(self, _signing_input: bytes, /) -> bytes:
            raise RuntimeError

    failing = replace(builder, intercom=IntercomMinter(Broken()), on_signing_error="anonymous")
    assert failing.build_settings("42", email="ada@example.com", z_index=1).keys() == {"api_base", "app_id", "z_index"}


def test_an_answer_is_not_identified_again() -> None:
    builder = throwaway_builder(identify=lambda account: MessengerUser(account.key))

    assert builder.build(None) is None
    assert builder.build_settings(MessengerUser("42"))["user_id"] == "42"


WRONG: list[tuple[str, Any]] = [
    ("alignment", "middle"),
    ("auth_tokens", {"a": 1}),
    ("avatar", {"type": "avatar"}),
    ("avatar", {"type": "photo", "image_url": "x"}),
    ("companies", {"id": "7", "name": "Acme"}),
    ("companies", [{"id": "7"}]),
    ("company", {"id": "7"}),
    ("company", "Acme"),
    ("created_at", "2023-11-14"),
    ("created_at", True),
    ("email", None),
    ("hide_default_launcher", "true"),
    ("hide_default_launcher", 1),
    ("horizontal_padding", 19),
    ("name", 7),
    ("session_duration", 299_999),
    ("session_duration", 300_000.0),
    ("vertical_padding", 0),
    ("z_index", "9"),
    ("z_index", True),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("user", [None, "42"])
def test_a_setting_of_the_wrong_type_or_range_is_refused_by_name(
    builder: TokenPairBuilder, name: str, value: Any, user: str | None
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: expected ") as caught:
        builder.build_settings(user, **{name: value})
    assert caught.value.code == "setting-invalid"


@pytest.mark.parametrize(
    ("typo", "meant"), [("hide_default_laucher", "hide_default_launcher"), ("zindex", "z_index"), ("e_mail", "email")]
)
def test_a_typo_is_an_error_with_the_nearest_name(builder: TokenPairBuilder, typo: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{typo}.*did you mean '{meant}'.*extra=") as caught:
        builder.build_settings(None, **{typo: "x"})  # type: ignore[arg-type]
    assert caught.value.code == "setting-unknown"


def test_an_unknown_setting_without_a_near_name_is_an_error(builder: TokenPairBuilder) -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown setting 'qqq'\. To set") as caught:
        builder.build_settings(None, qqq="x")  # type: ignore[call-arg]
    assert caught.value.code == "setting-unknown"


def test_extra_passes_anything_through_on_purpose(builder: TokenPairBuilder) -> None:
    extra = {"favourite_colour": "red", "seen_at": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), "tags": ("a", "b")}

    settings = builder.build_settings("42", extra=extra)

    assert settings["favourite_colour"] == "red"
    assert settings["seen_at"] == 1_700_000_000
    assert settings["tags"] == ["a", "b"]
    assert extra["tags"] == ("a", "b")


RESERVED = ["app_id", "api_base", "user_id", "user_hash", "intercom_user_jwt", "salesforce_identity_token"]


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("user", [None, "42"])
def test_what_the_builder_sets_cannot_be_set_by_hand(builder: TokenPairBuilder, name: str, user: str | None) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} cannot be set here") as caught:
        builder.build_settings(user, **{name: "x"})  # type: ignore[arg-type]
    assert caught.value.code == "setting-reserved"
    with pytest.raises(ConfigurationError, match=f"^{name} cannot be set here") as caught:
        builder.build_settings(user, extra={name: "x"})
    assert caught.value.code == "setting-reserved"


@pytest.mark.parametrize("name", ["email", "name", "company", "plan", "exp"])
def test_what_is_signed_is_not_repeated_in_the_clear(builder: TokenPairBuilder, name: str) -> None:
    user = MessengerUser("42", email="a@b", name="Ada", company=Company("7"), attributes={"plan": "pro"})

    assert builder.build_settings(user).keys().isdisjoint({"email", "name", "company", "plan"})
    with pytest.raises(ConfigurationError, match=f"{name} is already signed") as caught:
        builder.build_settings(user, extra={name: "x"})
    assert caught.value.code == "setting-reserved"


def test_a_signed_name_is_refused_among_the_public_settings_too(builder: TokenPairBuilder) -> None:
    with pytest.raises(ConfigurationError, match="email is already signed") as caught:
        builder.build_settings(MessengerUser("42", email="a@b"), email="c@d")
    assert caught.value.code == "setting-reserved"
    assert builder.build_settings(MessengerUser("42"), email="c@d")["email"] == "c@d"


def test_a_name_is_given_once(builder: TokenPairBuilder) -> None:
    with pytest.raises(ConfigurationError, match="given twice") as caught:
        builder.build_settings(None, z_index=1, extra={"z_index": 2})
    assert caught.value.code == "setting-reserved"


@pytest.mark.parametrize("extra", [[("a", 1)], "a", {1: 2}])
def test_extra_is_a_mapping_of_names(builder: TokenPairBuilder, extra: Any) -> None:
    with pytest.raises(InvalidClaimError, match=r"^extra: ") as caught:
        builder.build_settings(None, extra=extra)
    assert caught.value.code == "claim-invalid"


@pytest.mark.parametrize("value", [float("nan"), {1}, b"x", object(), "\ud800", datetime(2023, 11, 14)])
def test_what_json_has_not_is_refused_by_name(builder: TokenPairBuilder, value: Any) -> None:
    with pytest.raises(InvalidClaimError) as caught:
        builder.build_settings(None, extra={"shoe_size": value})
    assert caught.value.claim == "shoe_size"
    with pytest.raises(InvalidClaimError) as caught:
        builder.build_settings(None, company={"id": "7", "name": value})
    assert caught.value.claim == "company"


def test_a_lone_surrogate_in_a_name_is_refused(builder: TokenPairBuilder) -> None:
    with pytest.raises(InvalidClaimError):
        builder.build_settings(None, extra={"\ud800": 1})


@pytest.mark.parametrize(
    ("region", "api_base"),
    [
        ("us", "https://api-iam.intercom.io"),
        ("eu", "https://api-iam.eu.intercom.io"),
        ("ap", "https://api-iam.au.intercom.io"),
        ("au", "https://api-iam.au.intercom.io"),
    ],
)
def test_the_region_decides_the_api_base(builder: TokenPairBuilder, region: Any, api_base: str) -> None:
    assert replace(builder, region=region).build_settings(None)["api_base"] == api_base
    newer = replace(builder, region=region, api_base="https://api-iam.moon.intercom.io")
    assert newer.build_settings(None)["api_base"] == "https://api-iam.moon.intercom.io"
