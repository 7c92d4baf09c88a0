"""Does what every signer for an RSA key in another service must do: hashes, and verifies the answer.

Only the digest is sent: it is short, whatever the token contains, and no service sees a claim. Each signature is
verified with the public key before it is used. That takes under 0.1 ms, and finds an answer that was truncated, mixed
up or made with another key, which would make header and key differ.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from types import ModuleType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import HashAlgorithm

from fin_messenger_auth._json_values import configured_string, fill
from fin_messenger_auth._keys import Sealed, checked_rsa_key
from fin_messenger_auth._signers import Signer, rsa_hash
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError, SigningError

__all__ = ["RemoteKey"]


class RemoteKey(Sealed):
    """The local half of a remote RSA key: its public key, its names, and the check of its signatures.

    A signer can hold one, or inherit from it: then ``sign`` is all that it adds.

    Args:
        public_key: The public key, as the service returned it.
        kid: The key ID for the header: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.

    Attributes:
        alg: ``RS256`` or ``RS512``.
        kid: The key ID for the header.
        public_key: The public key.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not valid.
        InvalidKeyError: It is not an RSA key of at least 2048 bits.
    """

    __slots__ = ("alg", "kid", "public_key")

    alg: str
    kid: str
    public_key: RSAPublicKey

    def __init__(self, public_key: PublicKeyTypes, *, kid: str, alg: str) -> None:
        check_names(kid=kid, alg=alg)
        fill(self, "alg", alg)
        fill(self, "kid", kid)
        fill(self, "public_key", checked_rsa_key(public_key, "The remote key"))

    def __repr__(self) -> str:
        """Show the algorithm and the key id, and nothing of the service."""
        return f"{type(self).__name__}(kid={self.kid!r}, alg={self.alg!r})"

    def digest(self, signing_input: bytes) -> bytes:
        """Return the digest to send: SHA-256 for RS256, SHA-512 for RS512."""
        return hashlib.new(rsa_hash(self.alg).name, signing_input).digest()

    def checked(self, signature: bytes, digest: bytes) -> bytes:
        """Return ``signature``, verified with the public key.

        Raises:
            SigningError: It is truncated, or not the signature of ``digest`` by this key.
        """
        size = (self.public_key.key_size + 7) // 8
        if not isinstance(signature, bytes) or len(signature) != size:
            raise SigningError(f"The answer is not a signature of {size} bytes, the length of this key's.")
        hash_ = rsa_hash(self.alg)
        if self._made(signature, digest, Prehashed(hash_)):
            return signature
        if self._made(signature, digest, hash_):
            raise SigningError(
                "The service hashed the digest again, and Salesforce would reject the token; the request must say that "
                "it holds a digest. An emulator that ignores that, as moto does, cannot be used."
            )
        raise SigningError(
            "The signature in the answer is not this key's over this digest: "
            "another key or key version made it, or it was damaged in transit."
        )

    def _made(self, signature: bytes, data: bytes, hash_: Prehashed | HashAlgorithm) -> bool:
        """Tell whether this key made the signature."""
        try:
            self.public_key.verify(signature, data, PKCS1v15(), hash_)
        except InvalidSignature:
            return False
        return True


def check_names(*, kid: str, alg: str) -> None:
    """Check the values for the header, before a request is sent."""
    rsa_hash(alg)
    configured_string(kid, "kid")


def check_that_it_signs(signer: Signer) -> None:
    """Sign once at start-up, so that a disabled key or a missing permission is found before the first visitor."""
    try:
        signer.sign(b"start-up")  # without a dot, so it can never be part of a token
    except SigningError as error:
        raise KeyUnavailableError(f"The key exists but cannot be used. {error}") from error


def import_client(*modules: str, extra: str) -> list[ModuleType]:
    """Import the client of a service, or raise ``ConfigurationError``."""
    try:
        return [import_module(module) for module in modules]
    except ImportError as error:
        raise ConfigurationError(
            f"The client for {extra} is not installed; install fin-messenger-auth with the extra {extra}."
        ) from error
