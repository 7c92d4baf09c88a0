"""Signs RS256 or RS512 in the transit engine of HashiCorp Vault or OpenBao. Needs the extra ``vault``."""

from __future__ import annotations

import os
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fin_messenger_auth._material import configured_string
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError

from ._remote import TIMEOUT, Alg, Make, RemoteSigner, import_client, over_http, pool

__all__ = ["VaultTransitSigner"]

RENEWAL_RETRY = 10.0
"""Seconds until a token that could not be renewed is tried again."""


class VaultTransitSigner(RemoteSigner):
    """RS256 or RS512 with one version of a key in Vault's transit engine.

    The token needs ``update`` on ``transit/sign/KEY``, and ``read`` on ``transit/keys/KEY`` without a JWK. A renewable
    token is renewed after half of its life, when a page is signed; where Vault refuses it, the function ``client`` is
    called again, once. Wrap it in :func:`~fin_messenger_auth.with_deadline`.

    Args:
        key: The key's name; its type is ``rsa-2048`` or longer.
        version: The key's version, so that a rotation in Vault changes nothing here.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, as in the uploaded JWK.
        mount: Where the engine is mounted.
        client: Makes an ``hvac.Client`` and logs in, once a process. By default it is made of ``VAULT_ADDR``,
            ``VAULT_TOKEN`` and ``VAULT_NAMESPACE``.
        public_key: The key of the uploaded JWK; Vault is asked for none then.
    """

    service = "Vault"
    refusals: ClassVar[frozenset[str | int]] = frozenset({"Forbidden", "Unauthorized"})
    reasons: ClassVar[Mapping[str | int, str]] = over_http(certificates="VAULT_CACERT") | {
        "ConnectionError": "there is no connection to it; see VAULT_ADDR",
        "Forbidden": "the token (VAULT_TOKEN) is missing or has expired, or its policy lacks update on MOUNT/sign/KEY "
        "or read on MOUNT/keys/KEY",
        "InvalidPath": "there is no such key or mount in this namespace (VAULT_NAMESPACE)",
        "InvalidRequest": "the request does not fit the key: its type is not RSA, or the version is not usable",
        "InvalidSchema": "VAULT_ADDR is not a URL such as https://vault.example:8200",
        "MissingSchema": "VAULT_ADDR is not a URL such as https://vault.example:8200",
        "RateLimitExceeded": "Vault throttles the requests",
        "VaultDown": "it is sealed or in standby",
    }

    def __init__(
        self,
        key: str,
        /,
        *,
        version: int,
        kid: str,
        alg: Alg = "RS256",
        mount: str = "transit",
        client: Make = None,
        public_key: RSAPublicKey | None = None,
    ) -> None:
        if type(version) is not int or version < 1:
            raise ConfigurationError("version: expected the number of one version of the key, 1 or more.")
        self._version = version
        self._mount = configured_string(mount, "mount", "key-name").strip("/")
        make = (lambda: _Login.of(client())) if callable(client) else client  # what is no function is refused below
        super().__init__(key, kid=kid, alg=alg, client=make, public_key=public_key)

    def _client(self) -> _Login:
        [hvac] = import_client("hvac", extra="vault")
        client = hvac.Client(timeout=TIMEOUT, namespace=os.environ.get("VAULT_NAMESPACE"))
        pool(client.session)
        return _Login.of(client)

    def _fetch(self, login: _Login, /) -> object:
        about = login.client.secrets.transit.read_key(self._key, mount_point=self._mount)["data"]
        if not about["type"].startswith("rsa-"):
            raise InvalidKeyError(f"The key in Vault is of type {about['type']}; Salesforce accepts RSA keys only.")
        if str(self._version) not in about["keys"]:
            raise InvalidKeyError(f"The key in Vault has no version {self._version}.")
        return load_pem_public_key(about["keys"][str(self._version)]["public_key"].encode())

    def _request(self, login: _Login, digest: bytes, /) -> bytes:
        login.keep()
        answer = login.client.secrets.transit.sign_data(
            name=self._key,
            hash_input=b64encode(digest).decode(),
            key_version=self._version,
            hash_algorithm=f"sha2-{self.alg[2:]}",
            prehashed=True,
            signature_algorithm="pkcs1v15",  # Vault's default is PSS
            mount_point=self._mount,
        )
        return b64decode(answer["data"]["signature"].rpartition(":")[2])  # vault:v1:…


@dataclass
class _Login:
    """A client that is logged in, and when half of its token's life is over, in seconds of the monotonic clock."""

    client: Any
    renew_at: float = inf

    @classmethod
    def of(cls, client: Any) -> _Login:
        login = cls(client)
        with suppress(Exception):  # the policy may forbid it; then the token is used until it expires
            about = client.auth.token.lookup_self()["data"]
            login._lasts(about["ttl"], about)
        return login

    def keep(self) -> None:
        """Renew the token if half of its life is over. If that fails, it is used until Vault refuses it."""
        if time.monotonic() >= self.renew_at:
            self.renew_at = time.monotonic() + RENEWAL_RETRY
            with suppress(Exception):
                about = self.client.auth.token.renew_self()["auth"]
                self._lasts(about["lease_duration"], about)

    def _lasts(self, seconds: int, about: dict[str, Any]) -> None:
        self.renew_at = time.monotonic() + max(seconds / 2, 1) if about["renewable"] and seconds else inf
