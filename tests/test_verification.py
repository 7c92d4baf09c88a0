"""joserfc judges every token and reads every JWK; own lines look only for what nearly matched."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from fin_messenger_auth import diagnosis, testing
from fin_messenger_auth.cli import main
from fin_messenger_auth.onboarding import make_key_directory, read_jwk
from fin_messenger_auth.sandbox import sandbox_from_env

SOURCE = Path(str(files("fin_messenger_auth")))
BUILDER = testing.throwaway_builder()
SETTINGS = BUILDER.build_settings("42")
SECRET = testing.throwaway_secret()
KEY = diagnosis.VerifyingKey(testing.throwaway_rsa_key().public_key())
ENVIRON = testing.throwaway_environ()

VERIFY: dict[str, Callable[[], object]] = {
    "demo": lambda: main(["demo"]),
    "inspect": lambda: main(["inspect", SETTINGS["intercom_user_jwt"], "--env"]),
    "doctor": lambda: diagnosis.run_checks(ENVIRON),
    "sandbox": lambda: sandbox_from_env(ENVIRON).verdict(SETTINGS),
    "testing": lambda: testing.verify(SETTINGS),
    "check_intercom_token": lambda: diagnosis.check_intercom_token(SETTINGS["intercom_user_jwt"], secret=SECRET),
    "check_salesforce_token": lambda: diagnosis.check_salesforce_token(
        SETTINGS["salesforce_identity_token"], keys=[KEY]
    ),
    "check_page": lambda: diagnosis.check_page(
        diagnosis.Document(json.dumps(SETTINGS)), diagnosis.Expected(secret=SECRET.encode(), keys=[KEY])
    ),
}


@pytest.mark.parametrize("name", VERIFY)
@pytest.mark.usefixtures("capsys")
def test_joserfc_verifies_every_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    judged: list[str] = []
    validate = jws.JWSRegistry.get_alg

    def noted(registry: jws.JWSRegistry, alg: str) -> object:
        judged.append(alg)
        return validate(registry, alg)

    monkeypatch.setattr(jws.JWSRegistry, "get_alg", noted)
    VERIFY[name]()
    assert {"HS256"} <= set(judged) or name == "check_salesforce_token"
    assert {"RS256"} <= set(judged) or name in ("inspect", "check_intercom_token")


def test_joserfc_makes_and_reads_every_jwk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[object] = []
    read = RSAKey.import_key

    def noted(value: Any, *more: Any) -> RSAKey:
        imported.append(type(value))
        return read(value, *more)

    monkeypatch.setattr(RSAKey, "import_key", noted)
    document = make_key_directory(tmp_path / "keys").jwk.read_bytes()
    assert imported[0] is bytes
    for call in (read_jwk, diagnosis.check_jwk, diagnosis.read_verifying_keys):
        imported.clear()
        call(document)
        assert dict in imported


# Functions outside joserfc's that compare a signature, and what they look at: nothing of them accepts a token.
OWN = {
    "_token_checks.py:_is_signed_with": "which alteration of the secret was signed with, after joserfc has refused",
}


def own_comparisons() -> set[str]:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = {ast.unparse(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)}
                if calls & {"hmac.compare_digest", "hmac.digest", "hmac.new", "compare_digest"}:
                    found.add(f"{path.name}:{function.name}")
    return found


def test_no_whole_token_is_verified_elsewhere() -> None:
    tokens = {name for name in own_comparisons() if name.startswith(("_token", "_page", "_judge", "_decoded", "run_"))}
    assert tokens == set(OWN)


def test_a_page_never_loads_it() -> None:
    code = (
        "import sys, fin_messenger_auth as f, fin_messenger_auth.testing._throwaway as t;"
        "b = t.throwaway_builder(); f.render_snippet(b.build_settings('42')); print('joserfc' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
