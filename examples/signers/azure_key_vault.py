"""A signer for Azure Key Vault and Managed HSM, on azure-keyvault-keys."""

from typing import Any, Literal

from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fin_messenger_auth.backends._remote import RemoteKey


class AzureKeyVaultSigner:
    """RS256 or RS512 with one version of a key in Azure Key Vault.

    Args:
        name: The key's name.
        version: The key's version, so that a new one in the vault changes nothing here.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``.
        client: ``KeyClient(vault_url, credential, connection_timeout=2, read_timeout=2, retry_total=1)``.
    """

    def __init__(
        self, name: str, version: str, *, kid: str, alg: Literal["RS256", "RS512"] = "RS256", client: KeyClient
    ) -> None:
        jwk: Any = client.get_key(name, version).key
        if not jwk.n:
            raise ValueError("Expected an RSA key in the vault, got another type.")
        numbers = RSAPublicNumbers(int.from_bytes(jwk.e), int.from_bytes(jwk.n))
        self._key = RemoteKey(numbers.public_key(), kid=kid, alg=alg)
        self._algorithm = SignatureAlgorithm(alg)
        self._crypto = client.get_cryptography_client(name, key_version=version)
        self.alg, self.kid, self.public_key = self._key.alg, self._key.kid, self._key.public_key

    def sign(self, signing_input: bytes, /) -> bytes:
        """Send the digest, and check what comes back."""
        digest = self._key.digest(signing_input)
        return self._key.checked(self._crypto.sign(self._algorithm, digest).signature, digest)
