"""What a token is verified with: a public key, and the ``kid`` and ``alg`` that go with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from fin_messenger_auth.signers import RSA_HASHES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .compact import ReadToken


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of a keyset.

    Args:
        public_key: The key; of a signer, its ``public_key``.
        kid: The key id of its JWK. ``None`` if it is not known, so that it fits any.
        alg: The ``alg`` of its JWK. ``None`` if it is not known.
    """

    public_key: RSAPublicKey = field(repr=False)
    kid: str | None = None
    alg: str | None = None

    def made(self, token: ReadToken) -> bool:
        """Tell whether this key's private half made the signature (RFC 7518 §3.3).

        Verified by cryptography and not by joserfc, which warns of a short key where a finding is wanted.
        """
        try:
            self.public_key.verify(token.signature, token.message, PKCS1v15(), RSA_HASHES[token.header["alg"]])
        except InvalidSignature:
            return False
        return True
