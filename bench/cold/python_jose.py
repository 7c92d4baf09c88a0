"""From nothing to the first pair by python-jose."""

import os
import time

from jose import jwt

with open(os.environ["KEY_FILE"], "rb") as file:
    key = file.read()
now = int(time.time())
jwt.encode({"user_id": "42", "exp": now + 3600}, os.environ["SECRET"], "HS256")
jwt.encode(
    {
        "iss": "https://issuer.example",
        "sub": "42",
        "aud": "https://example.my.salesforce-scrt.com",
        "exp": now + 3600,
        "iat": now,
    },
    key,
    "RS256",
    {"kid": "throwaway"},
)
