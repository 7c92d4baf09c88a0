"""The doubles of the services, each with its real client and a signer for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import hvac
from azure.core.credentials import AccessToken
from azure.keyvault.keys import KeyClient
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import kms
from google.cloud.kms_v1.services.key_management_service import transports

from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.azure_key_vault import AzureKeyVaultSigner
from fin_messenger_auth.backends.google_cloud_kms import GoogleCloudKMSSigner
from fin_messenger_auth.backends.vault import VaultTransitSigner
from fin_messenger_auth.testing import throwaway_rsa_key

from . import doubles

KEY = throwaway_rsa_key()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
VERSION = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/messenger/cryptoKeyVersions/"
ECHO = "every word of this text is the service's"
SECONDS = 15.0  # that a client waits: for a busy machine


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


CLIENTS: dict[str, Callable[..., Any]] = {
    "aws": aws_client,
    "google-rest": google_client,
    "google-grpc": google_grpc_client,
    "azure": azure_client,
    "vault": vault_client,
}
NAMES = tuple(CLIENTS)


def service_at(name: str, address: str, certificate: Path, line: Any = None, key: Any = None) -> Service:
    """Return what speaks to a double that runs at an address, perhaps in another process."""
    more = (certificate,) if name == "azure" else ()
    return Service(name, address, line, key, lambda: CLIENTS[name](address, *more))


@contextmanager
def running(name: str, certificate: Path) -> Iterator[Service]:
    """Run the double of a service."""
    key = doubles.FaultyKey(KEY, OTHER_KEY)
    if name == "aws":
        line = doubles.Line(doubles.aws_kms(key))
    elif name == "azure":
        line = doubles.Line(doubles.azure_key_vault({"messenger/v1": key, "messenger/v2": OTHER_KEY}))
    elif name == "vault":
        line = doubles.Line(doubles.vault_transit({1: key, 2: OTHER_KEY}))
    else:
        versions = {VERSION + "1": key, VERSION + "5": key}
        line = doubles.Line(doubles.google_cloud_kms(versions, {VERSION + "5": "RSA_SIGN_PKCS1_4096_SHA512"}))
    with ExitStack() as stack:
        serving = (
            doubles.serving_grpc(line)
            if name == "google-grpc"
            else doubles.serving(line, certificate if name == "azure" else None)
        )
        address = stack.enter_context(serving)
        stack.callback(line.released.set)
        yield service_at(name, address, certificate, line, key)
