"""What ``run_checks`` finds in an environment and a key directory, and how it is reported."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth._tokens import SalesforceMinter
from fin_messenger_auth.diagnosis import CATALOGUE, Document, Level, check_environment, check_key_directory, run_checks
from fin_messenger_auth.diagnosis._report import as_json, report, summary
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError
from fin_messenger_auth.onboarding import make_key_directory
from fin_messenger_auth.page import render_snippet
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ, throwaway_rsa_key
from fin_messenger_auth.testing._throwaway import THROWAWAY_AUDIENCE, THROWAWAY_ISSUER, THROWAWAY_KID, pem_of
from tests.broken_setups import BROKEN, HEALTHY, Setup, SetupCase, sign_with_another_key
from tests.broken_tokens import SECRET


@pytest.fixture(scope="session")
def made_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key_directory(tmp_path_factory.mktemp("keygen") / "keys").path


@pytest.fixture
def setup(made_directory: Path, tmp_path: Path) -> Setup:
    return Setup.healthy(Path(shutil.copytree(made_directory, tmp_path / "keys")))


def codes(setup: Setup) -> set[str]:
    findings = run_checks(setup.environ, **{"key_directory": setup.directory, **setup.options})
    return {each.code for each in findings if each.level is not Level.UNCHECKED}


@pytest.mark.parametrize("case", [*HEALTHY, *BROKEN], ids=str)
def test_each_fault_has_its_own_code(case: SetupCase, setup: Setup) -> None:
    case.change(setup)
    assert codes(setup) == case.codes


def refusal(environ: dict[str, str]) -> list[str]:
    try:
        TokenPairBuilder.from_env(environ)
    except (ConfigurationError, KeyUnavailableError) as error:
        return [error.code]
    return []


@pytest.mark.parametrize("case", [*HEALTHY, *BROKEN], ids=str)
@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_the_builder_refuses_exactly_what_is_an_error_here(case: SetupCase, setup: Setup) -> None:
    case.change(setup)
    errors = [each.code for each in check_environment(setup.environ) if each.level is Level.ERROR]
    assert errors[:1] == refusal(setup.environ)


def test_it_ends_with_what_cannot_be_seen_and_where_to_look(setup: Setup) -> None:
    findings = run_checks(setup.environ, key_directory=setup.directory, attributes=["plan", "email"], **setup.options)
    assert {each.code for each in findings} == {
        "unknown-secret",
        "unknown-enforcement",
        "unknown-verified-updates",
        "unknown-keyset",
        "unknown-fin",
    }
    [updates] = [each for each in findings if each.code == "unknown-verified-updates"]
    assert "email, plan" in updates.fix


NOT_CHECKED = "with the keyset was not checked. Give"
UPLOADED, KEYSET = "the JWK that was uploaded: --uploaded FILE", "the issuer of the keyset: --issuer ISSUER"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            set(),
            f"The match of key and kid and issuer {NOT_CHECKED} {UPLOADED} and {KEYSET}.",
        ),
        (
            {"issuer"},
            f"The match of key and kid {NOT_CHECKED} {UPLOADED}.",
        ),
        (
            {"key_directory"},
            f"The match of issuer {NOT_CHECKED} {KEYSET}.",
        ),
        ({"issuer", "key_directory"}, None),
    ],
)
def test_it_says_what_it_had_nothing_to_compare_with(given: set[str], message: str | None, setup: Setup) -> None:
    options = {"issuer": setup.options["issuer"], "key_directory": setup.directory}
    findings = run_checks(setup.environ, **{name: options[name] for name in given})
    said = [f"{each.message} {each.fix}" for each in findings if each.code == "unchecked"]
    assert said == ([] if message is None else [message])


def test_a_certificate_at_fault_is_named_with_its_file(setup: Setup) -> None:
    findings = check_key_directory(setup.directory, now=time.time() + 725 * 86_400)
    assert [(each.code, each.message.split(":")[0]) for each in findings] == [
        ("certificate-validity", "jwk.json"),
        ("certificate-validity", "certificate.pem"),
        ("certificate-validity", "jwks.json"),
    ]


def test_a_key_that_is_not_the_directorys_is_named_with_the_file(setup: Setup) -> None:
    sign_with_another_key(setup)
    [found] = [each for each in run_checks(setup.environ, key_directory=setup.directory) if each.level is Level.ERROR]
    assert found.message == f"The private key of the environment is not the key of {setup.directory / 'jwk.json'}."


def test_where_fin_makes_the_token_there_is_no_keyset_to_look_at(setup: Setup) -> None:
    findings = run_checks(setup.fin_managed().environ)
    assert "unknown-keyset" not in {each.code for each in findings}


def test_variables_may_have_a_prefix(setup: Setup) -> None:
    environ = {f"ACME_{name}": value for name, value in setup.environ.items()}
    findings = run_checks(environ, prefix="ACME_", key_directory=setup.directory)
    assert all(each.level is Level.UNCHECKED for each in findings)
    del environ["ACME_SALESFORCE_KEY_ID"]
    assert "ACME_SALESFORCE_KEY_ID" in run_checks(environ, prefix="ACME_")[0].message


def test_an_encrypted_key_is_opened_with_the_password_of_the_environment(setup: Setup, tmp_path: Path) -> None:
    made = make_key_directory(tmp_path / "encrypted", password=StringKeySource("password"))
    setup.directory = made.path
    setup.environ |= {
        "SALESFORCE_PRIVATE_KEY_FILE": str(made.private_key),
        "SALESFORCE_KEY_ID": made.kid,
        "SALESFORCE_PRIVATE_KEY_PASSWORD": "password",
    }
    assert codes(setup) == set()
    setup.environ["SALESFORCE_PRIVATE_KEY_PASSWORD"] = "another"
    assert codes(setup) == {"key-password-wrong"}


def test_a_directory_may_hold_what_is_public_only(setup: Setup) -> None:
    (setup.directory / "private-key.pem").unlink()
    assert check_key_directory(setup.directory) == []


def test_of_a_directory_that_keygen_did_not_write_the_key_is_not_to_be_made_again(tmp_path: Path) -> None:
    [found] = check_key_directory(tmp_path)
    assert found.message == f"{tmp_path / 'jwk.json'} does not exist or cannot be read."
    assert found.fix.startswith("Give the directory that `keygen` wrote")


def test_no_finding_holds_a_key_or_a_secret(setup: Setup) -> None:
    body = (setup.directory / "private-key.pem").read_text().splitlines()[3]
    setup.environ |= {"SALESFORCE_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----" + body, "SALESFORCE_KEY_ID": "x"}
    text = repr(run_checks(setup.environ, key_directory=setup.directory))
    assert body not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("codes_found", "expected"),
    [
        ((), "0 errors, 0 warnings, 0 unchecked"),
        (("secret-pem",), "1 error, 0 warnings, 0 unchecked"),
        (("secret-pem", "key-not-pem", "certificate-renew"), "2 errors, 1 warning, 0 unchecked"),
        (("certificate-renew", "secret-weak", "unknown-fin"), "0 errors, 2 warnings, 1 unchecked"),
    ],
    ids=["none", "error", "errors", "warnings"],
)
def test_the_summary_counts_in_english(codes_found: tuple[str, ...], expected: str) -> None:
    assert summary([CATALOGUE[code] for code in codes_found]) == expected


def test_a_report_says_the_level_in_a_word_and_lists_errors_first() -> None:
    text = report([CATALOGUE[code] for code in ("unknown-fin", "certificate-renew", "secret-pem")])
    assert [line.split(":")[0].strip() for line in text.splitlines()[2::3]] == ["error", "warning", "unchecked"]
    assert [line[0] for line in text.splitlines()[::3]] == ["✗", "!", "?"]


def test_the_json_holds_every_field_and_the_counts() -> None:
    entry = CATALOGUE["certificate-renew"]
    document = json.loads(as_json([entry, entry], token="x"))
    assert document["token"] == "x"
    assert document["summary"] == {"error": 0, "warning": 2, "unchecked": 0}
    assert document["findings"][0] == {
        "code": "certificate-renew",
        "check": entry.check,
        "level": "warning",
        "message": entry.message,
        "fix": entry.fix,
        "evidence": str(entry.evidence),
        "url": entry.url,
    }


SOURCE = StringKeySource(pem_of(throwaway_rsa_key()))
ANOTHER = StringKeySource(pem_of(throwaway_rsa_key(2056)))
OTHERS: dict[str, tuple[RSASigner, str, str]] = {
    "salesforce-issuer-differs": (RSASigner(SOURCE, kid=THROWAWAY_KID), "https://other.example", THROWAWAY_AUDIENCE),
    "salesforce-audience": (RSASigner(SOURCE, kid=THROWAWAY_KID), THROWAWAY_ISSUER, "https://o.my.salesforce-scrt.com"),
    "salesforce-kid-differs": (RSASigner(SOURCE, kid="other"), THROWAWAY_ISSUER, THROWAWAY_AUDIENCE),
    "salesforce-algorithm-differs": (
        RSASigner(SOURCE, kid=THROWAWAY_KID, alg="RS512"),
        THROWAWAY_ISSUER,
        THROWAWAY_AUDIENCE,
    ),
    "salesforce-signature": (RSASigner(ANOTHER, kid=THROWAWAY_KID), THROWAWAY_ISSUER, THROWAWAY_AUDIENCE),
}


@pytest.mark.parametrize("code", OTHERS)
def test_a_page_of_another_configuration_is_told_from_a_wrong_environment(code: str) -> None:
    signer, issuer, audience = OTHERS[code]
    other = replace(throwaway_builder(), salesforce=SalesforceMinter(signer, issuer=issuer, audience=audience))
    page = Document(render_snippet(other.build_settings("42")))
    found = run_checks(throwaway_environ(), page=page, issuer=THROWAWAY_ISSUER, audience=THROWAWAY_AUDIENCE)

    assert [each.code for each in found if each.level is not Level.UNCHECKED] == [code]
    assert found[0].message.startswith("In the page: ")
    assert found[0].fix.startswith("In this environment it is right: restart or redeploy")
