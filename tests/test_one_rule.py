"""One rule, written once: what the builder refuses or warns of, the doctor reports, by the same code."""

from __future__ import annotations

import itertools
import warnings
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

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

from fin_messenger_auth import (
    FinMessengerAuthError,
    FinMessengerAuthWarning,
    TokenPairBuilder,
)
from fin_messenger_auth.diagnosis import (
    CATALOGUE,
    Finding,
    Level,
    check_environment,
)
from fin_messenger_auth.environment import IN_FILES, INTERCOM_VARIABLES, SALESFORCE_VARIABLES
from fin_messenger_auth.pem import read_private_key
from fin_messenger_auth.salesforce import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.testing import throwaway_environ, throwaway_rsa_key
from fin_messenger_auth.testing.throwaway import pem_of

MISSING = object()
OWN_KEY: dict[str, Any] = throwaway_environ()
SECRET, PEM = OWN_KEY["INTERCOM_MESSENGER_SECRET"], OWN_KEY["SALESFORCE_PRIVATE_KEY"]
FIN_MANAGED: dict[str, Any] = {
    "SALESFORCE_IDENTITY": "fin-managed",
    **{name: OWN_KEY[name] for name in INTERCOM_VARIABLES},
}
KEY, WEAK_KEY, EC_KEY = throwaway_rsa_key(), throwaway_rsa_key(1024), ec.generate_private_key(ec.SECP256R1())
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"horse")).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PASSWORD = "SALESFORCE_PRIVATE_KEY_PASSWORD"

FILES: dict[str, bytes] = {
    "secret": SECRET.encode() + b"\n",
    "secret in quotes": b'"' + SECRET.encode() + b'"\n',
    "key": PEM.encode(),
    "encrypted": ENCRYPTED.encode(),
    "password": b"horse\n",
    "other password": b"mule",
    "empty": b"",
}


class InFile(str):
    """The name of one of ``FILES``, to become its path."""

    __slots__ = ()


Changes = dict[str, Any]
Faults = dict[str, tuple[Changes, str | None]]


def each(name: str, code: str | None, **values: Any) -> Faults:
    return {f"{name} {label}": ({name: value}, code) for label, value in values.items()}


def wrong_types(name: str) -> Faults:
    return each(name, "argument-invalid", none=None, int=7, bool=True, bytes=b"x" * 32, list=["x"], dict={"x": "y"})


def lost(name: str) -> Faults:
    return each(name, "variable-missing", missing=MISSING, empty="", space=" ", newline="\n", nbsp="\u00a0")


def wrapped(name: str) -> Faults:
    value = OWN_KEY[name]
    around = {
        "space before": f" {value}",
        "space behind": f"{value} ",
        "tab": f"\t{value}",
        "two newlines": f"{value}\n\n",
        "double quotes": f'"{value}"',
        "single quotes": f"'{value}'",
        "backtick": f"`{value}",
        "byte order mark": f"\ufeff{value}",
        "no-break space": f"{value}\u00a0",
        "zero-width space": f"{value}\u200b",
    }
    return each(name, "value-wrapped", **around)


NO_LIFETIMES = ("0", "-1", "1h", "nan", "1e3", "3600.5", "9" * 20, "9" * 5000, "٣٦٠٠", "1_000", "0x10", "0" * 11 + "1")

INTERCOM_FAULTS: Faults = {
    **lost("INTERCOM_APP_ID"),
    **wrapped("INTERCOM_APP_ID"),
    **wrong_types("INTERCOM_APP_ID"),
    **each("INTERCOM_APP_ID", "argument-invalid", surrogate="ab\udce4c"),
    **lost("INTERCOM_MESSENGER_SECRET"),
    **wrapped("INTERCOM_MESSENGER_SECRET"),
    **wrong_types("INTERCOM_MESSENGER_SECRET"),
    **each("INTERCOM_MESSENGER_SECRET", "secret-short", short="hunter2", fifteen="s" * 15, quotes='""'),
    **each("INTERCOM_MESSENGER_SECRET", "secret-weak", sixteen="s" * 16, thirty_one="s" * 31),
    **each("INTERCOM_MESSENGER_SECRET", "secret-pem", private=PEM, public=PUBLIC),
    **each("INTERCOM_MESSENGER_SECRET", "key-unavailable", surrogate="s" * 32 + "\ud800"),
    **each(
        "INTERCOM_MESSENGER_SECRET", None, longest="s" * 5000, newline_behind=SECRET + "\n", latin="s" * 32 + "\udce4"
    ),
    **each("INTERCOM_REGION", "region-unknown", mars="mars", upper="US", spaces=" us ", newline="eu\n", quotes="'eu'"),
    **each("INTERCOM_REGION", None, us="us", eu="eu", ap="ap", au="au", empty="", space=" "),
    **wrong_types("INTERCOM_REGION"),
    **each("INTERCOM_TOKEN_LIFETIME", "lifetime-invalid", **{each[:12]: each for each in NO_LIFETIMES}),
    **each("INTERCOM_TOKEN_LIFETIME", "lifetime-short", second="1", almost="299"),
    **each("INTERCOM_TOKEN_LIFETIME", None, least="300", spaces=" 900\n", empty="", longest="9" * 10),
    **wrong_types("INTERCOM_TOKEN_LIFETIME"),
    **each(
        "SALESFORCE_IDENTITY", "salesforce-signer-ambiguous", other="fin", upper="FIN-MANAGED", space="fin-managed "
    ),
    **wrong_types("SALESFORCE_IDENTITY"),
}
"""By what it is: what is changed, and the code that must be found; ``None`` where nothing is wrong."""

SALESFORCE_FAULTS: Faults = {
    **{
        name: fault
        for variable in SALESFORCE_VARIABLES
        for name, fault in {**lost(variable), **wrong_types(variable)}.items()
    },
    **{name: fault for variable in SALESFORCE_VARIABLES[1:] for name, fault in wrapped(variable).items()},
    **{
        name: fault
        for variable in SALESFORCE_VARIABLES[1:]
        for name, fault in each(variable, "argument-invalid", surrogate="x\ud800x").items()
    },
    **each("SALESFORCE_ISSUER", "issuer-fin", fin="fin.ai", upper="FIN.AI"),
    **each("SALESFORCE_ISSUER", None, slash="https://issuer.example/", inner_space="the issuer", inner_quote="it's it"),
    **each("SALESFORCE_AUDIENCE", "placeholder", placeholder=AUDIENCE_PLACEHOLDER),
    **each(
        "SALESFORCE_AUDIENCE",
        "salesforce-audience",
        slash="https://acme.my.salesforce-scrt.com/",
        http="http://acme.my.salesforce-scrt.com",
        org="https://acme.my.salesforce.com",
    ),
    **each("SALESFORCE_TOKEN_LIFETIME", "lifetime-invalid", **{each[:12]: each for each in NO_LIFETIMES}),
    **each("SALESFORCE_TOKEN_LIFETIME", "lifetime-short", second="1", almost="299"),
    **each("SALESFORCE_TOKEN_LIFETIME", None, least="300", empty=""),
    **wrong_types("SALESFORCE_TOKEN_LIFETIME"),
    **each("SALESFORCE_IDENTITY", "salesforce-signer-ambiguous", fin="fin-managed", other="own"),
    **each("SALESFORCE_PRIVATE_KEY", "key-not-pem", secret=SECRET, path="/run/key.pem", jwk='{"kty":"RSA"}'),
    **each("SALESFORCE_PRIVATE_KEY", "key-public", public=PUBLIC),
    **each("SALESFORCE_PRIVATE_KEY", "key-weak", weak=pem_of(WEAK_KEY).decode()),
    **each(
        "SALESFORCE_PRIVATE_KEY",
        "key-not-rsa",
        ec=EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        sec1=EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
    ),
    **each(
        "SALESFORCE_PRIVATE_KEY",
        "key-openssh",
        openssh=KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
    ),
    **each("SALESFORCE_PRIVATE_KEY", "key-damaged", truncated=PEM[:800], lines_lost=PEM[:200] + PEM[400:]),
    **each("SALESFORCE_PRIVATE_KEY", "key-password-missing", encrypted=ENCRYPTED),
    **each(
        "SALESFORCE_PRIVATE_KEY",
        None,
        escaped=PEM.replace("\n", r"\n"),
        crlf=PEM.replace("\n", "\r\n"),
        bom="\ufeff" + PEM,
    ),
    "the password": ({"SALESFORCE_PRIVATE_KEY": ENCRYPTED, PASSWORD: "horse"}, None),
    "a wrong password": ({"SALESFORCE_PRIVATE_KEY": ENCRYPTED, PASSWORD: "mule"}, "key-password-wrong"),
    **each(PASSWORD, "key-password-unneeded", unneeded="horse"),
    **each(PASSWORD, None, empty="", space=" "),
    **wrong_types(PASSWORD),
}


def in_file(variable: str, name: str, code: str | None) -> Faults:
    return {f"{variable} in the file {name}": ({variable: MISSING, f"{variable}_FILE": InFile(name)}, code)}


NO_FILES = {"no file": "/nowhere/at/all", "a folder": "/", "a null path": "a\0b", "a surrogate": "/\ud800"}
FILE_FAULTS: Faults = {
    **in_file("INTERCOM_MESSENGER_SECRET", "secret", None),
    **in_file("INTERCOM_MESSENGER_SECRET", "secret in quotes", "value-wrapped"),
    **in_file("INTERCOM_MESSENGER_SECRET", "empty", "secret-short"),
    **in_file("SALESFORCE_PRIVATE_KEY", "key", None),
    **in_file("SALESFORCE_PRIVATE_KEY", "encrypted", "key-password-missing"),
    **in_file("SALESFORCE_PRIVATE_KEY", "empty", "key-not-pem"),
    **{
        f"encrypted, {name}": ({"SALESFORCE_PRIVATE_KEY": ENCRYPTED, f"{PASSWORD}_FILE": InFile(name)}, code)
        for name, code in {
            "password": None,
            "other password": "key-password-wrong",
            "empty": "key-password-missing",
        }.items()
    },
    **{
        f"{name} twice": ({name: OWN_KEY.get(name, "x"), f"{name}_FILE": "/run/x"}, "variable-and-file")
        for name in IN_FILES
    },
    **{
        f"{name} in {label}": ({name: MISSING, f"{name}_FILE": path}, "key-unavailable")
        for name in IN_FILES
        for label, path in NO_FILES.items()
    },
    **{f"{name} for its path": ({name: MISSING, f"{name}_FILE": PEM}, "argument-invalid") for name in IN_FILES},
    **{name: fault for variable in IN_FILES for name, fault in wrong_types(f"{variable}_FILE").items()},
}

FIN_MANAGED_FAULTS: Faults = {
    **INTERCOM_FAULTS,
    **{name: fault for name, fault in FILE_FAULTS.items() if name.startswith("INTERCOM")},
    **{
        f"with {name}": ({name: OWN_KEY[name]}, "salesforce-signer-ambiguous") for name in SALESFORCE_VARIABLES
    },
    "nobody signs": ({"SALESFORCE_IDENTITY": MISSING}, "salesforce-signer-unset"),
    "nobody signs, blank": ({"SALESFORCE_IDENTITY": " "}, "salesforce-signer-unset"),
    "the names of others": ({"SALESFORCE_USERNAME": 7, "SALESFORCE_TOKEN": ""}, None),
}  # fmt: skip
OWN_KEY_FAULTS: Faults = {
    **{name: fault for name, fault in INTERCOM_FAULTS.items() if not name.startswith("SALESFORCE_IDENTITY")},
    **SALESFORCE_FAULTS,
    **FILE_FAULTS,
}

SINGLE = [("own key", name) for name in OWN_KEY_FAULTS] + [("fin-managed", name) for name in FIN_MANAGED_FAULTS]
BASES: dict[str, tuple[Changes, Faults]] = {
    "own key": (OWN_KEY, OWN_KEY_FAULTS),
    "fin-managed": (FIN_MANAGED, FIN_MANAGED_FAULTS),
}


@pytest.fixture(scope="module", autouse=True)
def read_each_key_once() -> Iterator[None]:
    """Parse each key once for all environments: that takes 40 ms, a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fin_messenger_auth.signers.read_private_key", cache(read_private_key))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder


HEALED = {"key-password-missing", "key-password-unneeded"}
"""Two faults that together are none: an encrypted key and a password."""


def changed(base: Changes, folder: Path, *all_changes: Changes, prefix: str = "") -> dict[str, Any]:
    environ = {**base}
    for changes in all_changes:
        environ |= changes
    return {
        prefix + name: str(folder / value) if isinstance(value, InFile) else value
        for name, value in environ.items()
        if value is not MISSING
    }


def outcome(environ: Mapping[str, Any], prefix: str = "") -> tuple[str | None, list[str]]:
    """The code of the error that the builder raises, or ``None``, and those of its warnings. Foreign errors pass."""
    code = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            TokenPairBuilder.from_env(environ, prefix=prefix)
        except FinMessengerAuthError as error:
            code = error.code  # type: ignore[attr-defined]
    assert all(type(each.message) is FinMessengerAuthWarning for each in caught)
    return code, [each.message.code for each in caught]  # type: ignore[union-attr]


def check(environ: Mapping[str, Any], prefix: str = "") -> list[Finding]:
    """Hold builder and doctor to one another, and return what the doctor found."""
    raised, warned = outcome(environ, prefix)
    findings = check_environment(environ, prefix=prefix)
    errors = [number for number, each in enumerate(findings) if each.level is Level.ERROR]

    before_the_error = (
        findings[: errors[0]] if errors else [each for each in findings if each.code != "file-permissions"]
    )
    assert raised == (findings[errors[0]].code if errors else None)
    assert warned == [each.code for each in before_the_error]
    shown = "\n".join(f"{each.message} {each.fix}" for each in findings)
    assert not any(hidden in shown for hidden in (SECRET, PEM[60:90], "hunter2", "horse", "{"))
    return findings


@pytest.mark.parametrize("prefix", ["", "MY_"], ids=["no prefix", "prefix"])
@pytest.mark.parametrize(("base", "name"), SINGLE)
def test_the_builder_refuses_a_fault_by_the_code_of_its_finding(
    base: str, name: str, prefix: str, folder: Path
) -> None:
    healthy, faults = BASES[base]
    changes, code = faults[name]
    environ = changed(healthy, folder, changes, prefix=prefix)

    findings = check(environ, prefix)

    assert (findings[0].code if findings else None) == code
    if prefix and code is not None:
        assert check(environ) != []  # without the prefix, nothing of it is seen
    if code is None or CATALOGUE[code].level is Level.WARNING:
        assert outcome(environ, prefix)[0] is None


@pytest.mark.parametrize(
    ("base", "name"), [each for each in SINGLE if each[0] == "fin-managed" or each[1] in FILE_FAULTS]
)
def test_the_builder_refuses_two_faults_by_the_code_of_the_first_finding(base: str, name: str, folder: Path) -> None:
    healthy, faults = BASES[base]
    first, code = faults[name]
    for second, other_code in itertools.islice(faults.values(), None, None, 3):
        if first.keys().isdisjoint(second):
            findings = check(changed(healthy, folder, first, second))
            assert findings or None in (code, other_code) or {code, other_code} <= HEALED


def test_the_table_is_long_enough() -> None:
    environs = {repr(changed(BASES[base][0], Path(), BASES[base][1][name][0])) for base, name in SINGLE}

    assert len(environs) >= 350
    assert len(SINGLE) * 2 >= 700  # with and without a prefix
    assert {code for faults in (OWN_KEY_FAULTS, FIN_MANAGED_FAULTS) for _, code in faults.values() if code} <= set(
        CATALOGUE
    )


def test_healthy_environments_have_no_finding() -> None:
    for environ in (OWN_KEY, FIN_MANAGED):
        for kind in (dict, MappingProxyType, ChainMap):
            assert check(kind(environ)) == []
    assert {each.code for each in check({})} == {"variable-missing", "salesforce-signer-unset"}


def pool(variable: str) -> st.SearchStrategy[Any]:
    values = [
        changes[variable]
        for changes, _ in (*OWN_KEY_FAULTS.values(), *FIN_MANAGED_FAULTS.values())
        if variable in changes and not isinstance(changes[variable], InFile)
    ]
    healthy = {**FIN_MANAGED, **OWN_KEY, "SALESFORCE_IDENTITY": MISSING}.get(variable, MISSING)
    return st.one_of(st.just(healthy), st.just(healthy), st.sampled_from(values), st.text(max_size=40))


VARIABLES = sorted({name for changes, _ in OWN_KEY_FAULTS.values() for name in changes} | {*OWN_KEY, *FIN_MANAGED})


@settings(deadline=None, max_examples=200)
@given(
    environ=st.fixed_dictionaries({name: pool(name) for name in VARIABLES}),
    fin_managed=st.booleans(),
    prefix=st.sampled_from(["", "MY_", "ä"]),
)
def test_whatever_is_combined_builder_and_doctor_agree(environ: Changes, fin_managed: bool, prefix: str) -> None:
    if fin_managed:
        environ = {name: value for name, value in environ.items() if name not in SALESFORCE_VARIABLES}
        environ["SALESFORCE_IDENTITY"] = "fin-managed"
    check(changed(environ, Path(), prefix=prefix), prefix)


@settings(deadline=None, max_examples=200)
@given(changes=st.fixed_dictionaries({}, optional={name: pool(name) for name in VARIABLES}))
def test_whatever_is_changed_builder_and_doctor_agree(changes: Changes) -> None:
    for base in (OWN_KEY, FIN_MANAGED):
        check(changed(base, Path(), changes))
