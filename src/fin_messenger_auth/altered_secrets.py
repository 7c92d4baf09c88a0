"""How the Messenger API Secret is altered by mistake before it signs. Intercom uses the bytes of the string."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterator


def decode_base64(data: bytes) -> bytes:
    """Decode Base64 or Base64URL (RFC 4648), with or without padding; a ``ValueError`` says that it is neither."""
    if not data.isascii():
        raise ValueError("not Base64")
    return b64decode(data.translate(bytes.maketrans(b"-_", b"+/")) + b"==")


_ALTERATIONS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("followed by a newline", lambda secret: secret + b"\n"),
    ("followed by a newline", lambda secret: secret + b"\r\n"),
    ("in quotes", lambda secret: b'"' + secret + b'"'),
    ("in quotes", lambda secret: b"'" + secret + b"'"),
    ("decoded from hexadecimal", lambda secret: bytes.fromhex(secret.decode())),
    ("decoded from Base64", decode_base64),
    ("hashed with SHA-256", lambda secret: hashlib.sha256(secret).digest()),
)


def altered_secrets(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each alteration that is possible, in words that follow "the secret", and what it makes of it."""
    for how, alter in _ALTERATIONS:
        try:
            yield how, alter(secret)
        except ValueError:  # the secret is not written in that encoding
            continue
