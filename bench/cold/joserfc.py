"""From nothing to the first pair by joserfc."""

import os
import time

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

with open(os.environ["KEY_FILE"], "rb") as file:
    key = RSAKey.import_key(file.read())
secret = OctKey.import_key(os.environ["SECRET"])
now = int(time.time())
jwt.encode({"alg": "HS256"}, {"user_id": "42", "exp": now + 3600}, secret)
jwt.encode(
    {"alg": "RS256", "kid": "throwaway"},
    {
        "iss": "https://issuer.example",
        "sub": "42",
        "aud": "https://example.my.salesforce-scrt.com",
        "exp": now + 3600,
        "iat": now,
    },
    key,
)
