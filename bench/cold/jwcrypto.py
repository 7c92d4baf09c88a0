"""From nothing to the first pair by jwcrypto."""

import base64
import os
import time

from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

with open(os.environ["KEY_FILE"], "rb") as file:
    key = JWK.from_pem(file.read())
secret = JWK(kty="oct", k=base64.urlsafe_b64encode(os.environb[b"SECRET"]).rstrip(b"=").decode())
now, audience = int(time.time()), "https://example.my.salesforce-scrt.com"
claims = {"iss": "https://issuer.example", "sub": "42", "aud": audience, "exp": now + 3600, "iat": now}
first = JWT({"alg": "HS256", "typ": "JWT"}, {"user_id": "42", "exp": now + 3600})
first.make_signed_token(secret)
first.serialize()
second = JWT({"alg": "RS256", "typ": "JWT", "kid": "throwaway"}, claims)
second.make_signed_token(key)
second.serialize()
