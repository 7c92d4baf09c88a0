"""The signers by their names in ``SALESFORCE_SIGNER``, as the commands and an application use them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from fin_messenger_auth import TokenPairBuilder, default_builder
from fin_messenger_auth._environment import SIGNERS, read_environment
from fin_messenger_auth._signers import public_key_of
from fin_messenger_auth.backends.azure_key_vault import AzureKeyVaultSigner
from fin_messenger_auth.backends.google_cloud_kms import GoogleCloudKMSSigner
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import Level, check_environment, run_checks
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError
from fin_messenger_auth.onboarding import read_jwk
from fin_messenger_auth.sandbox import sandbox_from_env
from fin_messenger_auth.testing import acheck_signer, throwaway_environ, throwaway_rsa_key, verify
from tests.signing_service import install, signing_service

from . import services
from .conftest import PIN, TOKEN
from .test_aws_kms import key_id, kms  # noqa: F401 - fixtures
from .test_pkcs11 import Administrator, administrator  # noqa: F401 - a fixture

Environ = dict[str, str]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the entry points of this source tree, whichever version of it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    install(tmp_path / "site", "own-signers", project["entry-points"][SIGNERS])
    monkeypatch.syspath_prepend(tmp_path / "site")


def at_a_double(name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> Environ:
    """Run a double, let the signer's own client find it, and return the variables that name the key."""
    kind = {"google-cloud-kms": "google-rest", "azure-key-vault": "azure", "vault": "vault"}[name]
    service = stack.enter_context(services.running(kind, certificate))
    if name == "google-cloud-kms":  # its client takes no address from the environment
        monkeypatch.setattr(GoogleCloudKMSSigner, "_client", lambda _signer: service.client())
        return {"SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION": services.VERSION + "1"}
    if name == "azure-key-vault":  # its client insists on a tenant that signs it in
        monkeypatch.setattr(AzureKeyVaultSigner, "_client", lambda _signer: service.client())
        return {"SALESFORCE_AZURE_KEY_VAULT_KEY_ID": f"https://{service.address}/keys/messenger/v1"}
    monkeypatch.setenv("VAULT_ADDR", f"http://{service.address}")
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    return {"SALESFORCE_VAULT_KEY": "messenger", "SALESFORCE_VAULT_KEY_VERSION": "1"}


@pytest.fixture(params=["aws-kms", "google-cloud-kms", "azure-key-vault", "vault", "pkcs11"])
def environ(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: Path
) -> Iterator[Environ]:
    """The variables of an application whose Salesforce key nobody can export."""
    variables = throwaway_environ() | {"SALESFORCE_SIGNER": request.param}
    del variables["SALESFORCE_PRIVATE_KEY"]
    stack = ExitStack()
    if request.param not in {"aws-kms", "pkcs11"}:
        variables |= at_a_double(request.param, certificate, monkeypatch, stack)
    elif request.param == "aws-kms":
        variables["SALESFORCE_AWS_KMS_KEY_ID"] = request.getfixturevalue("key_id")
        port = request.getfixturevalue("kms_port")
        for name, value in {
            "AWS_ENDPOINT_URL_KMS": f"http://127.0.0.1:{port}",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "throwaway",
        }.items():
            monkeypatch.setenv(name, value)
    else:
        pin = tmp_path / "pin"
        pin.write_text(f"{PIN}\n")
        pin.chmod(0o600)
        variables |= {
            "SALESFORCE_PKCS11_MODULE": request.getfixturevalue("hsm"),
            "SALESFORCE_PKCS11_TOKEN": TOKEN,
            "SALESFORCE_PKCS11_KEY": request.getfixturevalue("administrator").make_key(),
            "SALESFORCE_PKCS11_PIN_FILE": str(pin),
        }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SALESFORCE_PRIVATE_KEY", raising=False)
    with stack:
        yield variables


def test_the_builder_signs_with_it(environ: Environ) -> None:
    builder = TokenPairBuilder.from_env(environ)
    assert builder.salesforce
    signer: Any = builder.salesforce.signer
    public_key = public_key_of(signer)
    assert public_key

    assert verify(builder.build_settings("42"), public_key=public_key).salesforce
    assert verify(asyncio.run(builder.abuild_settings("42")), public_key=public_key).salesforce
    asyncio.run(acheck_signer(signer, public_key))


def test_doctor_and_sandbox_find_nothing_wrong(environ: Environ) -> None:
    assert [each for each in run_checks(environ) if each.level is not Level.UNCHECKED] == []

    settings = TokenPairBuilder.from_env(environ).build_settings("42")
    assert sandbox_from_env(environ).verdict(settings).salesforce == "Verified as 42"


@pytest.mark.usefixtures("environ")
def test_settings_certificate_and_jwk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certificate", "--env"]) == 0
    (tmp_path / "certificate.pem").write_text(capsys.readouterr().out)
    assert main(["jwk", "--env", "--certificate", str(tmp_path / "certificate.pem")]) == 0
    jwk = json.loads(capsys.readouterr().out)
    assert (jwk["kid"], jwk["alg"]) == ("throwaway", "RS256")
    assert main(["settings", "--user", "42"]) == 0
    assert "salesforce_identity_token" in json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("environ")
def test_the_renewal_of_a_certificate_in_python() -> None:
    page = (ROOT / "docs" / "operate" / "rotate-and-renew.md").read_text("utf-8")
    [block] = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "default_builder" in each]
    default_builder.cache_clear()
    names: dict[str, Any] = {}
    try:
        exec(block, names)
    finally:
        default_builder.cache_clear()

    assert names["jwk"]["kid"] == "throwaway"
    assert read_jwk(json.dumps(names["jwk"]).encode())


WRONG = [
    ("aws-kms", "SALESFORCE_AWS_KMS_KEY_ID", "00000000-0000-0000-0000-000000000000"),
    ("google-cloud-kms", "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION", services.VERSION + "7"),
    ("google-cloud-kms", "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION", services.VERSION + "latest"),
    ("azure-key-vault", "SALESFORCE_AZURE_KEY_VAULT_KEY_ID", "https://v.vault.azure.net/keys/messenger"),
    ("vault", "SALESFORCE_VAULT_KEY", "other"),
    ("vault", "SALESFORCE_VAULT_KEY_VERSION", "3"),
    ("vault", "SALESFORCE_VAULT_KEY_VERSION", "latest"),
    ("vault", "SALESFORCE_VAULT_KEY_VERSION", "0"),
    ("vault", "SALESFORCE_VAULT_MOUNT", "other"),
    ("pkcs11", "SALESFORCE_PKCS11_URI", "pkcs11:token=t;object=k"),
    ("pkcs11", "SALESFORCE_PKCS11_MODULE", "/nowhere/module.so"),
    ("pkcs11", "SALESFORCE_PKCS11_KEY", "no such key"),
    ("pkcs11", "SALESFORCE_PKCS11_TOKEN", "no such token"),
]


@pytest.mark.parametrize(("environ", "variable", "value"), WRONG, indirect=["environ"])
def test_a_key_that_is_not_there_is_the_same_error_for_builder_and_doctor(
    environ: Environ, variable: str, value: str
) -> None:
    environ = environ | {variable: value}

    with pytest.raises((KeyUnavailableError, ConfigurationError), match=r"^SALESFORCE_SIGNER: ") as caught:
        TokenPairBuilder.from_env(environ)

    assert [each.message for each in check_environment(environ)] == [str(caught.value)]
    assert read_environment(environ).salesforce_signer is None
    assert PIN not in str(caught.value)


NAMES = [
    ("aws-kms", "SALESFORCE_AWS_KMS_KEY_ID"),
    ("google-cloud-kms", "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION"),
    ("azure-key-vault", "SALESFORCE_AZURE_KEY_VAULT_KEY_ID"),
    ("vault", "SALESFORCE_VAULT_KEY"),
    ("vault", "SALESFORCE_VAULT_MOUNT"),
    ("pkcs11", "SALESFORCE_PKCS11_KEY"),
    ("pkcs11", "SALESFORCE_PKCS11_TOKEN"),
]


@pytest.mark.parametrize(("environ", "variable"), NAMES, indirect=["environ"])
def test_a_reference_in_place_of_a_key_s_name_is_said_to_be_one(environ: Environ, variable: str) -> None:
    with pytest.raises(ConfigurationError, match="is a reference that nothing has resolved"):
        TokenPairBuilder.from_env(environ | {variable: "${NAME}"})


def test_the_package_of_the_example_is_found_once_it_is_installed(tmp_path: Path) -> None:
    example, site = tmp_path / "package", tmp_path / "installed"
    shutil.copytree(ROOT / "examples" / "signer_package", example)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=example, check=True
    )
    [wheel] = tmp_path.glob("*.whl")
    ZipFile(wheel).extractall(site)
    variables = throwaway_environ() | {"SALESFORCE_SIGNER": "acme", "PYTHONPATH": str(site)}
    del variables["SALESFORCE_PRIVATE_KEY"]
    with signing_service(throwaway_rsa_key()) as url:
        settings = subprocess.run(
            [sys.executable, "-m", "fin_messenger_auth", "settings", "--user", "42"],
            env=os.environ | variables | {"ACME_SIGNING_URL": url},
            capture_output=True,
            check=True,
        )
    assert verify(json.loads(settings.stdout)).salesforce
