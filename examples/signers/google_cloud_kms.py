"""A signer for Google Cloud KMS, on google-cloud-kms."""

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.cloud import kms

from fin_messenger_auth.backends._remote import RemoteKey


class GoogleCloudKMSSigner:
    """RS256 or RS512 with one version of a key in Google Cloud KMS.

    Args:
        key_version: ``projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/1``: the version
            too, so that a new one in the cloud changes nothing here.
        kid: The ``kid`` of the uploaded JWK.
        client: ``kms.KeyManagementServiceClient()``, with your credentials.
        timeout: How many seconds a request may take.
    """

    def __init__(
        self, key_version: str, *, kid: str, client: kms.KeyManagementServiceClient, timeout: float = 2.0
    ) -> None:
        answer = client.get_public_key(name=key_version, timeout=timeout)
        # The algorithm is fixed when the key is made, such as RSA_SIGN_PKCS1_2048_SHA256. RS256 is PKCS #1, not PSS.
        scheme, _, hash_name = kms.CryptoKeyVersion.CryptoKeyVersionAlgorithm(answer.algorithm).name.rpartition("_")
        if not scheme.startswith("RSA_SIGN_PKCS1_"):
            raise ValueError("The key must be made for RSA_SIGN_PKCS1_…_SHA256 or …_SHA512.")
        self._key = RemoteKey(load_pem_public_key(answer.pem.encode()), kid=kid, alg=hash_name.replace("SHA", "RS"))
        self._hash_name = hash_name.lower()
        self._name = answer.name
        self._client = client
        self._timeout = timeout
        self.alg, self.kid, self.public_key = self._key.alg, self._key.kid, self._key.public_key

    def sign(self, signing_input: bytes, /) -> bytes:
        """Send the digest, and check what comes back."""
        digest = self._key.digest(signing_input)
        answer = self._client.asymmetric_sign(
            name=self._name, digest=kms.Digest({self._hash_name: digest}), timeout=self._timeout
        )
        return self._key.checked(answer.signature, digest)
