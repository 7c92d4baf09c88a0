"""Credentials that are missing, expire or are replaced, and what each service's client needs to be told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hvac
import pytest

from fin_messenger_auth.backends import _remote, vault
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.azure_key_vault import AzureKeyVaultSigner
from fin_messenger_auth.backends.google_cloud_kms import GoogleCloudKMSSigner
from fin_messenger_auth.backends.vault import VaultTransitSigner
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.testing import throwaway_rsa_key
from fin_messenger_auth.testing._throwaway import pem_of

from . import doubles
from .services import KEY, OTHER_KEY, VERSION, vault_client

AMBIENT = ("AWS_", "AZURE_", "GOOGLE_", "VAULT_", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def nothing_ambient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the clients find no credentials of whoever runs the tests, and ask no metadata service."""
    import os

    for name in [each for each in os.environ if each.startswith(AMBIENT)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


# AWS


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[doubles.Line]:
    line = doubles.Line(doubles.aws_kms(KEY))
    with doubles.serving(line) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://{address}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        yield line


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({}, KeyUnavailableError, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "a"}, ConfigurationError, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together"),
        ({"AWS_DEFAULT_REGION": None}, ConfigurationError, "no region; set AWS_DEFAULT_REGION"),
        ({"AWS_PROFILE": "none"}, ConfigurationError, "no such profile; check AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL_KMS": "nonsense"}, (ConfigurationError, KeyUnavailableError), "AWS KMS"),
    ],
    ids=str,
)
def test_what_boto3_lacks_is_named(
    aws: doubles.Line,
    variables: dict[str, str | None],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(error, match=message):
        AWSKMSSigner("key", kid="k")
    assert aws.requests == []


def test_a_credentials_file_that_another_program_rewrites_is_read_again(
    aws: doubles.Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    accepted = "FIRST"

    def only_the_accepted(method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> doubles.Answer:
        if f"Credential={accepted}/" not in headers["Authorization"]:
            return 400, {"__type": "ExpiredTokenException"}
        return doubles.aws_kms(KEY)(method, path, headers, body)

    def deliver(name: str) -> None:
        path.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = s\n")

    aws.service = only_the_accepted
    deliver("FIRST")
    signer = AWSKMSSigner("key", kid="k")

    accepted = "SECOND"
    deliver("SECOND")
    assert len(signer.sign(b"message")) == 256, "boto3 itself would keep the first"

    accepted = "THIRD"
    aws.requests.clear()
    for _ in range(3):
        with pytest.raises(SigningError, match="the credentials have expired"):
            signer.sign(b"message")
    assert len(aws.requests) == 3, "a client is not made again for each page"
    monkeypatch.setattr(_remote, "RENEWAL_PAUSE", 0.0)
    deliver("THIRD")
    assert len(signer.sign(b"message")) == 256


# Google


def test_what_google_lacks_is_named() -> None:
    with pytest.raises(KeyUnavailableError, match="set GOOGLE_APPLICATION_CREDENTIALS"):
        GoogleCloudKMSSigner(VERSION + "1", kid="k")


def test_googles_client_is_made_of_its_default_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key": pem_of(throwaway_rsa_key()).decode(),
        "client_email": "a@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))

    signer: Any = SimpleNamespace()
    assert GoogleCloudKMSSigner._client(signer).transport.kind == "rest"


@pytest.mark.parametrize("algorithm", ["RSA_SIGN_PSS_2048_SHA256", "RSA_SIGN_PKCS1_4096_SHA512", "EC_SIGN_P256_SHA256"])
def test_a_key_of_google_for_something_else_is_refused(algorithm: str) -> None:
    from .services import google_client

    with (
        doubles.serving(doubles.google_cloud_kms({VERSION + "1": KEY}, {VERSION + "1": algorithm})) as address,
        pytest.raises(InvalidKeyError, match="not made for RSA_SIGN_PKCS1_…_SHA256"),
    ):
        GoogleCloudKMSSigner(VERSION + "1", kid="k", client=lambda: google_client(address))


# Azure


def test_what_azure_lacks_is_named(certificate: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "azure")
    with doubles.serving(doubles.azure_key_vault({"messenger/v1": KEY}), certificate) as address:
        url = f"https://{address}/keys/messenger/v1"
        with pytest.raises(KeyUnavailableError, match=r"TLS failed.* name that in REQUESTS_CA_BUNDLE"):
            AzureKeyVaultSigner(url, kid="k")


def test_azures_client_is_made_of_its_default_credential() -> None:
    signer: Any = SimpleNamespace(_key="https://v.vault.azure.net/keys/m/1")
    client = AzureKeyVaultSigner._client(signer)

    assert client.vault_url == "https://v.vault.azure.net"


def test_a_key_of_azure_that_is_not_rsa_is_refused() -> None:
    class Curve:
        n = e = None
        kty = "EC"

    class Client:
        def get_key(self, _name: str, _version: str) -> Any:
            return type("Key", (), {"key": Curve})

    with pytest.raises(InvalidKeyError, match="is of type EC; Salesforce accepts RSA keys only"):
        AzureKeyVaultSigner("https://v.vault.azure.net/keys/m/1", kid="k", client=Client)


# Vault


@pytest.fixture
def tokens() -> doubles.Tokens:
    return doubles.Tokens("throwaway")


@pytest.fixture
def line(tokens: doubles.Tokens, monkeypatch: pytest.MonkeyPatch) -> Iterator[doubles.Line]:
    line = doubles.Line(doubles.vault_transit({1: KEY, 2: OTHER_KEY}, tokens))
    with doubles.serving(line) as address:
        monkeypatch.setenv("VAULT_ADDR", f"http://{address}")
        yield line


def test_vaults_client_is_made_of_its_own_variables(
    line: doubles.Line, tokens: doubles.Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyUnavailableError, match=r"the token \(VAULT_TOKEN\) is missing"):
        VaultTransitSigner("messenger", version=1, kid="k")
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    tokens.namespace = "team"
    with pytest.raises(KeyUnavailableError, match="VAULT_NAMESPACE"):
        VaultTransitSigner("messenger", version=1, kid="k")
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    assert len(VaultTransitSigner("messenger", version=1, kid="k").sign(b"message")) == 256
    line.fault = "drop"
    with pytest.raises(KeyUnavailableError, match="no connection to it; see VAULT_ADDR"):
        VaultTransitSigner("messenger", version=1, kid="k")
    monkeypatch.setenv("VAULT_ADDR", "vault.example")
    with pytest.raises(KeyUnavailableError, match="VAULT_ADDR is not a URL"):
        VaultTransitSigner("messenger", version=1, kid="k")


def signer(version: int = 1, **options: Any) -> VaultTransitSigner:
    return VaultTransitSigner("messenger", version=version, kid="k", **options)


def renewals(line: doubles.Line) -> int:
    return sum(path.endswith("renew-self") for _, path, _ in line.requests)


def test_a_token_is_renewed_after_half_of_its_life(
    line: doubles.Line, tokens: doubles.Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    tokens.left["throwaway"], tokens.lease = 3600, 60
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    vault_signer = signer()
    for seconds, expected in ((1799, 0), (2, 1), (29, 1), (2, 2)):
        now += seconds
        vault_signer.sign(b"message")
        assert renewals(line) == expected, now


def test_a_renewal_that_fails_loses_no_page(
    line: doubles.Line, tokens: doubles.Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    tokens.lease = 60
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    vault_signer = signer()
    monkeypatch.setattr(tokens, "answer", lambda path, _: (500, {"errors": []}) if "/auth/" in path else None)
    now += 1801
    for _ in range(3):
        assert len(vault_signer.sign(b"message")) == 256
    assert renewals(line) == 1
    now += vault.RENEWAL_RETRY
    vault_signer.sign(b"message")
    assert renewals(line) == 2


@pytest.mark.usefixtures("line")
def test_where_vault_refuses_the_token_the_function_logs_in_again(tokens: doubles.Tokens) -> None:
    logins = iter(["first", "second", "expired"])
    tokens.left = {"first": 60, "second": 60}

    def log_in() -> hvac.Client:
        import os

        return vault_client(os.environ["VAULT_ADDR"].removeprefix("http://"), next(logins))

    vault_signer = signer(client=log_in)
    tokens.left["first"] = 0
    assert len(vault_signer.sign(b"message")) == 256
    tokens.left["second"] = 0
    with pytest.raises(SigningError, match="is missing or has expired, or its policy lacks update on MOUNT/sign/KEY"):
        vault_signer.sign(b"message")
    assert next(logins) == "expired", "not again within seconds"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"version": 3}, InvalidKeyError, "has no version 3"),
        ({"mount": "other"}, KeyUnavailableError, "no such key or mount"),
    ],
    ids=str,
)
def test_a_version_or_a_mount_that_is_not_there(
    line: doubles.Line, options: dict[str, Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    with pytest.raises(error, match=message):
        signer(**options)
    assert line.requests


def test_a_key_of_vault_that_is_not_rsa_is_refused(line: doubles.Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "throwaway")
    line.fault = 200, {"data": {"type": "ed25519", "keys": {"1": {"public_key": "…"}}}}
    with pytest.raises(InvalidKeyError, match="is of type ed25519; Salesforce accepts RSA keys only"):
        signer()
