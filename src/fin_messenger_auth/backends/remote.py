"""What every signer for an RSA key held by another service does here: hash, and verify the answer.

Only the digest is sent: it is short, whatever the token contains, and no service sees a claim. Each signature is
verified with the public key before it is used. That takes under 0.1 ms, and finds an answer that was truncated, mixed
up or made with another key, which would make header and key differ.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError, SigningError
from fin_messenger_auth.json_values import configured_string, fill
from fin_messenger_auth.keys import Sealed
from fin_messenger_auth.pem import checked_rsa_key
from fin_messenger_auth.signers import Signer, rsa_hash

__all__ = ["RemoteKey"]


class RemoteKey(Sealed):
    """The local half of a remote RSA key: its public key, its names, and the check of its signatures.

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

    __slots__ = ("_prehashed", "alg", "kid", "public_key")

    alg: str
    kid: str
    public_key: RSAPublicKey
    _prehashed: Prehashed

    def __init__(self, public_key: PublicKeyTypes, *, kid: str, alg: str) -> None:
        check_names(kid=kid, alg=alg)
        fill(self, "alg", alg)
        fill(self, "kid", kid)
        fill(self, "public_key", checked_rsa_key(public_key, "The remote key"))
        fill(self, "_prehashed", Prehashed(rsa_hash(alg)))

    def __repr__(self) -> str:
        """Show the algorithm and the key id."""
        return f"RemoteKey(kid={self.kid!r}, alg={self.alg!r})"

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
        try:
            self.public_key.verify(signature, digest, PKCS1v15(), self._prehashed)
        except InvalidSignature as error:
            raise SigningError(
                "The signature in the answer is not this key's over this digest: "
                "another key or key version made it, or it was damaged in transit."
            ) from error
        return signature


def check_names(*, kid: str, alg: str) -> None:
    """Check the values for the header, before a request is sent.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not valid.
    """
    rsa_hash(alg)
    configured_string(kid, "kid")


def check_that_it_signs(signer: Signer) -> None:
    """Sign once at start-up, so that a disabled key or a missing permission is found before the first visitor.

    The message that is signed contains no dot, so it can never be part of a token.

    Raises:
        KeyUnavailableError: It does not sign; the error is the cause.
    """
    try:
        signer.sign(b"start-up")
    except SigningError as error:
        raise KeyUnavailableError(f"The key exists but cannot be used. {error}") from error


def missing_extra(extra: str, needs: str) -> ConfigurationError:
    """Return the error of a backend whose client is not installed."""
    return ConfigurationError(f'{needs} is not installed; run: pip install "fin-messenger-auth[{extra}]".')
