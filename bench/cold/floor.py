"""From nothing to one HMAC and one RSA signature, with a key from a file."""

import hmac
import os

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

with open(os.environ["KEY_FILE"], "rb") as file:
    key = load_pem_private_key(file.read(), None)
assert isinstance(key, RSAPrivateKey)  # noqa: S101 - tells the type checker what the file holds
hmac.digest(os.environb[b"SECRET"], b"0" * 100, "sha256")
key.sign(b"0" * 250, PKCS1v15(), SHA256())
