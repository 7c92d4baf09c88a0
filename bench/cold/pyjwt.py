"""From nothing to the first pair by PyJWT, with a parsed key."""

import os
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

with open(os.environ["KEY_FILE"], "rb") as file:
    key = load_pem_private_key(file.read(), None)
assert isinstance(key, RSAPrivateKey)  # noqa: S101 - tells the type checker what the file holds
now, audience = int(time.time()), "https://example.my.salesforce-scrt.com"
claims = {"iss": "https://issuer.example", "sub": "42", "aud": audience, "exp": now + 3600, "iat": now}
jwt.encode({"user_id": "42", "exp": now + 3600}, os.environ["SECRET"], "HS256")
jwt.encode(claims, key, "RS256", {"kid": "throwaway"})
