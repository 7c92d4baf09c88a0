"""Each way in which a remote key cannot be used has a finding of its own, with a fix of its own."""

from __future__ import annotations

import shlex
import sys
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from fin_messenger_auth._environment import read_environment
from fin_messenger_auth.backends._remote import RemoteSigner
from fin_messenger_auth.diagnosis import CATALOGUE, _checks
from fin_messenger_auth.diagnosis._findings import finding_of, naming
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError, SigningError
from tests.broken_tokens import KEY

# What the clients of the services raise, by the names of their classes or codes, and the finding.
ANSWERS = {
    "DisabledException": "remote-key-disabled",
    "KMSInvalidStateException": "remote-key-disabled",
    "FailedPrecondition": "remote-key-disabled",
    "KeyDisabled": "remote-key-disabled",
    "KeyExpired": "remote-key-disabled",
    "KeyNotYetValid": "remote-key-disabled",
    "AccessDeniedException": "remote-key-forbidden",
    "Forbidden": "remote-key-forbidden",
    "NotFoundException": "remote-key-missing",
    "NotFound": "remote-key-missing",
    "InvalidPath": "remote-key-missing",
    "NoSuchKey": "remote-key-missing",
    "NoSuchToken": "remote-key-missing",
    "ThrottlingException": "remote-throttled",
    "TooManyRequests": "remote-throttled",
    "RateLimitExceeded": "remote-throttled",
    "InvalidSignatureException": "remote-clock",
    "RequestExpired": "remote-clock",
    "ExpiredTokenException": "remote-credentials",
    "UnrecognizedClientException": "remote-credentials",
    "NoCredentialsError": "remote-credentials",
    "PartialCredentialsError": "remote-credentials",
    "CredentialRetrievalError": "remote-credentials",
    "DefaultCredentialsError": "remote-credentials",
    "RefreshError": "remote-credentials",
    "CredentialUnavailableError": "remote-credentials",
    "ClientAuthenticationError": "remote-credentials",
    "Unauthorized": "remote-credentials",
    "ConnectTimeout": "remote-unreachable",
    "ReadTimeout": "remote-unreachable",
    "ConnectTimeoutError": "remote-unreachable",
    "DeadlineExceeded": "remote-unreachable",
    "ConnectionError": "remote-unreachable",
    "EndpointConnectionError": "remote-unreachable",
    "ServiceUnavailable": "remote-unreachable",
    "SSLError": "remote-unreachable",
    "ProxyError": "remote-unreachable",
    "VaultDown": "remote-unreachable",
    "PinIncorrect": "remote-pin",
    "PinLocked": "remote-pin-locked",
    "SomethingElse": "key-unavailable",
}
STATUSES = {403: "remote-key-forbidden", 404: "remote-key-missing", 429: "remote-throttled"}


class Signer(RemoteSigner):
    service = "The service"
    reasons: ClassVar = {"DisabledException": "the key is disabled"}

    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        super().__init__("key", kid="key-1", client=object, public_key=KEY.public_key())

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _request(self, _client: Any, _digest: bytes) -> bytes:
        raise self.failure


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_a_service_has_its_own_code_and_fix(name: str) -> None:
    with pytest.raises(KeyUnavailableError) as caught:
        Signer(type(name, (Exception,), {})("secret text"))
    found = finding_of(caught.value)
    assert found.code == ANSWERS[name]
    assert "secret text" not in f"{found}"
    assert found.fix != CATALOGUE["signer-invalid"].fix


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_of_http_has_its_own_code(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Signer, "_codes", lambda _self, _error: [status])
    with pytest.raises(KeyUnavailableError) as caught:
        Signer(Exception())
    assert caught.value.code == STATUSES[status]


def test_the_fixes_differ() -> None:
    fixes = {CATALOGUE[code].fix for code in ANSWERS.values()}
    assert len(fixes) == len(set(ANSWERS.values()))


def test_a_failure_later_says_the_same() -> None:
    assert SigningError("x").code == "key-unavailable"


def test_an_endless_recursion_under_gevent_says_where_to_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)  # of another test
    with pytest.raises(KeyUnavailableError, match="RecursionError"):
        Signer(RecursionError())
    monkeypatch.setitem(sys.modules, "gevent.monkey", SimpleNamespace())
    with pytest.raises(ConfigurationError, match=r"gevent\.monkey\.patch_all\(\) before anything else"):
        Signer(RecursionError())


@pytest.mark.parametrize(("is_patched", "refused"), [(True, False), (False, True)])
def test_a_master_of_gevent_workers_that_has_not_patched_is_refused(
    monkeypatch: pytest.MonkeyPatch, is_patched: bool, refused: bool
) -> None:
    monkey = SimpleNamespace(is_module_patched=lambda name: is_patched and name == "ssl")
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    monkeypatch.setitem(sys.modules, "gunicorn.workers.ggevent", SimpleNamespace())
    with pytest.raises(ConfigurationError if refused else KeyUnavailableError):
        Signer(Exception())


@pytest.mark.parametrize(
    ("signer", "variable", "key", "command"),
    [
        ("aws-kms", "SALESFORCE_AWS_KMS_KEY_ID", "alias/the key", "aws kms enable-key --key-id 'alias/the key'"),
        ("google-cloud-kms", "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION", "a/1", "gcloud kms keys versions enable a/1"),
        ("vault", "SALESFORCE_VAULT_KEY", "k", ""),
    ],
)
def test_the_fix_names_the_key_and_its_variable(signer: str, variable: str, key: str, command: str) -> None:
    reading = read_environment({"P_SALESFORCE_SIGNER": signer, f"P_{variable}": key}, prefix="P_")
    with naming(**_checks._names_of(reading)):
        disabled = finding_of(KeyUnavailableError("x", "remote-key-disabled"))
        missing = finding_of(KeyUnavailableError("x", "remote-key-missing"))
    assert f"P_{variable}" in missing.fix
    assert (f"`{command}`" if command else "in the service") in disabled.fix
    assert not command or shlex.split(command)[-1] == key


def test_a_module_that_cannot_be_loaded_has_a_fix_of_its_own() -> None:
    found = finding_of(KeyUnavailableError("x", "pkcs11-module"))
    assert "SALESFORCE_PKCS11_MODULE" in found.fix
