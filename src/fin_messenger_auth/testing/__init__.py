"""Helps the tests of applications and of signers: throwaway keys, a frozen clock, tokens decoded and verified.

Not for production: each process generates its own throwaway keys.
"""

from ._conformance import acheck_signer, check_signer
from ._decoded import DecodedSettings, DecodedToken, decode, decode_token, settings_in, verify
from ._throwaway import FrozenClock, fill, throwaway_builder, throwaway_environ, throwaway_rsa_key, throwaway_secret

__all__ = [
    "DecodedSettings",
    "DecodedToken",
    "FrozenClock",
    "acheck_signer",
    "check_signer",
    "decode",
    "decode_token",
    "fill",
    "settings_in",
    "throwaway_builder",
    "throwaway_environ",
    "throwaway_rsa_key",
    "throwaway_secret",
    "verify",
]
