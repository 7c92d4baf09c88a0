"""Signs RS256 or RS512 with a key in Azure Key Vault or Managed HSM. Needs the extra ``azure-key-vault``."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fin_messenger_auth.errors import InvalidKeyError

from ._remote import TIMEOUT, RemoteSigner, import_client, over_http, pool

__all__ = ["AzureKeyVaultSigner"]


class AzureKeyVaultSigner(RemoteSigner):
    """RS256 or RS512 with one version of a key in Azure Key Vault or Managed HSM.

    The identity needs the permission ``keys/sign``, and ``keys/get`` without a JWK. Wrap it in
    :func:`~fin_messenger_auth.with_deadline`.

    Args:
        key: The key's URL with its version, ``https://….vault.azure.net/keys/NAME/VERSION``, so that a new version
            in the vault changes nothing here.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, as in the uploaded JWK.
        client: Makes a ``KeyClient`` for that vault, once a process. By default it has ``DefaultAzureCredential``.
        public_key: The key of the uploaded JWK; Azure is asked for none then.
    """

    service = "Azure Key Vault"
    _form = re.compile(r"https://[^/?#]+/keys/[^/?#]+/(?!latest$)[^/?#]+")
    _expected = "the key's URL with its version, https://….vault.azure.net/keys/NAME/VERSION"
    refusals: ClassVar[frozenset[str | int]] = frozenset({"ClientAuthenticationError"})
    reasons: ClassVar[Mapping[str | int, str]] = over_http(certificates="REQUESTS_CA_BUNDLE") | {
        "CredentialUnavailableError": "there are no credentials; set AZURE_TENANT_ID, AZURE_CLIENT_ID and "
        "AZURE_CLIENT_SECRET, or give the machine a managed identity",
        "ClientAuthenticationError": "Azure does not accept the credentials; see AZURE_TENANT_ID, AZURE_CLIENT_ID and "
        "AZURE_CLIENT_SECRET",
        "KeyDisabled": "the key version is disabled",
        "KeyNotYetValid": "the key version is not valid yet",
        "KeyExpired": "the key version has expired",
        400: "the request does not fit the key; it must be an RSA key with the operation sign",
        403: "the identity lacks keys/sign or keys/get on the key (the role Key Vault Crypto User has both), or the "
        "vault's firewall blocks this machine",
        404: "there is no such vault, key or version",
        429: "Azure throttles the requests",
    }

    def _client(self) -> Any:
        names = "azure.keyvault.keys", "azure.identity", "azure.core.pipeline.transport", "requests"
        keys, identity, transport, requests = import_client(*names, extra="azure-key-vault")
        connections = transport.RequestsTransport(session=pool(requests.Session()))
        limits = {"connection_timeout": TIMEOUT, "read_timeout": TIMEOUT, "retry_total": 1, "retry_status": 0}
        vault, _, _ = self._key.partition("/keys/")
        return keys.KeyClient(vault, identity.DefaultAzureCredential(), transport=connections, **limits)

    def _fetch(self, client: Any, /) -> object:
        *_, name, version = self._key.split("/")
        key = client.get_key(name, version).key
        if not (key.n and key.e):
            raise InvalidKeyError(f"The key in Azure Key Vault is of type {key.kty}; Salesforce accepts RSA keys only.")
        return RSAPublicNumbers(int.from_bytes(key.e), int.from_bytes(key.n)).public_key()

    def _request(self, client: Any, digest: bytes, /) -> bytes:
        [rest] = import_client("azure.core.rest", extra="azure-key-vault")
        body = {"alg": self.alg, "value": urlsafe_b64encode(digest).rstrip(b"=").decode()}
        # CryptographyClient would fetch the key first, whether or not that is allowed and needed.
        _, _, version = self._key.partition("/keys/")
        answer = client.send_request(rest.HttpRequest("POST", f"keys/{version}/sign", json=body))
        answer.raise_for_status()
        return urlsafe_b64decode(answer.json()["value"] + "==")

    def _codes(self, error: BaseException) -> list[object]:
        details: Any = getattr(error, "error", None)
        return [details and (details.innererror or {}).get("code"), getattr(error, "status_code", None)]
