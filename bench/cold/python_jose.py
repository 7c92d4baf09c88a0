"""From nothing to the first pair by python-jose."""

import os
import time

from jose import jwt

with open(os.environ["KEY_FILE"], "rb") as file:
    key = file.read()
now, audience = int(time.time()), "https://example.my.salesforce-scrt.com"
claims = {"iss": "https://issuer.example", "sub": "42", "aud": audience, "exp": now + 3600, "iat": now}
jwt.encode({"user_id": "42", "exp": now + 3600}, os.environ["SECRET"], "HS256")
jwt.encode(claims, key, "RS256", {"kid": "throwaway"})
