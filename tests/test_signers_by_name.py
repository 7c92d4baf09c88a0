"""``SALESFORCE_SIGNER``: signers that packages offer by name, and everything else that says what signs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fin_messenger_auth import RSASigner, StringKeySource, TokenPairBuilder
from fin_messenger_auth._environment import SIGNERS, read_environment
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import Level, check_environment, run_checks
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError
from fin_messenger_auth.sandbox import sandbox_from_env
from fin_messenger_auth.testing import throwaway_environ, throwaway_rsa_key, throwaway_secret, verify
from fin_messenger_auth.testing._throwaway import THROWAWAY_AUDIENCE, THROWAWAY_ISSUER, pem_of
from tests.signing_service import install, signing_service

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "signer_package"
THERE = {
    "INTERCOM_APP_ID": "abc",
    "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
    "SALESFORCE_KEY_ID": "throwaway",
    "SALESFORCE_ISSUER": THROWAWAY_ISSUER,
    "SALESFORCE_AUDIENCE": THROWAWAY_AUDIENCE,
}


def rsa_signer(kid: str | None = "throwaway", alg: Any = "RS256") -> RSASigner:
    return RSASigner(StringKeySource(pem_of(throwaway_rsa_key())), kid=kid, alg=alg)


# The factories that the metadata below names.
def good(_environ: Mapping[str, str], _prefix: str, *, kid: str, **_: object) -> RSASigner:
    return rsa_signer(kid)


def other_kid(_environ: Mapping[str, str], _prefix: str, **_: object) -> RSASigner:
    return rsa_signer("another")


def no_signer(_environ: Mapping[str, str], _prefix: str, **_: object) -> object:
    return object()


def failing(_environ: Mapping[str, str], _prefix: str, **_: object) -> RSASigner:
    raise OSError("could not use the credential hunter2")


def of_all_arguments(environ: Mapping[str, str], prefix: str, *, kid: str, alg: str, public_key: object) -> RSASigner:
    assert environ[f"{prefix}INTERCOM_APP_ID"]
    assert public_key is None
    return rsa_signer(kid, alg)


class Hidden:
    """A signer that offers no public key, and no ``sign``."""

    alg, kid = "RS256", "throwaway"

    async def asign(self, signing_input: bytes, /) -> bytes:
        return rsa_signer().sign(signing_input)


class Down(Hidden):
    async def asign(self, _signing_input: bytes, /) -> bytes:
        raise TimeoutError


def hidden(_environ: Mapping[str, str], _prefix: str, **_: object) -> Hidden:
    return Hidden()


def down(_environ: Mapping[str, str], _prefix: str, **_: object) -> Hidden:
    return Down()


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][SIGNERS]
    example = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][SIGNERS]
    module = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "factories_of_the_test", module)
    names = ("good", "other_kid", "no_signer", "failing", "of_all_arguments", "hidden", "down")
    install(tmp_path / "site", "signers-of-the-test", {name: f"factories_of_the_test:{name}" for name in names})
    install(tmp_path / "site", "one", {"twice": "factories_of_the_test:good", "lost": "factories_of_the_test:gone"})
    install(tmp_path / "site", "two", {"twice": "factories_of_the_test:failing"})
    install(tmp_path / "site", "acme-messenger-signer", example)
    install(tmp_path / "site", "own-signers", own)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    sys.modules.pop("acme_messenger_signer", None)


def test_a_package_gives_its_signer_a_name() -> None:
    with signing_service(throwaway_rsa_key()) as url:
        environ = {**THERE, "SALESFORCE_SIGNER": "acme", "ACME_SIGNING_URL": url}
        builder = TokenPairBuilder.from_env(environ)

        assert verify(asyncio.run(builder.abuild_settings("42"))).salesforce
        assert [each.code for each in run_checks(environ) if each.level is not Level.UNCHECKED] == []
        assert sandbox_from_env(environ).keys[0].kid == "throwaway"


def test_the_factory_gets_environment_prefix_kid_and_algorithm() -> None:
    environ = {f"MY_{name}": value for name, value in THERE.items()} | {"MY_SALESFORCE_SIGNER": "of_all_arguments"}

    verify(TokenPairBuilder.from_env(environ, prefix="MY_").build_settings("42"))


MISTAKES: dict[str, tuple[dict[str, str], str, str]] = {
    "unknown": ({"SALESFORCE_SIGNER": "aws"}, "signer-invalid", "^SALESFORCE_SIGNER: expected acme, aws-kms, .* or "),
    "two packages": ({"SALESFORCE_SIGNER": "twice"}, "signer-invalid", "several installed packages offer this signer"),
    "not importable": ({"SALESFORCE_SIGNER": "lost"}, "signer-invalid", "gone cannot be imported: AttributeError"),
    "not a signer": ({"SALESFORCE_SIGNER": "no_signer"}, "signer-invalid", "expected alg, kid and sign or asign"),
    "another kid": ({"SALESFORCE_SIGNER": "other_kid"}, "kid-differs", "is .*, and in SALESFORCE_KEY_ID"),
    "failing": ({"SALESFORCE_SIGNER": "failing"}, "key-unavailable", "the factory of failing raised OSError"),
    "its own variable": ({"SALESFORCE_SIGNER": "acme"}, "variable-missing", "ACME_SIGNING_URL must be set"),
    "key and signer": (
        {"SALESFORCE_SIGNER": "good", "SALESFORCE_PRIVATE_KEY": "x"},
        "salesforce-signer-ambiguous",
        "SALESFORCE_PRIVATE_KEY and SALESFORCE_SIGNER each name a signer; set only one",
    ),
    "signer and Fin": (
        {"SALESFORCE_SIGNER": "good", "SALESFORCE_IDENTITY": "fin-managed"},
        "salesforce-signer-ambiguous",
        "SALESFORCE_SIGNER that you do",
    ),
    "no kid": (
        {"SALESFORCE_SIGNER": "good", "SALESFORCE_KEY_ID": ""},
        "variable-missing",
        "^SALESFORCE_KEY_ID must be",
    ),
    "signer in a file": ({"SALESFORCE_SIGNER_FILE": "/x"}, "variable-missing", "^SALESFORCE_PRIVATE_KEY must be set"),
    "AWS, nothing set": (
        {"SALESFORCE_SIGNER": "aws-kms"},
        "variable-missing",
        "^SALESFORCE_AWS_KMS_KEY_ID must be set",
    ),
    "PKCS#11, nothing set": (
        {"SALESFORCE_SIGNER": "pkcs11", "SALESFORCE_PKCS11_KEY": "k"},
        "variable-missing",
        "_MODULE, SALESFORCE_PKCS11_TOKEN and SALESFORCE_PKCS11_PIN must be set",
    ),
    "PKCS#11, two PINs": (
        {
            "SALESFORCE_SIGNER": "pkcs11",
            **{f"SALESFORCE_PKCS11_{name}": "x" for name in ("MODULE", "TOKEN", "KEY", "PIN", "PIN_FILE")},
        },
        "variable-and-file",
        "SALESFORCE_PKCS11_PIN and SALESFORCE_PKCS11_PIN_FILE are both set",
    ),
    "policy": (
        {"SALESFORCE_SIGNER": "good", "MESSENGER_ON_SIGNING_ERROR": "guest"},
        "argument-invalid",
        "^MESSENGER_ON",
    ),
}


@pytest.mark.parametrize(("changed", "code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_the_builder_raises_the_first_of_the_problems_that_the_doctor_lists(
    changed: dict[str, str], code: str, message: str
) -> None:
    environ = THERE | changed
    with pytest.raises((ConfigurationError, KeyUnavailableError), match=message) as caught:
        TokenPairBuilder.from_env(environ)

    assert isinstance(caught.value, ConfigurationError | KeyUnavailableError)
    assert caught.value.code == code
    findings = check_environment(environ)
    assert (findings[0].code, findings[0].message) == (code, str(caught.value))
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize("changed", [each for each, _, _ in MISTAKES.values()], ids=MISTAKES)
def test_messages_and_fixes_name_the_variables_with_their_prefix(changed: dict[str, str]) -> None:
    environ = {f"SHOP_{name}": value for name, value in (THERE | changed).items()}
    findings = [each for each in run_checks(environ, prefix="SHOP_") if each.level is Level.ERROR]

    assert findings
    for each in findings:
        assert not re.search(r"(?<!SHOP_)\b(INTERCOM|SALESFORCE|MESSENGER)_[A-Z]", each.message + each.fix)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"SALESFORCE_SIGNER": "aws"}, "signer-invalid"),
        ({"SALESFORCE_SIGNER": "good", "SALESFORCE_ALGORITHM": "PS256"}, "salesforce-algorithm"),
    ],
)
def test_one_mistake_is_one_problem(changed: dict[str, str], code: str) -> None:
    assert [each.code for each in check_environment(THERE | changed)] == [code]


def test_everything_wrong_is_listed_at_once() -> None:
    environ = {"SALESFORCE_SIGNER": "failing", "SALESFORCE_KEY_ID": "k", "MESSENGER_ON_SIGNING_ERROR": "guest"}

    assert [each.code for each in check_environment(environ)] == [
        "variable-missing",
        "variable-missing",
        "argument-invalid",
        "key-unavailable",
    ]


@pytest.mark.parametrize("kid", ["throwaway", ""])
def test_a_signer_in_code_needs_no_key_in_the_environment(kid: str) -> None:
    builder = TokenPairBuilder.from_env(THERE | {"SALESFORCE_KEY_ID": kid}, salesforce_signer=rsa_signer())

    verify(builder.build_settings("42"))


@pytest.mark.parametrize(
    ("changed", "signer", "message"),
    [
        ({"SALESFORCE_KEY_ID": "other"}, rsa_signer(), "the kid of the signer is .*, and in SALESFORCE_KEY_ID 'other'"),
        ({"SALESFORCE_ISSUER": ""}, rsa_signer(), "^SALESFORCE_ISSUER must be set too, as they go with salesforce_sig"),
        ({"SALESFORCE_PRIVATE_KEY": "x"}, rsa_signer(), "^salesforce_signer and SALESFORCE_PRIVATE_KEY each name a"),
        ({"SALESFORCE_SIGNER": "good"}, rsa_signer(), "^salesforce_signer and SALESFORCE_SIGNER each name a signer"),
        ({"SALESFORCE_IDENTITY": "fin-managed"}, rsa_signer(), "and salesforce_signer, .* that you do"),
        ({"SALESFORCE_KEY_ID": ""}, rsa_signer(None), "^The signer of salesforce_identity_token has no kid"),
        ({}, object(), "^The signer of salesforce_identity_token: expected alg, kid"),
    ],
    ids=["kid", "issuer", "key", "name", "Fin", "no kid", "no signer"],
)
def test_a_signer_in_code_contradicts_no_variable(changed: dict[str, str], signer: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TokenPairBuilder.from_env(THERE | changed, salesforce_signer=signer)


def test_the_key_id_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kid"
    path.write_text("throwaway\n")
    path.chmod(0o644)
    environ = {**throwaway_environ(), "SALESFORCE_KEY_ID": "", "SALESFORCE_KEY_ID_FILE": str(path)}

    decoded = verify(TokenPairBuilder.from_env(environ).build_settings("42"))

    assert decoded.salesforce
    assert decoded.salesforce.header["kid"] == "throwaway"
    assert check_environment(environ) == []  # a key ID is not secret: others may read the file


@pytest.mark.parametrize(
    ("content", "kid", "code"),
    [
        (b"throwaway", "throwaway", "variable-and-file"),
        (b"throwaway ", "", "value-wrapped"),
        (b"a\n\n", "", "value-wrapped"),
        (b"\xe4", "", "argument-invalid"),
        (b"\n", "", "value-blank"),
        (None, "", "key-unavailable"),
    ],
    ids=["both", "space", "newlines", "Latin-1", "blank", "absent"],
)
def test_a_key_id_in_a_file_has_the_rules_of_one_in_a_variable(
    tmp_path: Path, content: bytes | None, kid: str, code: str
) -> None:
    path = tmp_path / "kid"
    if content is not None:
        path.write_bytes(content)
    environ = {**throwaway_environ(), "SALESFORCE_KEY_ID": kid, "SALESFORCE_KEY_ID_FILE": str(path)}

    [problem] = read_environment(environ).problems

    assert problem.code == code
    assert "SALESFORCE_KEY_ID" in problem.message


def test_the_policy_comes_from_the_environment_unless_the_code_has_one() -> None:
    environ = THERE | {"SALESFORCE_SIGNER": "down", "MESSENGER_ON_SIGNING_ERROR": "intercom-only"}

    settings = asyncio.run(TokenPairBuilder.from_env(environ).abuild_settings("42"))

    assert "intercom_user_jwt" in settings
    assert "salesforce_identity_token" not in settings
    assert TokenPairBuilder.from_env(environ, on_signing_error="raise").on_signing_error == "raise"
    assert TokenPairBuilder.from_env(throwaway_environ()).on_signing_error == "raise"


def test_the_doctor_says_that_a_signer_fails_whatever_the_policy() -> None:
    environ = THERE | {"SALESFORCE_SIGNER": "down", "MESSENGER_ON_SIGNING_ERROR": "anonymous"}

    [error] = [each for each in run_checks(environ) if each.level is Level.ERROR]

    assert (error.code, error.message) == ("key-unavailable", "Down raised TimeoutError.")


def test_the_doctor_and_the_sandbox_of_a_signer_without_a_public_key() -> None:
    environ = THERE | {"SALESFORCE_SIGNER": "hidden"}

    assert [each.code for each in run_checks(environ) if each.level is not Level.UNCHECKED] == []
    with pytest.raises(ConfigurationError, match="public_key of the signer"):
        sandbox_from_env(environ)


class TestTheCommands:
    @pytest.fixture(autouse=True)
    def environ(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        for name, value in THERE.items():
            monkeypatch.setenv(name, value)
        return monkeypatch

    def output(self, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
        assert main(argv) == 0
        return capsys.readouterr().out

    @pytest.mark.parametrize("signer", ["good", "hidden"])
    def test_settings_signs_with_it(
        self, signer: str, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ.setenv("SALESFORCE_SIGNER", signer)

        verify(json.loads(self.output(capsys, "settings", "--user", "42")))

    @pytest.mark.parametrize("variable", ["SALESFORCE_SIGNER", "SALESFORCE_PRIVATE_KEY"])
    def test_certificate_and_jwk_are_made_of_it(
        self, variable: str, environ: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ.setenv(variable, "good" if variable.endswith("SIGNER") else pem_of(throwaway_rsa_key()).decode())
        environ.delenv("SALESFORCE_ISSUER")  # not known yet
        certificate = tmp_path / "certificate.pem"
        certificate.write_text(self.output(capsys, "certificate", "--env"))

        jwk = json.loads(self.output(capsys, "jwk", "--env", "--certificate", str(certificate)))

        assert jwk["kid"] == "throwaway"
        assert jwk["x5c"]

    def test_a_signer_with_asign_only_makes_no_certificate(
        self, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ.setenv("SALESFORCE_SIGNER", "hidden")

        assert main(["certificate", "--env"]) == 1
        assert "Hidden has asign only" in capsys.readouterr().err

    def test_a_signer_without_a_public_key_needs_the_file(
        self, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ.setenv("SALESFORCE_SIGNER", "hidden")

        assert main(["jwk", "--env", "--certificate", "x"]) == 1
        assert "Hidden has no public_key; give the key with --public-key" in capsys.readouterr().err

    def test_without_a_key_it_says_what_to_set(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["certificate", "--env"]) == 1
        assert "SALESFORCE_PRIVATE_KEY must be set" in capsys.readouterr().err
