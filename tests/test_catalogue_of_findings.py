"""The catalogue as a whole: each entry can be formatted, and a test triggers it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth import (
    IntercomMinter,
    MessengerUser,
    RSASigner,
    StringKeySource,
    TokenPairBuilder,
    diagnosis,
    identify,
    render_snippet,
)
from fin_messenger_auth._environment import MEANINGS
from fin_messenger_auth._keys import FileKeySource, read_key
from fin_messenger_auth.diagnosis import (
    CATALOGUE,
    Level,
    _checks,
    check_intercom_token,
    check_salesforce_token,
)
from fin_messenger_auth.diagnosis._findings import finding_of
from fin_messenger_auth.errors import (
    ConfigurationError,
    InvalidClaimError,
    KeyUnavailableError,
    collect_warnings,
)
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ
from tests import broken_keys, broken_pages, broken_setups, broken_sites, broken_tokens, more_sites, shapes

if TYPE_CHECKING:
    from collections.abc import Callable

BUILDER = throwaway_builder()
SOURCE = Path(diagnosis.__file__).parents[1]


class AsyncOnly:
    alg, kid = "HS256", None

    async def asign(self, _signing_input: bytes, /) -> bytes:
        return b""


def user(**arguments: Any) -> MessengerUser:
    return MessengerUser("42", **arguments)


def build_settings(**settings: Any) -> object:
    return BUILDER.build_settings(user(), **settings)


# What the core raises or warns of, outside an environment: one small case for each code.
CORE: dict[str, Callable[[], object]] = {
    "argument-invalid": lambda: StringKeySource(None),  # type: ignore[arg-type]
    "value-blank": lambda: RSASigner(StringKeySource(broken_keys.PEM), kid=" "),
    "value-wrapped": lambda: RSASigner(StringKeySource(broken_keys.PEM), kid="key-1\n"),
    "key-unavailable": lambda: read_key(FileKeySource("/nowhere/key.pem")),
    "signer-invalid": lambda: IntercomMinter(object()),  # type: ignore[arg-type]
    "algorithm-differs": lambda: TokenPairBuilder.from_env(
        {**throwaway_environ(), "SALESFORCE_PRIVATE_KEY": "", "SALESFORCE_ALGORITHM": "RS512"},
        salesforce_signer=RSASigner(StringKeySource(broken_keys.PEM), kid="throwaway"),
    ),
    "kid-differs": lambda: TokenPairBuilder.from_env(
        {**throwaway_environ(), "SALESFORCE_PRIVATE_KEY": ""},
        salesforce_signer=RSASigner(StringKeySource(broken_keys.PEM), kid="another"),
    ),
    "signer-async-only": lambda: IntercomMinter(AsyncOnly()).mint(user(), 0),
    "user-unidentified": lambda: identify(object()),
    "user-id-lost": lambda: MessengerUser("null"),
    "user-id-email": lambda: MessengerUser("ada@example.com"),
    "claim-invalid": lambda: user(attributes={"plan": object()}),
    "claim-reserved": lambda: user(attributes={"exp": 1}),
    "integer-unsafe": lambda: user(attributes={"seats": 2**53}),
    "attribute-name": lambda: user(attributes={"plan.name": "pro"}),
    "attribute-value": lambda: user(attributes={"note": "x" * 256}),
    "attribute-count": lambda: user(attributes={f"plan{number}": number for number in range(251)}),
    "setting-unknown": lambda: build_settings(colour="red"),
    "setting-invalid": lambda: build_settings(z_index="1"),
    "setting-reserved": lambda: build_settings(extra={"user_hash": "x"}),
    "clock-wrong": lambda: throwaway_builder(clock=lambda: 0),
    "nonce-invalid": lambda: render_snippet({"app_id": "a"}, nonce="a b"),
}

TABLES = {
    *(code for case in (*broken_tokens.BROKEN_INTERCOM, *broken_tokens.BROKEN_SALESFORCE) for code in case.codes),
    *(code for case in broken_tokens.BROKEN_PAGES for code in case.codes),
    *(code for case in broken_keys.BROKEN for code in case.codes),
    *(code for case in broken_setups.BROKEN for code in case.codes),
    *(case.code for case in shapes.SHAPES if case.code),
    *(case.code for case in shapes.VALUES if case.code),
    *(case.code for case in broken_sites.BROKEN_SITES),
    *(case.code for case in (*broken_pages.BROKEN_PAGES, *more_sites.MORE_BROKEN)),
}
"""The codes that a row of a table triggers: other tests run each row, and require exactly its codes."""

ELSEWHERE = {
    "test_doctor_online.py": re.compile(r"online-"),
    "test_doctor_of_sites.py": re.compile(r"page-[cus]"),
    "test_doctor.py": re.compile(r"unknown-|unchecked$"),
    "test_diagnosis_of_tokens.py": re.compile(r"pair-"),
    "test_remote_failures.py": re.compile(r"remote-|pkcs11-"),
    "test_material.py": re.compile(r"key-[cp]"),
}
"""The codes that a test of a file names."""


def codes_of(case: Callable[[], object]) -> list[str]:
    """The code of the error that ``case`` raises, or else of its warnings."""
    with collect_warnings() as problems:
        try:
            case()
        except (ConfigurationError, InvalidClaimError, KeyUnavailableError) as error:
            return [error.code]
    return [each.code for each in problems]


@pytest.mark.parametrize("code", CORE)
def test_the_core_raises_or_warns_of_it(code: str) -> None:
    assert codes_of(CORE[code]) == [code]
    assert code in CATALOGUE


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_test_triggers_it(code: str) -> None:
    if code in CORE or code in TABLES:
        return
    [file] = [name for name, pattern in ELSEWHERE.items() if pattern.match(code)]
    assert f'"{code}"' in Path(__file__).with_name(file).read_text(encoding="utf-8")


def test_the_tables_name_no_code_that_does_not_exist() -> None:
    assert TABLES | set(CORE) <= set(CATALOGUE)


NO_CODES = {
    "aws-kms",
    "azure-key-vault",
    "google-cloud-kms",
    "fin-messenger-auth-doctor",
    "fin-messenger-auth",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "cache-control",
    "cache-status",
    "cf-cache-status",
    "x-cache",
    "x-drupal-cache",
    "x-proxy-cache",
    "x-vercel-cache",
    "no-store",
    "content-type",
    "content-security-policy",
    "http-equiv",
    "allow-scripts",
    "connect-src",
    "default-src",
    "script-src",
    "style-src",
    "require-trusted-types-for",
    "sign-in",
    "json-invalid",
    "json-twice",
}  # of diagnosis


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_source_names_no_code_that_does_not_exist(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    given = [call.args[1:] for call in calls if ast.unparse(call.func).endswith(("Error", "Warning"))]
    given += [call.args[:1] for call in calls if ast.unparse(call.func) == "finding"]
    texts = {each.value for arguments in given for each in arguments if isinstance(each, ast.Constant)}
    assert {each for each in texts if isinstance(each, str) and " " not in each} <= set(CATALOGUE)
    if path.parent.name == "diagnosis":  # it has tables of codes, too
        hyphened = {str(each.value) for each in nodes if isinstance(each, ast.Constant)}
        assert {each for each in hyphened if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", each)} <= {*CATALOGUE, *NO_CODES}


def test_the_tables_of_causes_and_of_signers_name_what_exists() -> None:
    codes = {*_checks._ONCE, *_checks._CONSEQUENCES, *(each for row in _checks._CONSEQUENCES.values() for each in row)}
    assert codes <= {*CATALOGUE}
    assert {variable for variable, _ in _checks._REMOTE.values()} <= MEANINGS.keys()
    assert all(re.fullmatch("[A-Z0-9_]+", name) for name in MEANINGS)


def test_a_fix_names_the_variable_that_is_meant() -> None:
    problem = ConfigurationError("It is unknown.", "region-unknown", variable="MY_INTERCOM_REGION")
    assert finding_of(problem).fix.startswith("Set MY_INTERCOM_REGION to the region")


def test_the_tables_hold_pairs_of_faults() -> None:
    tokens = [*broken_tokens.BROKEN_INTERCOM, *broken_tokens.BROKEN_SALESFORCE]
    codes = [case.codes for case in tokens]
    codes += [case.codes for case in broken_keys.BROKEN] + [case.codes for case in broken_setups.BROKEN]
    assert sum(len(each) > 1 for each in codes) >= 15


def test_there_is_one_code_for_one_cause_and_fix() -> None:
    assert len(CATALOGUE) <= 155
    texts = [entry.message for entry in CATALOGUE.values() if entry.message]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_can_be_formatted_and_reads_well(code: str) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert (entry.level is Level.UNCHECKED) == bool(re.match(r"unknown-|unchecked$", code))
    assert entry.url is None or entry.url.startswith("https://")
    for template in filter(None, (entry.message, entry.fix)):
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        text = template.format(**dict.fromkeys(names, "x"))
        assert template.endswith((".", "?", "}"))
        assert not re.search(r"\{\w*\}|  |(?<!There )\bis no\b|\banew\b|\bmend|\bblanks\b|line end|truth value", text)


def test_each_placeholder_is_filled_in() -> None:
    """A placeholder that a check does not give raises ``KeyError``; one in the fix of a core error would be shown."""
    found = [each for case in broken_keys.BROKEN for each in case.find()]
    for case in broken_tokens.BROKEN_INTERCOM:
        options = {"secret": broken_tokens.SECRET, "now": broken_tokens.NOW, **case.options}
        found += check_intercom_token(case.token, **options)
    for case in broken_tokens.BROKEN_SALESFORCE:
        found += check_salesforce_token(case.token, now=broken_tokens.NOW, **case.options)
    assert len({each.code for each in found}) >= 40
    assert [each for each in found if re.search(r"\{[a-z]+\}", each.message + each.fix)] == []


PRINTED = re.compile(r"""\bfinding\(\s*f?"([^"]+)\"""")


def test_a_message_that_an_error_says_itself_is_not_written_twice() -> None:
    source = Path(diagnosis.__file__).parent
    printed = {code for path in source.glob("*.py") for code in PRINTED.findall(path.read_text("utf-8"))}
    printed |= {"intercom-expiry-missing", "salesforce-expiry-missing"}  # of an f-string
    printed -= {"jwk-document"}  # a variant of it has a message
    assert {entry.code for entry in CATALOGUE.values() if entry.message} == printed & CATALOGUE.keys()
