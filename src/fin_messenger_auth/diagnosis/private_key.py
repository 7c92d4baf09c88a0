"""What is wrong with a private key."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.keys import MaskedBytes, StringKeySource
from fin_messenger_auth.signers import MIN_RSA_BITS, RSASigner

from .findings import finding

if TYPE_CHECKING:
    from pathlib import Path

    from .findings import Finding

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")

# What stands in a PEM document in place of an RSA private key, by the end of its label (RFC 7468).
_OTHER = {
    b"CERTIFICATE": "key-certificate",
    b"PUBLIC KEY": "key-public",
    b"OPENSSH PRIVATE KEY": "key-openssh",
    b"EC PRIVATE KEY": "key-not-rsa",
    b"DSA PRIVATE KEY": "key-not-rsa",
}


def check_private_key(pem: bytes, *, password: bytes | None = None) -> list[Finding]:
    """Say what is wrong with a private key. Whether anything is, the signer decides that will use it.

    Args:
        pem: The PEM document.
        password: What it is encrypted with.
    """
    try:
        open_private_key(pem, password)
    except InvalidKeyError:
        return [_reason(MaskedBytes(pem), MaskedBytes(password) if password else None)]
    return []


def open_private_key(pem: bytes, password: bytes | None = None, *, kid: str | None = None) -> RSASigner:
    """Return the signer of a private key.

    Raises:
        InvalidKeyError: It can sign nothing; :func:`check_private_key` says why.
    """
    return RSASigner(StringKeySource(pem), kid=kid, password=None if password is None else StringKeySource(password))


def open_to_others(path: Path) -> str | None:
    """Return the mode of a file if others on this machine can open it, else ``None``."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:04o}" if os.name == "posix" and mode & 0o077 else None


def _reason(pem: MaskedBytes, password: MaskedBytes | None) -> Finding:
    labels = _LABEL.findall(pem)
    if not labels:
        return finding("key-not-pem")
    code = _code_of_labels(labels)
    if code is not None:
        return finding(code)
    if pem.find(b"-----END ") < 0:
        return finding("key-truncated")
    if password is None and (b"ENCRYPTED PRIVATE KEY" in labels or pem.find(b"Proc-Type: 4,ENCRYPTED") >= 0):
        return finding("key-password-missing")
    return _reason_inside(pem, password)


def _code_of_labels(labels: list[bytes]) -> str | None:
    if any(label.endswith(b"PRIVATE KEY") and label not in _OTHER for label in labels):
        return None
    for ending, code in _OTHER.items():
        if any(label.endswith(ending) for label in labels):
            return code
    return "key-not-pem"


def _reason_inside(pem: MaskedBytes, password: MaskedBytes | None) -> Finding:
    try:
        key = load_pem_private_key(pem, None if password is None else password.without_line_end())
    except TypeError:
        return finding("key-password-superfluous")
    except (ValueError, UnsupportedAlgorithm):
        return finding("key-damaged" if password is None else "key-password-wrong")
    if not isinstance(key, RSAPrivateKey):
        return finding("key-not-rsa")
    return finding("key-weak", bits=key.key_size) if key.key_size < MIN_RSA_BITS else finding("key-damaged")
