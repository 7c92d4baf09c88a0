"""A signer for the transit engine of HashiCorp Vault or OpenBao, on hvac."""

from base64 import b64decode, b64encode
from typing import Literal

import hvac
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fin_messenger_auth.backends._remote import RemoteKey


class VaultTransitSigner:
    """RS256 or RS512 with one version of a key in Vault's transit engine.

    Args:
        name: The key's name; its type is ``rsa-2048`` or longer.
        version: The key's version, so that ``rotate`` in Vault changes nothing here.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``.
        client: ``hvac.Client(url, token, timeout=2)``.
        mount_point: Where the engine is mounted.
    """

    def __init__(
        self,
        name: str,
        version: int,
        *,
        kid: str,
        client: hvac.Client,
        alg: Literal["RS256", "RS512"] = "RS256",
        mount_point: str = "transit",
    ) -> None:
        versions = client.secrets.transit.read_key(name, mount_point)["data"]["keys"]
        public_key = load_pem_public_key(versions[str(version)]["public_key"].encode())
        self._key = RemoteKey(public_key, kid=kid, alg=alg)
        self._transit = client.secrets.transit
        self._request = {
            "name": name,
            "key_version": version,
            "hash_algorithm": f"sha2-{alg[2:]}",
            "prehashed": True,
            "signature_algorithm": "pkcs1v15",  # Vault's default is PSS
            "mount_point": mount_point,
        }
        self.alg, self.kid, self.public_key = self._key.alg, self._key.kid, self._key.public_key

    def sign(self, signing_input: bytes, /) -> bytes:
        """Send the digest, and check what comes back: ``vault:v1:`` and standard Base64."""
        digest = self._key.digest(signing_input)
        answer = self._transit.sign_data(hash_input=b64encode(digest).decode(), **self._request)
        return self._key.checked(b64decode(answer["data"]["signature"].rpartition(":")[2]), digest)
