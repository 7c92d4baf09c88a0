"""A signer with a name: after ``pip install``, ``SALESFORCE_SIGNER=acme`` makes the tokens with ACME's signing service.

The service keeps the RSA key and signs SHA-256 digests over HTTP.
"""

import json
from collections.abc import Mapping
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fin_messenger_auth import AsyncSigner, with_deadline
from fin_messenger_auth.backends import RemoteKey
from fin_messenger_auth.errors import ConfigurationError


class AcmeSigner:
    """RS256 by ACME's signing service."""

    alg = "RS256"

    def __init__(self, url: str, *, kid: str, public_key: RSAPublicKey | None = None) -> None:
        """Fetch the public key, at start-up, unless the uploaded JWK has given it."""
        self.kid = kid
        self._url = url
        if public_key is None:
            with urlopen(f"{url}/public-key", timeout=2) as answer:  # noqa: S310 - the URL is the application's own
                self._key = RemoteKey(load_pem_public_key(answer.read()), kid=kid, alg=self.alg)
        else:
            self._key = RemoteKey(public_key, kid=kid, alg=self.alg)
        self.public_key = self._key.public_key

    def sign(self, signing_input: bytes, /) -> bytes:
        """Send the digest, and verify the signature in the answer."""
        digest = self._key.digest(signing_input)
        request = Request(f"{self._url}/sign", json.dumps({"sha256": digest.hex()}).encode())  # noqa: S310 - see above
        with urlopen(request, timeout=2) as answer:  # noqa: S310 - see above
            return self._key.checked(bytes.fromhex(json.load(answer)["signature"]), digest)


def from_environment(
    environ: Mapping[str, str], prefix: str, *, kid: str, alg: str, public_key: RSAPublicKey | None
) -> AsyncSigner:
    """Make the signer from ``ACME_SIGNING_URL``: the factory that the entry point names."""
    url = environ.get(f"{prefix}ACME_SIGNING_URL", "")
    if not url:
        raise ConfigurationError(f"{prefix}ACME_SIGNING_URL must be set.", "variable-missing")
    if alg != AcmeSigner.alg:
        raise ConfigurationError(f"ACME's signing service makes {AcmeSigner.alg} only.", "signer-invalid")
    signer = AcmeSigner(url, kid=kid, public_key=public_key)
    signer.sign(b"start-up")  # a missing permission is found before the first visitor
    return with_deadline(signer)
