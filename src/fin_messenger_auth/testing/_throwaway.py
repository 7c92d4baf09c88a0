"""Makes keys once per process, a frozen clock, and a builder with both."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fin_messenger_auth import _users
from fin_messenger_auth._builder import Identify, TokenPairBuilder
from fin_messenger_auth.page import render_snippet
from fin_messenger_auth.page._mark import display_of, fill_marks

THROWAWAY_KID = "throwaway"  # the kid of the throwaway builder's RSA signer
THROWAWAY_ISSUER = "https://issuer.example"  # the issuer of the throwaway builder
THROWAWAY_AUDIENCE = "https://example.my.salesforce-scrt.com"  # the audience of the throwaway builder


class FrozenClock:
    """A clock that stands still until it is advanced.

    Args:
        now: The time that it shows, in Unix seconds.

    Attributes:
        now: The time that it shows, in Unix seconds.
        reads: How often it was read.
    """

    def __init__(self, now: float = 1_700_000_000) -> None:
        self.now: float = now
        self.reads: int = 0

    def __call__(self) -> float:
        """Return the time, in Unix seconds."""
        self.reads += 1
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the clock by ``seconds``."""
        self.now += seconds


@cache
def throwaway_secret() -> str:
    """Return a Messenger API Secret of the usual strength, generated once per process."""
    return secrets.token_urlsafe(32)


@cache
def throwaway_rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return an RSA private key, generated once per process and size.

    Args:
        bits: The size of its modulus, in bits.
    """
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    """Return ``key`` as an unencrypted PKCS#8 PEM document."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def throwaway_environ() -> dict[str, str]:
    """Return environment variables with throwaway keys, all that ``TokenPairBuilder.from_env`` needs.

    For tests of code that reads the environment: ``monkeypatch.setenv`` each of them.
    """
    return {
        "INTERCOM_APP_ID": "throwaway",
        "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
        "SALESFORCE_PRIVATE_KEY": pem_of(throwaway_rsa_key()).decode(),
        "SALESFORCE_KEY_ID": THROWAWAY_KID,
        "SALESFORCE_ISSUER": THROWAWAY_ISSUER,
        "SALESFORCE_AUDIENCE": THROWAWAY_AUDIENCE,
    }


@cache
def _builder() -> TokenPairBuilder:
    return TokenPairBuilder.from_env(throwaway_environ())


def throwaway_builder(
    *,
    identify: Identify = _users.identify,
    clock: Callable[[], float] = time.time,
    fin_managed: bool = False,
) -> TokenPairBuilder:
    """Return a builder on throwaway keys, made in well under a millisecond after the first.

    Args:
        identify: The application's own ``identify``, to test it.
        clock: A :class:`FrozenClock`, to have the same tokens each time.
        fin_managed: Whether Fin makes the second token, as in an application without a Salesforce key.
    """
    made = _builder()
    return replace(made, identify=identify, clock=clock, salesforce=None if fin_managed else made.salesforce)


def fill(html: str, user: object) -> str:
    """Return what a template rendered outside a request, with its marks filled as a response would fill them.

    Args:
        html: What the template rendered, with ``{% fin_messenger %}`` or ``{{ fin_messenger() }}`` in it.
        user: The application's user, or ``None``. The tokens are signed with throwaway keys.
    """

    def scripts(mark: bytes) -> bytes:
        display: Any = display_of(mark, None) or {}
        settings = throwaway_builder().build_settings(user, **display)
        return render_snippet(settings).encode()

    return fill_marks(html.encode(), scripts).decode()
