"""One rule engine: the builder raises the first of the errors that ``check_environment`` lists, and nothing else."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth._tokens import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.diagnosis import Level, check_environment
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, KeyUnavailableError
from fin_messenger_auth.testing import throwaway_environ, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Environ = dict[str, Any]

SECRET = throwaway_secret()
PEM = pem_of(throwaway_rsa_key()).decode()
ENCRYPTED = (
    throwaway_rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"horse")).decode()
)
PUBLIC_KEY = throwaway_rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
EC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
TRUNCATED = PEM[:500]  # refused before the 60 ms that a whole key takes to be parsed

OWN_KEY: Environ = throwaway_environ()
FIN_MANAGED: Environ = {
    "INTERCOM_APP_ID": "throwaway",
    "INTERCOM_MESSENGER_SECRET": SECRET,
    "SALESFORCE_IDENTITY": "fin-managed",
}
UNREADABLE_KEY = OWN_KEY | {"SALESFORCE_PRIVATE_KEY": TRUNCATED}

MISSING: Any = object()


def ways_to_spoil(value: str) -> Environ:
    """What a variable may hold instead of its value, by name."""
    return {
        "missing": MISSING,
        "empty": "",
        "blank": " \t\n",
        "space before": f" {value}",
        "space after": f"{value} ",
        "newline before": f"\n{value}",
        "newline after": f"{value}\n",
        "carriage return after": f"{value}\r\n",
        "double quotes": f'"{value}"',
        "single quotes": f"'{value}'",
        "backquotes": f"`{value}`",
        "one quote": f'{value}"',
        "byte order mark": f"\ufeff{value}",
        "no-break space": f"{value}\u00a0",
        "zero-width space": f"{value}\u200b",
        "Latin-1 bytes": f"{value[:2]}\udce4{value[2:]}",
        "lone surrogate": f"{value[:2]}\ud800{value[2:]}",
        "None": None,
        "int": 42,
        "bytes": value.encode(),
        "list": [value],
        "True": True,
    }


OTHER_VALUES: dict[str, Environ] = {
    "INTERCOM_APP_ID": {"not ASCII": "abç"},
    "INTERCOM_MESSENGER_SECRET": {
        "short": "hunter2",
        "weak": "s" * 20,
        "a key": PUBLIC_KEY,
        "two newlines": "s" * 40 + "\n\n",
    },
    "INTERCOM_REGION": {"au": "au", "unknown": "mars", "upper case": "EU", "an origin": "https://api-iam.intercom.io"},
    "INTERCOM_TOKEN_LIFETIME": {"zero": "0", "short": "60", "words": "1 hour", "huge": "9" * 30, "Arabic": "٣٦٠٠"},
    "MESSENGER_ON_SIGNING_ERROR": {"other": "ignore", "anonymous": "anonymous", "upper case": "Raise"},
    "SALESFORCE_IDENTITY": {"other": "fin", "upper case": "Fin-Managed"},
    "SALESFORCE_PRIVATE_KEY": {
        "truncated": TRUNCATED,
        "encrypted": ENCRYPTED,
        "public": PUBLIC_KEY,
        "EC": EC_KEY.decode(),
        "weak": pem_of(throwaway_rsa_key(1024)).decode(),
        "OpenSSH": "-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n",
        "certificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        "not Base64": "-----BEGIN PRIVATE KEY-----\n?\n-----END PRIVATE KEY-----\n",
        "the secret": SECRET,
        "written newlines": PEM.replace("\n", "\\n"),
    },
    "SALESFORCE_KEY_ID": {"not ASCII": "schlüssel"},
    "SALESFORCE_ISSUER": {"Fin's": "fin.ai", "a slash": "https://issuer.example/"},
    "SALESFORCE_AUDIENCE": {
        "placeholder": AUDIENCE_PLACEHOLDER,
        "a slash": "https://acme.my.salesforce-scrt.com/",
        "org": "https://acme.my.salesforce.com",
    },
    "SALESFORCE_PRIVATE_KEY_PASSWORD": {"wrong": "hunter2"},
    "SALESFORCE_TOKEN_LIFETIME": {"zero": "0", "short": "60", "words": "1 hour", "a fraction": "3600.5"},
}
PATHS = {
    "not there": "/nowhere/at/all",
    "relative": SECRET,
    "a directory": "/",
    "NUL": "a\0b",
    "too long": "x" * 5000,
    "a key": PEM,
    "surrogate": "\ud800",
    "None": None,
    "bytes": b"/etc/passwd",
    "blank": " ",
}
DEFAULTS = {
    "INTERCOM_REGION": "eu",
    "INTERCOM_TOKEN_LIFETIME": "3600",
    "MESSENGER_ON_SIGNING_ERROR": "raise",
    "SALESFORCE_TOKEN_LIFETIME": "3600",
    "SALESFORCE_PRIVATE_KEY_PASSWORD": "horse",
}
IN_FILES = ("INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD")

# Each fault: which variable, which value instead, by a name for the test's id.
FAULTS: dict[str, tuple[str, Any]] = {
    f"{variable} {how}": (variable, value)
    for variable, others in OTHER_VALUES.items()
    for how, value in {
        **ways_to_spoil({**FIN_MANAGED, **OWN_KEY, **DEFAULTS}[variable]),
        **others,
    }.items()
} | {
    f"{variable}_FILE {how}{also}": (f"{variable}_FILE", path)
    for variable in (*IN_FILES, "SALESFORCE_KEY_ID")
    for how, path in PATHS.items()
    for also in (f" in place of {variable}", " too")
}


def with_faults(environ: Environ, *faults: str) -> Environ:
    changed = environ | dict(FAULTS[fault] for fault in faults)
    in_a_file = {FAULTS[fault][0].removesuffix("_FILE") for fault in faults if " in place of " in fault}
    return {name: value for name, value in changed.items() if value is not MISSING and name not in in_a_file}


WITH_THE_WHOLE_KEY = [
    f"SALESFORCE_{name} {how}"
    for name in ("KEY_ID", "ISSUER", "AUDIENCE", "TOKEN_LIFETIME", "PRIVATE_KEY_PASSWORD")
    for how in ("missing", "space after", "bytes")
] + ["SALESFORCE_AUDIENCE a slash", "SALESFORCE_AUDIENCE placeholder", "SALESFORCE_ISSUER Fin's"]
TYPICAL = [
    fault
    for fault in FAULTS
    if fault.partition(" ")[2]
    in {
        "missing",
        "blank",
        "space after",
        "None",
        "unknown",
        "other",
        "zero",
        "short",
        "weak",
        "not there too",
        "Fin's",
    }
    and fault not in {"SALESFORCE_PRIVATE_KEY space after", "SALESFORCE_PRIVATE_KEY weak"}  # which take long
]


def environments_with_another_signer() -> Iterator[tuple[str, Environ]]:
    with_signer = {name: value for name, value in OWN_KEY.items() if name != "SALESFORCE_PRIVATE_KEY"}
    for how, value in ways_to_spoil("aws-kms").items():
        if value is not MISSING:
            yield f"signer, {how}", with_signer | {"SALESFORCE_SIGNER": value}
    yield "signer, its name", with_signer | {"SALESFORCE_SIGNER": "aws-kms"}
    yield "signer, an unknown one", with_signer | {"SALESFORCE_SIGNER": "vault"}
    yield "signer, and a key", UNREADABLE_KEY | {"SALESFORCE_SIGNER": "aws-kms"}


def environments() -> Iterator[tuple[str, Environ]]:
    yield "nothing", {}
    yield "own key", OWN_KEY
    yield "Fin-managed", FIN_MANAGED
    yield "both", FIN_MANAGED | UNREADABLE_KEY
    yield "no choice", {name: OWN_KEY[name] for name in FIN_MANAGED if name in OWN_KEY}
    for password in ("horse", "hunter2"):
        encrypted = {"SALESFORCE_PRIVATE_KEY": ENCRYPTED, "SALESFORCE_PRIVATE_KEY_PASSWORD": password}
        yield f"encrypted key, {password}", OWN_KEY | encrypted
    for fault in FAULTS:
        if not fault.startswith("SALESFORCE_") or fault.startswith("SALESFORCE_IDENTITY"):
            yield f"Fin-managed, {fault}", with_faults(FIN_MANAGED, fault)
        if fault.startswith("SALESFORCE_") and not fault.startswith("SALESFORCE_PRIVATE_KEY "):
            yield f"unreadable key, {fault}", with_faults(UNREADABLE_KEY, fault)
    for fault in FAULTS:
        if fault.startswith(("SALESFORCE_PRIVATE_KEY ", "SALESFORCE_PRIVATE_KEY_FILE ")) or (
            fault in WITH_THE_WHOLE_KEY
        ):
            yield f"own key, {fault}", with_faults(OWN_KEY, fault)
    yield from environments_with_another_signer()
    for first, second in itertools.combinations(TYPICAL, 2):
        if FAULTS[first][0] != FAULTS[second][0] and first.startswith("INTERCOM_"):
            base = FIN_MANAGED if second.startswith("INTERCOM_") else UNREADABLE_KEY
            yield f"{first}, {second}", with_faults(base, first, second)


ENVIRONMENTS = dict(environments())


def check_same_judgement(environ: Environ, prefix: str = "") -> ConfigurationError | KeyUnavailableError | None:
    """Assert that builder and diagnosis judge an environment alike; return the builder's error."""
    error: ConfigurationError | KeyUnavailableError | None = None
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        try:
            TokenPairBuilder.from_env(environ, prefix=prefix)
        except (ConfigurationError, KeyUnavailableError) as caught:
            error = caught
    findings = [each for each in check_environment(environ, prefix=prefix) if each.code != "file-permissions"]

    errors = [(each.code, each.message) for each in findings if each.level is Level.ERROR]
    assert errors[:1] == ([] if error is None else [(error.code, str(error))])
    raised_at = next((n for n, each in enumerate(findings) if each.level is Level.ERROR), len(findings))
    warned = [each.message for each in issued]
    assert all(type(each) is FinMessengerAuthWarning for each in warned)
    assert [(each.code, str(each)) for each in warned if isinstance(each, FinMessengerAuthWarning)] == [
        (each.code, each.message) for each in findings[:raised_at]
    ]
    assert not any(hidden in each.message for each in findings for hidden in (SECRET, "hunter2", PEM.splitlines()[5]))
    return error


def test_there_are_many_environments_of_every_kind() -> None:
    of_one_key = [
        environ
        for name, environ in ENVIRONMENTS.items()
        if not name.startswith("own key") or name.startswith("own key, SALESFORCE_PRIVATE_KEY")
    ]
    codes = {each.code for environ in of_one_key for each in check_environment(environ)}

    assert len(ENVIRONMENTS) >= 500
    assert codes - {"file-permissions"} == {
        *("argument-invalid", "value-wrapped", "region-unknown", "lifetime-invalid", "lifetime-short"),
        *("variable-missing", "variable-and-file", "key-unavailable", "placeholder", "signer-invalid"),
        *("salesforce-signer-unset", "salesforce-signer-ambiguous", "salesforce-audience", "issuer-fin"),
        *("secret-short", "secret-weak", "secret-pem"),
        *(
            "key-not-pem",
            "key-public",
            "key-container",
            "value-encoding",
            "key-wrapped",
            "value-credential",
            "key-damaged",
            "key-not-rsa",
            "key-weak",
        ),
        *("key-password-missing", "key-password-wrong", "key-password-unneeded"),
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_builder_refuses_exactly_what_has_an_error(name: str) -> None:
    check_same_judgement(ENVIRONMENTS[name])


NOT_PARSED = [
    fault
    for fault in FAULTS
    if not fault.startswith("SALESFORCE_PRIVATE_KEY ") or fault.endswith((" blank", " surrogate", " None", " bytes"))
]


@pytest.mark.parametrize("fault", NOT_PARSED)
def test_a_fault_is_refused_by_the_name_of_its_variable_and_prefix(fault: str) -> None:
    variable, _ = FAULTS[fault]
    base = UNREADABLE_KEY if variable.startswith("SALESFORCE_") else FIN_MANAGED
    prefixed = {f"MY_{name}": value for name, value in with_faults(base, fault).items()}

    error = check_same_judgement(prefixed | OWN_KEY, "MY_")

    allowed = error is None or "is truncated" in str(error)
    assert allowed or f"MY_{variable.removesuffix('_FILE')}" in str(error)
    assert error is None or str(error.variable).startswith("MY_")


cheap_keys = st.sampled_from([TRUNCATED, PUBLIC_KEY, SECRET, "", MISSING, None, b"key"])
values = {
    variable: (
        cheap_keys
        if variable == "SALESFORCE_PRIVATE_KEY"
        else st.sampled_from([value for name, value in FAULTS.values() if name == variable]) | st.text()
    )
    for variable in {name for name, _ in FAULTS.values()}
}


@given(st.sampled_from([{}, FIN_MANAGED, UNREADABLE_KEY]), st.fixed_dictionaries({}, optional=values))
@settings(deadline=None, max_examples=300)
def test_any_combination_is_judged_alike(base: Environ, changed: Environ) -> None:
    check_same_judgement({name: value for name, value in (base | changed).items() if value is not MISSING})


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_files_are_judged_alike(tmp_path: Path, mode: int) -> None:
    contents = {
        "INTERCOM_MESSENGER_SECRET": f"{SECRET}\n",
        "SALESFORCE_PRIVATE_KEY": ENCRYPTED,
        "SALESFORCE_PRIVATE_KEY_PASSWORD": "horse\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    paths = {f"{name}_FILE": str(tmp_path / name) for name in IN_FILES}
    environ = {name: value for name, value in OWN_KEY.items() if name not in IN_FILES} | paths

    assert check_same_judgement(environ) is None
    (tmp_path / "INTERCOM_MESSENGER_SECRET").write_text(f" {SECRET}\n")
    (tmp_path / "SALESFORCE_PRIVATE_KEY_PASSWORD").write_text("")
    error = check_same_judgement(environ)
    assert error is not None
    assert error.code == "value-wrapped"
    (tmp_path / "INTERCOM_MESSENGER_SECRET").write_text("")
    error = check_same_judgement(environ)
    assert error is not None
    assert error.code == "secret-short"
