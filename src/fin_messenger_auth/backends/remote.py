"""What every signer for an RSA key that lives elsewhere does on this side: hash, and check what comes back.

Only the digest travels: it is short, whatever the token holds, and no service sees a claim. Each
signature is verified with the public key before it is used; that takes under 0.1 ms, and it is what
keeps header and key from drifting apart, should an answer be cut, mixed up or made with another key.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.json_values import configured_string, fill
from fin_messenger_auth.keys import Sealed
from fin_messenger_auth.signers import MIN_RSA_BITS, RSA_HASHES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from fin_messenger_auth.signers import Signer


class RemoteKey(Sealed):
    """The half of a remote RSA key that is here: its public key, what it is called, and how it signs.

    Args:
        public_key: The public key, as the service gave it out.
        kid: The key id for the header: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.

    Attributes:
        alg: ``RS256`` or ``RS512``.
        kid: The key id for the header.
        public_key: The public key.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not what it must be.
        InvalidKeyError: It is not an RSA key of at least 2048 bits.
    """

    __slots__ = ("_prehashed", "alg", "kid", "public_key")

    alg: str
    kid: str
    public_key: RSAPublicKey
    _prehashed: Prehashed

    def __init__(self, public_key: PublicKeyTypes, *, kid: str, alg: str) -> None:
        check_names(kid=kid, alg=alg)
        if not isinstance(public_key, RSAPublicKey):
            raise InvalidKeyError("The remote key is no RSA key; Salesforce needs RSA.")
        if public_key.key_size < MIN_RSA_BITS:
            raise InvalidKeyError(
                f"The remote RSA key has {public_key.key_size} bits; at least {MIN_RSA_BITS} are needed."
            )
        fill(self, "alg", alg)
        fill(self, "kid", kid)
        fill(self, "public_key", public_key)
        fill(self, "_prehashed", Prehashed(RSA_HASHES[alg]))

    def __repr__(self) -> str:
        """Show the algorithm and the key id."""
        return f"RemoteKey(kid={self.kid!r}, alg={self.alg!r})"

    def digest(self, signing_input: bytes) -> bytes:
        """Return the digest to send: SHA-256 for RS256, SHA-512 for RS512."""
        return hashlib.new(RSA_HASHES[self.alg].name, signing_input).digest()

    def checked(self, signature: bytes, digest: bytes) -> bytes:
        """Return ``signature``, verified with the public key.

        Raises:
            SigningError: It is cut, or not the signature of ``digest`` by this key.
        """
        size = (self.public_key.key_size + 7) // 8
        if not isinstance(signature, bytes) or len(signature) != size:
            raise SigningError(f"The answer holds no signature of {size} bytes, which this key makes.")
        try:
            self.public_key.verify(signature, digest, PKCS1v15(), self._prehashed)
        except InvalidSignature as error:
            raise SigningError(
                "The answer's signature is not one of this key over this digest: "
                "another key or key version made it, or it was damaged on the way."
            ) from error
        return signature


def check_names(*, kid: str, alg: str) -> None:
    """Check what stands in the header, before anything is asked of a network.

    Raises:
        ConfigurationError: ``alg`` or ``kid`` is not what it must be.
    """
    if alg not in tuple(RSA_HASHES):
        raise ConfigurationError(f"alg must be one of {', '.join(RSA_HASHES)} (what Salesforce takes).")
    configured_string(kid, "kid")


def check_that_it_signs(signer: Signer) -> None:
    """Sign once at start-up, so that a disabled key or a missing permission does not wait for the first visitor.

    What is signed has no dot in it, so it can never be part of a token.

    Raises:
        KeyUnavailableError: It does not sign; its own error is the cause.
    """
    try:
        signer.sign(b"start-up")
    except SigningError as error:
        raise KeyUnavailableError(f"The key is there and cannot be used. {error}") from error


def missing_extra(extra: str, needs: str) -> ConfigurationError:
    """Return the error of a backend whose client is not installed."""
    return ConfigurationError(f'{needs} is not installed; run: pip install "fin-messenger-auth[{extra}]".')
