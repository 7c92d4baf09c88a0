"""Environment variables: each mistake is a sentence that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from fin_messenger_auth import MessengerUser, TokenPairBuilder
from fin_messenger_auth._environment import SALESFORCE_VARIABLES
from fin_messenger_auth._tokens import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.diagnosis import check_environment
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthError, InvalidKeyError, KeyUnavailableError
from fin_messenger_auth.testing import FrozenClock, throwaway_environ, throwaway_rsa_key, throwaway_secret, verify
from fin_messenger_auth.testing._throwaway import pem_of

PEM = pem_of(throwaway_rsa_key()).decode()
ENCRYPTED = (
    throwaway_rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"horse")).decode()
)
SECRET = throwaway_secret()
NOW = 1_700_000_000
INTERCOM = {"INTERCOM_APP_ID": "abc", "INTERCOM_MESSENGER_SECRET": throwaway_secret()}
SALESFORCE = {
    "SALESFORCE_PRIVATE_KEY": PEM,
    "SALESFORCE_KEY_ID": "WebAppKey1",
    "SALESFORCE_ISSUER": "https://Issuer.example/",
    "SALESFORCE_AUDIENCE": "https://acme.my.salesforce-scrt.com",
}
OWN_KEY = INTERCOM | SALESFORCE
FIN_MANAGED = INTERCOM | {"SALESFORCE_IDENTITY": "fin-managed"}


def test_a_whole_configuration_with_one_s_own_key() -> None:
    builder = TokenPairBuilder.from_env(
        OWN_KEY
        | {"INTERCOM_REGION": "eu", "INTERCOM_TOKEN_LIFETIME": "600", "SALESFORCE_TOKEN_LIFETIME": " 900 "}
        | {"SALESFORCE_USERNAME": "someone else's", "SALESFORCE_TOKEN": ""},
        clock=FrozenClock(NOW),
    )

    settings = builder.build_settings("42")
    decoded = verify(settings, now=NOW)

    assert settings["api_base"] == "https://api-iam.eu.intercom.io"
    assert decoded.intercom
    assert decoded.salesforce
    assert decoded.intercom.claims["exp"] == NOW + 600
    assert decoded.salesforce.header["kid"] == "WebAppKey1"
    assert decoded.salesforce.claims == {
        "iss": "https://Issuer.example/",
        "sub": "42",
        "aud": "https://acme.my.salesforce-scrt.com",
        "exp": NOW + 900,
        "iat": NOW,
    }


def test_a_whole_configuration_where_fin_makes_the_second_token() -> None:
    assert TokenPairBuilder.from_env(FIN_MANAGED).salesforce is None


def test_a_prefix_stands_before_every_name(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(PEM)
    environ = {f"MY_{name}": value for name, value in OWN_KEY.items() if name != "SALESFORCE_PRIVATE_KEY"}
    environ["MY_SALESFORCE_PRIVATE_KEY_FILE"] = str(key)

    assert TokenPairBuilder.from_env(environ, prefix="MY_").build("42")
    with pytest.raises(ConfigurationError, match=r"^INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET must be set"):
        TokenPairBuilder.from_env(environ)
    with pytest.raises(ConfigurationError, match=r"^MY_INTERCOM_APP_ID must be set"):
        TokenPairBuilder.from_env(environ | {"MY_INTERCOM_APP_ID": " "}, prefix="MY_")


def test_the_application_s_own_parts_are_passed_on() -> None:
    def nobody(_user: object) -> MessengerUser | None:
        return None

    builder = TokenPairBuilder.from_env(FIN_MANAGED, identify=nobody, on_signing_error="anonymous")

    assert builder.build("42") is None
    assert builder.on_signing_error == "anonymous"


def test_secret_key_and_password_can_be_in_files(tmp_path: Path) -> None:
    paths = {}
    for name, value in {
        "INTERCOM_MESSENGER_SECRET": throwaway_secret() + "\n",
        "SALESFORCE_PRIVATE_KEY": ENCRYPTED,
        "SALESFORCE_PRIVATE_KEY_PASSWORD": "horse\n",
    }.items():
        path = tmp_path / name
        path.write_text(value)
        paths[f"{name}_FILE"] = str(path)
    environ = OWN_KEY | paths | {"INTERCOM_MESSENGER_SECRET": "", "SALESFORCE_PRIVATE_KEY": " "}

    verify(TokenPairBuilder.from_env(environ).build_settings("42"))


def test_a_password_can_be_in_a_variable() -> None:
    environ = OWN_KEY | {"SALESFORCE_PRIVATE_KEY": ENCRYPTED, "SALESFORCE_PRIVATE_KEY_PASSWORD": "horse"}

    verify(TokenPairBuilder.from_env(environ).build_settings("42"))


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


CODES = {
    "a key for its path": "value-credential",
    "app id in Latin-1": "argument-invalid",
    "bad region": "region-unknown",
    "bad secret": "secret-short",
    "both choices": "salesforce-signer-ambiguous",
    "damaged key": "key-damaged",
    "kid in Latin-1": "argument-invalid",
    "missing password": "key-password-missing",
    "no choice": "salesforce-signer-unset",
    "not a str": "argument-invalid",
    "other choice": "salesforce-signer-ambiguous",
    "placeholder": "placeholder",
    "wrong password": "key-password-wrong",
}
"""The code of a mistake by its name; the names of the others follow a pattern."""


def code_of(mistake: str) -> str:
    if "=" in mistake:
        return "lifetime-invalid"
    if mistake.endswith(" and file"):
        return "variable-and-file"
    return CODES.get(mistake, "key-unavailable" if mistake.endswith(" unreadable") else "variable-missing")


MISTAKES: dict[str, tuple[dict[str, str], type[FinMessengerAuthError], str]] = {
    "nothing": ({}, ConfigurationError, "INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET must be set"),
    "no app id": (without(OWN_KEY, "INTERCOM_APP_ID"), ConfigurationError, "^INTERCOM_APP_ID must be set"),
    "empty app id": (OWN_KEY | {"INTERCOM_APP_ID": ""}, ConfigurationError, "^INTERCOM_APP_ID must be set"),
    "no secret": (
        without(OWN_KEY, "INTERCOM_MESSENGER_SECRET"),
        ConfigurationError,
        "^INTERCOM_MESSENGER_SECRET must be set",
    ),
    "bad secret": (
        OWN_KEY | {"INTERCOM_MESSENGER_SECRET": "hunter2"},
        InvalidKeyError,
        "^INTERCOM_MESSENGER_SECRET: The Messenger API Secret has 7 bytes",
    ),
    "app id in Latin-1": (
        OWN_KEY | {"INTERCOM_APP_ID": "\udce4"},
        ConfigurationError,
        "^INTERCOM_APP_ID contains bytes",
    ),
    "kid in Latin-1": (
        OWN_KEY | {"SALESFORCE_KEY_ID": "\udce4"},
        ConfigurationError,
        "^SALESFORCE_KEY_ID contains bytes",
    ),
    "not a str": (OWN_KEY | {"INTERCOM_REGION": 7}, ConfigurationError, "^INTERCOM_REGION: expected a str"),  # type: ignore[dict-item]
    "bad region": (OWN_KEY | {"INTERCOM_REGION": "mars"}, ConfigurationError, "^INTERCOM_REGION: "),
    "no choice": (INTERCOM, ConfigurationError, "SALESFORCE_IDENTITY=fin-managed.*SALESFORCE_PRIVATE_KEY.*AUDIENCE"),
    "other choice": (
        INTERCOM | {"SALESFORCE_IDENTITY": "fin"},
        ConfigurationError,
        "SALESFORCE_IDENTITY: expected fin-managed",
    ),
    "both choices": (
        FIN_MANAGED | {"SALESFORCE_ISSUER": "x"},
        ConfigurationError,
        "SALESFORCE_IDENTITY=fin-managed .* SALESFORCE_ISSUER that you do",
    ),
    "placeholder": (
        OWN_KEY | {"SALESFORCE_AUDIENCE": AUDIENCE_PLACEHOLDER},
        ConfigurationError,
        "^SALESFORCE_AUDIENCE is still the placeholder",
    ),
    "damaged key": (
        OWN_KEY | {"SALESFORCE_PRIVATE_KEY": PEM[:500]},
        InvalidKeyError,
        "^SALESFORCE_PRIVATE_KEY: .* truncated",
    ),
    "missing password": (
        OWN_KEY | {"SALESFORCE_PRIVATE_KEY": ENCRYPTED},
        InvalidKeyError,
        "^SALESFORCE_PRIVATE_KEY: .* no password",
    ),
    "wrong password": (
        OWN_KEY | {"SALESFORCE_PRIVATE_KEY": ENCRYPTED, "SALESFORCE_PRIVATE_KEY_PASSWORD": "hunter2"},
        InvalidKeyError,
        "^SALESFORCE_PRIVATE_KEY: .* password is wrong",
    ),
    **{
        f"no {name}": (without(OWN_KEY, name), ConfigurationError, f"^{name} must be set too, as all four")
        for name in SALESFORCE_VARIABLES
    },
    **{
        f"only {name}": (
            INTERCOM | {name: OWN_KEY[name]},
            ConfigurationError,
            "must be set too, as all four go together",
        )
        for name in SALESFORCE_VARIABLES
    },
    **{
        f"{name} and file": (
            OWN_KEY | {name: OWN_KEY.get(name, "x"), f"{name}_FILE": "/run/x"},
            ConfigurationError,
            f"{name} and {name}_FILE are both set",
        )
        for name in ("INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD")
    },
    **{
        f"{name} unreadable": (
            without(OWN_KEY, name) | {f"{name}_FILE": "/nowhere/at/all"},
            KeyUnavailableError,
            f"^{name}_FILE: The key file .* cannot be read",
        )
        for name in ("INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD")
    },
    "a key for its path": (
        without(OWN_KEY, "SALESFORCE_PRIVATE_KEY") | {"SALESFORCE_PRIVATE_KEY_FILE": PEM},
        ConfigurationError,
        "^SALESFORCE_PRIVATE_KEY_FILE holds a key .* set SALESFORCE_PRIVATE_KEY ",
    ),
    **{
        f"{name}={'the secret' if value == SECRET else value[:9]}": (OWN_KEY | {name: value}, ConfigurationError, name)
        for name in ("INTERCOM_TOKEN_LIFETIME", "SALESFORCE_TOKEN_LIFETIME")
        for value in ("0", "-1", "1h", "nan", "inf", "1e3", "3600.5", "9" * 20, "9" * 5000, "٣٦٠٠", "1_000", SECRET)
    },
}


def test_the_line_end_that_is_dropped_is_no_blank() -> None:
    TokenPairBuilder.from_env(OWN_KEY | {"INTERCOM_MESSENGER_SECRET": SECRET + "\r\n"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SALESFORCE_KEY_ID", "k "),
        ("SALESFORCE_ISSUER", "'intercom.com'"),
        ("SALESFORCE_AUDIENCE", "https://acme.my.salesforce-scrt.com\n"),
        ("INTERCOM_APP_ID", "“abc”"),
        ("INTERCOM_MESSENGER_SECRET", f'"{"s" * 32}"'),
        ("INTERCOM_MESSENGER_SECRET", "s" * 32 + "\u00a0"),
        ("INTERCOM_MESSENGER_SECRET", "s" * 32 + "\u200b"),
    ],
)
def test_whitespace_and_quotes_around_a_value_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}.* would count as part of it") as caught:
        TokenPairBuilder.from_env(OWN_KEY | {name: value})
    assert caught.value.code == "value-wrapped"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_a_sentence_that_names_the_variable(
    mistake: str,
) -> None:
    environ, kind, said = MISTAKES[mistake]
    with pytest.raises(kind, match=said) as caught:
        TokenPairBuilder.from_env(environ)
    assert type(caught.value) is kind
    assert caught.value.code == code_of(mistake)  # type: ignore[attr-defined]
    for hidden in ("hunter2", throwaway_secret(), PEM.splitlines()[5]):
        assert hidden not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "code"),
    [("${KEY_PASSWORD}", "value-reference"), ("'horse'", "value-wrapped"), ("x", "key-password-wrong")],
)
def test_what_is_wrong_with_a_password_is_said_of_its_variable(password: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TokenPairBuilder.from_env(
            OWN_KEY | {"SALESFORCE_PRIVATE_KEY": ENCRYPTED, "SALESFORCE_PRIVATE_KEY_PASSWORD": password}
        )
    error, of_key = caught.value, code == "key-password-wrong"
    variable = "SALESFORCE_PRIVATE_KEY" if of_key else "SALESFORCE_PRIVATE_KEY_PASSWORD"
    assert (error.code, error.variable) == (code, variable)
    assert str(error).startswith(f"{variable}: The ")


def test_a_warning_about_the_key_id_is_listed_once() -> None:
    environ = throwaway_environ() | {"SALESFORCE_KEY_ID": "two words"}

    assert [each.code for each in check_environment(environ)].count("value-space") == 1
