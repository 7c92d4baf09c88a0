"""Stands in for a remote signer that could not be made at start-up, and checks the first signature of others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Thread

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ._outages import log
from ._signers import RSA_HASHES, AsyncSigner, Signer, WantedKey, Wrapper, signs_async, signs_at_once
from .errors import ConfigurationError, KeyUnavailableError, SigningError

PAUSE = 5.0
"""Seconds between two attempts to make a signer; each process makes its own."""


class LateSigner(Wrapper):
    """Signs as soon as the signer that it stands in for can be made.

    A page that needs it meanwhile fails at once, and starts the next attempt in a thread if the pause is over. Only
    the first synchronous page of a forked child waits for an attempt, as the start of a process does: a preloaded
    application would lose pages with each worker that is replaced, although the key is usable by then. Until the signer
    is made, what it must be is what is wrapped.
    """

    __slots__ = ("_busy", "_due", "_make", "_tried_in", "_trouble")

    def __init__(
        self, make: Callable[[], Signer | AsyncSigner], trouble: KeyUnavailableError, wanted: WantedKey
    ) -> None:
        super().__init__(wanted)
        self._make = make
        self._tried_in = os.getpid()
        self._busy = 0  # the ID of the process that is making it
        self._trouble = ""
        self._failed(trouble)

    def trouble(self) -> str | None:
        """Return why it cannot sign, and start the next attempt if it is due; ``None`` if it can sign."""
        if not isinstance(self.signer, WantedKey):
            return None
        if time.monotonic() >= self._due and self._busy != os.getpid():
            self._busy = os.getpid()
            try:
                Thread(target=self._attempt, name="fin-messenger-auth-signer", daemon=True).start()
            except RuntimeError:  # the system has no more threads: the next page tries again
                self._busy = 0
        return f"The key cannot be used yet: {self._trouble} It is tried again every {PAUSE:g} seconds."

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the signer's signature, or raise ``SigningError`` if it cannot be made yet."""
        if isinstance(self.signer, WantedKey) and self._tried_in != os.getpid():
            self._tried_in = self._busy = os.getpid()
            self._attempt()
        signer = self._made()
        if not signs_at_once(signer):
            raise SigningError(f"{type(signer).__name__} signs asynchronously only.")
        return signer.sign(signing_input)

    async def asign(self, signing_input: bytes, /) -> bytes:
        """Do what :meth:`sign` does, awaiting ``asign`` where the signer has it."""
        signer = self._made()
        return await signer.asign(signing_input) if signs_async(signer) else self.sign(signing_input)

    def _made(self) -> Signer | AsyncSigner:
        signer: Signer | AsyncSigner | WantedKey = self.signer
        if isinstance(signer, WantedKey):
            raise SigningError(self.trouble() or "The key can be used from the next page on.")
        return signer

    def _attempt(self) -> None:
        try:
            signer = self._make()
        except (ConfigurationError, KeyUnavailableError) as error:
            self._failed(error)
        else:
            self.signer = signer
            log("warning", f"The key with kid {signer.kid!r} can be used now: {type(signer).__name__} signs with it.")
        finally:
            self._busy = 0

    def _failed(self, error: ConfigurationError | KeyUnavailableError) -> None:
        if error.message != self._trouble:
            log(
                "critical",
                f"The key with kid {self.kid!r} cannot be used: {error.message} Pages are made without its token, as "
                f"on_signing_error says, until it can; it is tried again at most every {PAUSE:g} seconds. "
                "MESSENGER_START=strict makes this stop the start.",
            )
            self._trouble = error.message  # set after the record, so that whoever reads it finds the record
        self._due = time.monotonic() + PAUSE


class FirstChecked(Wrapper):
    """Checks the first signature of a signer that offers no public key, and refuses all until one is right."""

    __slots__ = ("_is_right", "_public_key")

    def __init__(self, signer: Signer | AsyncSigner, public_key: RSAPublicKey) -> None:
        super().__init__(signer)
        self._public_key = public_key
        self._is_right = False

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the signer's signature, or raise ``SigningError`` if another key made it."""
        return self._checked(self.signer.sign(signing_input), signing_input)

    async def asign(self, signing_input: bytes, /) -> bytes:
        """Return the signer's signature, or raise ``SigningError`` if another key made it."""
        if not signs_async(self.signer):
            return self.sign(signing_input)
        return self._checked(await self.signer.asign(signing_input), signing_input)

    def _checked(self, signature: bytes, message: bytes) -> bytes:
        if not self._is_right:
            if not made_by(self._public_key, signature, message, self.alg):
                raise SigningError(
                    "The signer signs with another key than the one in the uploaded JWK, so every visitor would be a "
                    "guest. Configure the key that the JWK was made from, or upload the JWK of this key."
                )
            self._is_right = True
        return signature


def made_by(public_key: RSAPublicKey | None, signature: bytes, message: bytes, alg: str) -> bool:
    """Tell whether the private half of a key made a signature (RFC 7518 §3.3)."""
    try:
        assert public_key is not None  # noqa: S101 - of a JWK
        public_key.verify(signature, message, PKCS1v15(), RSA_HASHES[alg])
    except (InvalidSignature, TypeError):
        return False
    return True
