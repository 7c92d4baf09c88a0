"""From nothing to the first pair by joserfc."""

import os
import time

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

with open(os.environ["KEY_FILE"], "rb") as file:
    key = RSAKey.import_key(file.read())
secret = OctKey.import_key(os.environ["SECRET"])
now, audience = int(time.time()), "https://example.my.salesforce-scrt.com"
claims = {"iss": "https://issuer.example", "sub": "42", "aud": audience, "exp": now + 3600, "iat": now}
jwt.encode({"alg": "HS256"}, {"user_id": "42", "exp": now + 3600}, secret)
jwt.encode({"alg": "RS256", "kid": "throwaway"}, claims, key)
