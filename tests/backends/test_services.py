"""The signers for AWS, Google, Azure and Vault, on the services' own clients, against doubles of the services."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fin_messenger_auth import with_deadline
from fin_messenger_auth._deadline import FAILURES
from fin_messenger_auth.backends import _remote, google_cloud_kms
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.azure_key_vault import AzureKeyVaultSigner
from fin_messenger_auth.backends.google_cloud_kms import GoogleCloudKMSSigner
from fin_messenger_auth.backends.vault import VaultTransitSigner
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.testing import acheck_signer, check_signer

from . import services
from .conftest import check_jwk_through
from .services import ECHO, KEY, OTHER_KEY, VERSION, Service


@pytest.fixture(params=services.NAMES)
def service(request: pytest.FixtureRequest, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(google_cloud_kms, "TIMEOUT", 4.0)  # twice that with its retries
    with services.running(request.param, certificate) as service:
        yield service


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_it_keeps_the_contract(service: Service, alg: str) -> None:
    signer = service.signer(alg)
    assert (signer.alg, signer.kid) == (alg, "key-1")
    check_signer(signer, KEY.public_key())
    asyncio.run(acheck_signer(with_deadline(signer), KEY.public_key()))
    check_jwk_through(signer)


def test_with_the_uploaded_jwk_the_service_is_asked_for_signatures_only(service: Service) -> None:
    first = service.signer()
    first.sign(b"message")
    asked = [path for method, path, _ in service.line.requests if method == "GET" or "GetPublicKey" in path]
    assert len([path for path in asked if "/auth/token/" not in path]) == (2 if service.name == "azure" else 1), (
        "Azure's client is challenged first"
    )
    service.line.requests.clear()

    signer = service.signer(public_key=first.public_key)

    requests = [each for each in service.line.requests if "/auth/token/" not in each[1]]
    assert all("ign" in path for _, path, _ in requests), requests
    assert len(signer.sign(b"message")) == 256


def test_a_key_that_is_not_the_uploaded_one_stops_the_start(service: Service) -> None:
    with pytest.raises(InvalidKeyError, match="not this key's over this digest"):
        service.signer(public_key=OTHER_KEY.public_key())
    long = rsa.generate_private_key(public_exponent=65537, key_size=3072).public_key()
    with pytest.raises(InvalidKeyError, match="not a signature of 384 bytes"):
        service.signer(public_key=long)


def test_only_the_digest_travels(service: Service) -> None:
    signer = service.signer()
    service.line.requests.clear()
    signer.sign(b"header.claims-of-a-person")
    assert "claims" not in str(service.line.requests)
    assert len(service.line.requests) == 1


SIGNATURES = {
    "pss": (InvalidKeyError, "signed with RSASSA-PSS"),
    "twice": (InvalidKeyError, "hashed the digest again"),
    "other key": (InvalidKeyError, "not this key's over this digest"),
    "cut": (KeyUnavailableError, "not a signature of 256 bytes"),
}


@pytest.mark.parametrize("fault", SIGNATURES)
def test_a_signature_that_salesforce_would_reject_is_never_used(service: Service, fault: str) -> None:
    at_start, message = SIGNATURES[fault]
    signer = service.signer()
    service.key.fault = fault
    with pytest.raises(SigningError, match=message):
        signer.sign(b"message")
    with pytest.raises(at_start, match=message):
        service.signer()
    service.key.fault = None
    assert len(signer.sign(b"message")) == 256


FAULTS: dict[str, tuple[Any, str, str]] = {
    "drop": ("drop", "", "did not sign: "),
    "hang": ("hang", "", "did not sign: it did not answer in time."),
    "throttled": (429, "ThrottlingException", "throttles the requests"),
    "forbidden": (403, "AccessDeniedException", "lack"),
    "empty": ((200, {}), "", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_an_error_in_our_words_and_the_next_call_works(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_remote, "RENEWAL_PAUSE", 0.0)
    if name == "hang":
        monkeypatch.setattr(services, "SECONDS", 1.0)
        monkeypatch.setattr(google_cloud_kms, "TIMEOUT", 1.0)
    fault, aws, message = FAULTS[name]
    signer = service.signer()
    if name == "empty" and service.name == "google-grpc":
        pytest.skip("its double answers with messages that have every field")
    service.line.fault = service.refusal(fault, aws) if aws else fault

    start = time.monotonic()
    with pytest.raises(SigningError) as caught:
        signer.sign(b"message")
    with pytest.raises(KeyUnavailableError) as unavailable:
        service.signer()

    assert time.monotonic() - start < 20, "the double would hold an answer back for 30 seconds"
    assert message in str(caught.value)
    said = [*traceback.format_exception(caught.value), *traceback.format_exception(unavailable.value)]
    for word in (ECHO[:20], "secret", "throwaway"):
        assert word not in "".join(said)
    service.line.fault = None
    assert len(signer.sign(b"message")) == 256


def test_what_it_says_when_it_has_failed_often_is_in_our_words(service: Service) -> None:
    signer = with_deadline(service.signer())
    service.line.fault = service.refusal(403, "AccessDeniedException")
    for _ in range(FAILURES):
        with pytest.raises(SigningError):
            signer.sign(b"message")
    with pytest.raises(SigningError, match=rf"failed {FAILURES} times in a row, .* lack") as caught:
        signer.sign(b"message")
    assert ECHO not in str(caught.value)


def test_a_function_is_called_once_by_each_process(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make() -> Any:
        made.append(service.client())
        return made[-1]

    signer = service.signer(client=make)
    check_signer(signer, signer.public_key)
    assert len(made) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    check_signer(signer, signer.public_key)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kid": " "}, "kid is blank"),
        ({"kid": None}, "kid: expected a str"),
        ({"alg": "PS256"}, "alg: expected RS256 or RS512"),
        ({"alg": []}, "alg: expected RS256 or RS512"),
        ({"client": "KeyClient"}, "client: expected a function that makes one"),
    ],
    ids=str,
)
def test_arguments_are_checked_before_anything_is_asked(service: Service, wrong: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        service.signer(**wrong)
    assert service.line.requests == []


def test_it_shows_nothing_and_refuses_to_be_pickled(service: Service) -> None:
    signer = service.signer()
    assert repr(signer) == f"{type(signer).__name__}(kid='key-1', alg='RS256')"
    assert repr(with_deadline(signer)) == f"with_deadline({signer!r})"
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(signer)
    for name in ("alg", "kid", "public_key"):
        with pytest.raises(AttributeError):
            setattr(signer, name, "other")


UNPINNED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda client: AWSKMSSigner("alias/messenger", kid="k", client=client), "an alias can be pointed"),
    (lambda client: AWSKMSSigner("arn:aws:kms:eu-central-1:0:alias/m", kid="k", client=client), "key's ID or ARN"),
    *(
        (lambda client, name=name: GoogleCloudKMSSigner(name, kid="k", client=client), "number of the version")
        for name in (
            VERSION,
            VERSION + "latest",
            VERSION + "0",
            VERSION.partition("/cryptoKeyVersions")[0],
            "messenger",
        )
    ),
    *(
        (lambda client, url=url: AzureKeyVaultSigner(url, kid="k", client=client), "URL with its version")
        for url in (
            "https://v.vault.azure.net/keys/messenger",
            "https://v.vault.azure.net/keys/messenger/",
            "https://v.vault.azure.net/keys/messenger/latest",
            "http://v.vault.azure.net/keys/messenger/1",
            "messenger/1",
        )
    ),
    *(
        (
            lambda client, version=version: VaultTransitSigner("m", version=version, kid="k", client=client),
            "one version",
        )
        for version in (None, 0, -1, "latest", "1", True)
    ),
]


@pytest.mark.parametrize(("make", "message"), UNPINNED)
def test_a_key_without_its_version_is_refused_before_anything_is_asked(
    make: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make(pytest.fail)


WITHOUT_EXTRA = [
    ("boto3", "aws-kms", lambda: AWSKMSSigner("key", kid="k")),
    ("google.cloud.kms", "google-cloud-kms", lambda: GoogleCloudKMSSigner(VERSION + "1", kid="k")),
    ("azure.identity", "azure-key-vault", lambda: AzureKeyVaultSigner("https://v.example/keys/m/1", kid="k")),
    ("hvac", "vault", lambda: VaultTransitSigner("m", version=1, kid="k")),
]


@pytest.mark.parametrize(("module", "extra", "make"), WITHOUT_EXTRA)
def test_a_missing_extra_is_one_sentence(
    module: str, extra: str, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == (
        f"The client for {extra} is not installed; install fin-messenger-auth with the extra {extra}."
    )
