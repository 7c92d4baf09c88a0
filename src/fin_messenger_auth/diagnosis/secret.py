"""What is wrong with the Messenger API Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fin_messenger_auth.keys import MaskedBytes
from fin_messenger_auth.signers import MIN_SECRET_BYTES, RECOMMENDED_SECRET_BYTES

from .findings import finding

if TYPE_CHECKING:
    from .findings import Finding

_QUOTES = (b'"', b"'", b"`")


def check_secret(secret: bytes) -> list[Finding]:
    """Say what is wrong with a Messenger API Secret.

    Args:
        secret: The secret, as its variable or file holds it. One trailing line end is none of its own.
    """
    text = MaskedBytes(secret).without_line_end()
    bare = text.strip()
    if not bare:
        return [finding("secret-missing")]
    if text.looks_like_pem():
        return [finding("secret-pem")]
    findings = []
    if bare != text:
        findings.append(finding("secret-wrapped", what="blanks or line ends"))
    if len(bare) > 1 and bare[:1] == bare[-1:] and bare[:1] in _QUOTES:
        findings.append(finding("secret-wrapped", what="quotes"))
    if len(text) < MIN_SECRET_BYTES:
        findings.append(finding("secret-short", size=len(text)))
    elif len(text) < RECOMMENDED_SECRET_BYTES:
        findings.append(finding("secret-weak", size=len(text)))
    return findings
