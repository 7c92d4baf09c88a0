"""The signers for AWS, Google, Azure and Vault, on the services' own clients, against doubles of the services."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import hvac
import pytest
from azure.core.credentials import AccessToken
from azure.keyvault.keys import KeyClient
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import kms
from google.cloud.kms_v1.services.key_management_service import transports

from fin_messenger_auth import with_deadline
from fin_messenger_auth._deadline import FAILURES
from fin_messenger_auth.backends import _remote
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.azure_key_vault import AzureKeyVaultSigner
from fin_messenger_auth.backends.google_cloud_kms import GoogleCloudKMSSigner
from fin_messenger_auth.backends.vault import VaultTransitSigner
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.testing import acheck_signer, check_signer, throwaway_rsa_key

from . import doubles
from .conftest import check_jwk_through

KEY = throwaway_rsa_key()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
VERSION = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/messenger/cryptoKeyVersions/"
ECHO = "every word of this text is the service's"
SECONDS = 1.0  # that a client waits


def aws_client(address: str) -> Any:
    config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI-secret"}
    return boto3.Session(region_name="eu-central-1", **keys).client(
        "kms", endpoint_url=f"http://{address}", config=config
    )


def google_client(address: str) -> Any:
    transport = transports.KeyManagementServiceRestTransport(
        host=address,
        url_scheme="http",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
    )
    return kms.KeyManagementServiceClient(transport=transport)


def google_grpc_client(address: str) -> Any:
    import grpc

    channel = grpc.insecure_channel(address)
    return kms.KeyManagementServiceClient(transport=transports.KeyManagementServiceGrpcTransport(channel=channel))


class StaticCredential:
    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("throwaway", int(time.time()) + 3600)


def azure_client(address: str, certificate: Path) -> Any:
    options: dict[str, Any] = {"connection_timeout": SECONDS, "read_timeout": SECONDS, "retry_total": 0}
    tls = {"verify_challenge_resource": False, "connection_verify": str(certificate)}
    return KeyClient(f"https://{address}", StaticCredential(), **options, **tls)


def vault_client(address: str, token: str = "throwaway", **options: Any) -> Any:
    return hvac.Client(f"http://{address}", token, timeout=SECONDS, **options)


@dataclass
class Service:
    """A double that runs, and how a signer is made for it."""

    name: str
    address: str
    line: doubles.Line
    key: doubles.FaultyKey
    client: Callable[[], Any]
    certificate: Path

    def signer(self, alg: str = "RS256", **options: Any) -> Any:
        arguments: dict[str, Any] = {"kid": "key-1", "alg": alg, "client": self.client} | options
        if self.name == "aws":
            return AWSKMSSigner("1234abcd", **arguments)
        if self.name == "azure":
            return AzureKeyVaultSigner(f"https://{self.address}/keys/messenger/v1", **arguments)
        if self.name == "vault":
            return VaultTransitSigner("messenger", version=1, **arguments)
        return GoogleCloudKMSSigner(VERSION + ("1" if alg == "RS256" else "5"), **arguments)

    def refusal(self, status: int, aws: str) -> doubles.Answer:
        """Return an answer in every service's format, with words that must be shown nowhere."""
        echoes = {"message": ECHO, "errors": [ECHO], "error": {"code": status, "status": ECHO, "message": ECHO}}
        return (400 if self.name == "aws" else status), echoes | {"__type": aws}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doubles.write_certificate(tmp_path_factory.mktemp("tls") / "tls.pem", OTHER_KEY)


@pytest.fixture(params=["aws", "google-rest", "google-grpc", "azure", "vault"])
def service(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Service]:
    key = doubles.FaultyKey(KEY, OTHER_KEY)
    google = doubles.google_cloud_kms(
        {VERSION + "1": key, VERSION + "5": key}, {VERSION + "5": "RSA_SIGN_PKCS1_4096_SHA512"}
    )
    double, make = {
        "aws": (doubles.aws_kms(key), aws_client),
        "google-rest": (google, google_client),
        "google-grpc": (google, google_grpc_client),
        "azure": (doubles.azure_key_vault({"messenger/v1": key, "messenger/v2": OTHER_KEY}), azure_client),
        "vault": (doubles.vault_transit({1: key, 2: OTHER_KEY}), vault_client),
    }[request.param]
    line = doubles.Line(double)
    more = (certificate,) if request.param == "azure" else ()
    with ExitStack() as stack:
        serving = doubles.serving_grpc(line) if request.param == "google-grpc" else doubles.serving(line, *more)
        address = stack.enter_context(serving)
        stack.callback(line.released.set)
        yield Service(request.param, address, line, key, lambda: make(address, *more), certificate)  # type: ignore[operator]


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
    "empty": ((200, {}), "", "did not sign: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_an_error_in_our_words_and_the_next_call_works(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_remote, "RENEWAL_PAUSE", 0.0)
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
    (lambda client: AWSKMSSigner("alias/messenger", kid="k", client=client), "is an alias"),
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
            "https://v.vault.azure.net/secrets/messenger/1",
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
