"""The signers in examples/signers, on the official clients, against doubles of the services."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import hvac
import pytest
from azure.core.credentials import AccessToken
from azure.keyvault.keys import KeyClient
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import kms
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport

from fin_messenger_auth._jws import encode
from fin_messenger_auth.errors import SigningError
from fin_messenger_auth.testing import check_signer, throwaway_rsa_key

from . import doubles

KEY = throwaway_rsa_key()
NEXT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def example(name: str) -> ModuleType:
    path = Path(__file__).parents[2] / "examples" / "signers" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


VERSION = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/messenger/cryptoKeyVersions/"


def google_client(address: str) -> Any:
    transport = KeyManagementServiceRestTransport(host=address, url_scheme="http", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    return kms.KeyManagementServiceClient(transport=transport)


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_google_cloud_kms(alg: str) -> None:
    service = doubles.google_cloud_kms(
        {VERSION + "1": KEY, VERSION + "2": NEXT_KEY},
        "RSA_SIGN_PKCS1_2048_SHA256" if alg == "RS256" else "RSA_SIGN_PKCS1_4096_SHA512",
    )
    with doubles.serving(service) as address:
        signer = example("google_cloud_kms").GoogleCloudKMSSigner(VERSION + "1", kid="k", client=google_client(address))
        assert signer.alg == alg
        check_signer(signer, KEY.public_key())


def test_google_cloud_kms_refuses_a_key_for_pss() -> None:
    service = doubles.google_cloud_kms({VERSION + "1": KEY}, "RSA_SIGN_PSS_2048_SHA256")
    with doubles.serving(service) as address, pytest.raises(ValueError, match="RSA_SIGN_PKCS1"):
        example("google_cloud_kms").GoogleCloudKMSSigner(VERSION + "1", kid="k", client=google_client(address))


class StaticCredential:
    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("throwaway", int(time.time()) + 3600)


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_azure_key_vault(alg: str, tmp_path: Path) -> None:
    certificate = doubles.write_certificate(tmp_path / "tls.pem", NEXT_KEY)
    service = doubles.azure_key_vault({"messenger/v1": KEY, "messenger/v2": NEXT_KEY})
    with doubles.serving(service, certificate) as address:
        client = KeyClient(
            f"https://{address}",
            StaticCredential(),
            verify_challenge_resource=False,
            connection_verify=str(certificate),
        )
        signer = example("azure_key_vault").AzureKeyVaultSigner("messenger", "v1", kid="k", alg=alg, client=client)
        check_signer(signer, KEY.public_key())


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_vault_transit(alg: str) -> None:
    with doubles.serving(doubles.vault_transit({1: KEY, 2: NEXT_KEY})) as address:
        client = hvac.Client(f"http://{address}", "throwaway", timeout=2)
        signer = example("vault_transit").VaultTransitSigner("messenger", 1, kid="k", alg=alg, client=client)
        check_signer(signer, KEY.public_key())


def test_a_refusal_is_a_signing_error_and_repeats_nothing() -> None:
    with doubles.serving(doubles.vault_transit({1: KEY})) as address:
        client = hvac.Client(f"http://{address}", "throwaway", timeout=2)
        signer = example("vault_transit").VaultTransitSigner("messenger", 1, kid="k", client=client)
        client.token = "expired"
        with pytest.raises(SigningError, match=r"^VaultTransitSigner raised Forbidden\.$") as caught:
            encode({}, signer)
        assert caught.value.__cause__ is not None
        client.token = "throwaway"
        assert encode({}, signer)
