"""Tokens with one fault or two, and the codes that must be found. The healthy ones stand at the top."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from fin_messenger_auth.diagnosis import VerifyingKey
from fin_messenger_auth.testing import throwaway_rsa_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NOW = 1_800_000_000
SECRET = "c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtb3ItbW9y"  # Base64 by chance, as a real secret may be
HEX_SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
URL_SECRET = "_-9zZWNyZXQtb2YtdGhpcnR5LXR3by1ieXRlcy1vci1tb3Jl"
ISSUER = "https://acme.example"
AUDIENCE = "https://acme.my.salesforce-scrt.com"
KID = "key-1"

KEY = throwaway_rsa_key(2048)
OTHER_KEY = throwaway_rsa_key(2056)
KEYS = [VerifyingKey(KEY.public_key(), kid=KID, alg="RS256")]
TWO_KEYS = [*KEYS, VerifyingKey(OTHER_KEY.public_key(), kid="key-2", alg="RS256")]


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: dict[str, Any], claims: object, key: RSAPrivateKey | bytes) -> str:
    message = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims).encode())}"
    if isinstance(key, bytes):
        return f"{message}.{base64url(hmac.digest(key, message.encode(), 'sha256'))}"
    hashing = SHA512() if header.get("alg") == "RS512" else SHA256()
    return f"{message}.{base64url(key.sign(message.encode(), PKCS1v15(), hashing))}"


def without(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != name}


@dataclass(frozen=True)
class TokenCase:
    codes: set[str]
    token: str = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return "+".join(sorted(self.codes)) or "healthy"


INTERCOM_CLAIMS: dict[str, Any] = {"user_id": "42", "exp": NOW + 3600}
INTERCOM_HEADER = {"alg": "HS256", "typ": "JWT"}


def intercom(*codes: str, secret: str = SECRET, header: dict[str, Any] | None = None, **claims: object) -> TokenCase:
    token = signed(header or INTERCOM_HEADER, {**INTERCOM_CLAIMS, **claims}, secret.encode())
    return TokenCase(set(codes), token)


def intercom_without(name: str, *codes: str) -> TokenCase:
    return TokenCase(set(codes), signed(INTERCOM_HEADER, without(INTERCOM_CLAIMS, name), SECRET.encode()))


_GOOD = intercom().token
_UNSIGNED = _GOOD.rpartition(".")[0]

HEALTHY_INTERCOM = [
    intercom(),
    intercom(iat=NOW),
    intercom(nbf=NOW),
    intercom(header={"alg": "HS256"}),
    intercom(company={"id": "acme-7"}, plan="pro", trial=False, seats=0, note=None, email="ada@example.com"),
    TokenCase(set(), intercom(secret=HEX_SECRET).token, {"secret": HEX_SECRET.encode()}),
    TokenCase(set(), _GOOD, {"user_id": "42"}),
]

BROKEN_INTERCOM = [
    TokenCase({"token-missing"}, ""),
    TokenCase({"token-missing"}, "undefined"),
    TokenCase({"token-missing"}, '"null"'),
    TokenCase({"token-wrapped"}, f"Bearer {_GOOD}\n"),
    TokenCase({"token-wrapped"}, f'"{_GOOD}"'),
    TokenCase({"token-user-hash"}, "ab" * 32),
    TokenCase({"token-encrypted"}, f"{_GOOD}.e30.e30"),
    TokenCase({"token-malformed"}, _UNSIGNED),
    TokenCase({"token-malformed"}, f"e30=.{_UNSIGNED}"),
    TokenCase({"token-malformed"}, "a.a.a"),
    TokenCase({"token-malformed"}, "AAAA.AAAA.AAAA"),
    TokenCase({"token-malformed"}, signed(INTERCOM_HEADER, ["no", "object"], SECRET.encode())),
    TokenCase({"token-malformed"}, signed(INTERCOM_HEADER, {"exp": float("nan")}, SECRET.encode())),
    TokenCase(
        {"token-exchanged"}, signed({"alg": "RS256", "kid": KID}, {"iss": ISSUER, "sub": "42", "exp": NOW + 60}, KEY)
    ),
    intercom("token-unsigned", header={"alg": "none"}),
    TokenCase({"token-unsigned"}, f"{_UNSIGNED}."),
    intercom("token-type", header={"alg": "HS256", "typ": "at+jwt"}),
    intercom("intercom-algorithm", header={"alg": "HS512", "typ": "JWT"}),
    TokenCase({"intercom-algorithm"}, signed({"alg": "RS256"}, INTERCOM_CLAIMS, KEY)),
    intercom("intercom-secret-empty", secret=""),
    intercom("intercom-secret-line-end", secret=SECRET + "\n"),
    intercom("intercom-secret-line-end", secret=f"'{SECRET}'"),
    TokenCase({"intercom-secret-decoded"}, signed(INTERCOM_HEADER, INTERCOM_CLAIMS, base64.b64decode(SECRET))),
    TokenCase(
        {"intercom-secret-decoded"},
        signed(INTERCOM_HEADER, INTERCOM_CLAIMS, bytes.fromhex(HEX_SECRET)),
        {"secret": HEX_SECRET},
    ),
    TokenCase(
        {"intercom-secret-decoded"},
        signed(INTERCOM_HEADER, INTERCOM_CLAIMS, base64.urlsafe_b64decode(URL_SECRET)),
        {"secret": URL_SECRET},
    ),
    intercom("intercom-signature", secret="another secret of the same workspace, for iOS"),
    intercom_without("user_id", "intercom-user-id-missing"),
    intercom("intercom-user-id-not-text", user_id=42),
    intercom("intercom-user-id-not-text", user_id=None),
    intercom("intercom-user-id-lost", user_id=" "),
    intercom("intercom-user-id-lost", user_id="undefined"),
    intercom("intercom-user-id-email", user_id="ada@example.com"),
    TokenCase({"intercom-user-id-differs"}, _GOOD, {"user_id": "43"}),
    intercom_without("exp", "intercom-expiry-missing"),
    intercom("token-expired", exp=NOW),
    intercom("token-expired", exp=-(10**400)),
    intercom("token-exp-milliseconds", exp=(NOW + 3600) * 1000),
    intercom("token-exp-not-a-number", exp=str(NOW + 3600)),
    intercom("token-exp-not-a-number", exp=True),
    intercom("token-iat-not-a-number", iat=str(NOW)),
    intercom("token-iat-milliseconds", iat=NOW * 1000),
    intercom("token-iat-future", iat=NOW + 2 * 3600, exp=NOW + 3 * 3600),
    intercom("token-not-yet-valid", nbf=NOW + 600),
    intercom("token-nbf-not-a-number", nbf="now"),
    intercom("token-lifetime-short", iat=NOW, exp=NOW + 60),
    intercom("token-lifetime-long", exp=NOW + 30 * 86_400),
    intercom("intercom-company-id", company="acme-7"),
    intercom("intercom-company-id", company={"name": "Acme"}),
    intercom("intercom-attribute-stringified", trial="false"),
    TokenCase(
        {"intercom-attribute-name"}, signed(INTERCOM_HEADER, {**INTERCOM_CLAIMS, "plan.name": 1}, SECRET.encode())
    ),
    intercom("intercom-attribute-nested", tags=["a", "b"]),
    intercom("intercom-attribute-long", note="x" * 256),
    # Two at once.
    intercom("intercom-signature", "token-expired", secret="the secret of another workspace altogether", exp=NOW - 9),
    intercom("intercom-user-id-email", "token-exp-milliseconds", user_id="ada@example.com", exp=NOW * 1000),
    intercom("intercom-attribute-stringified", "intercom-company-id", trial="true", company={}),
    intercom("token-unsigned", "intercom-user-id-lost", header={"alg": "none"}, user_id="null"),
    TokenCase({"token-wrapped", "intercom-secret-line-end"}, f"'{intercom(secret=SECRET + chr(13) + chr(10)).token}'"),
]

SALESFORCE_CLAIMS: dict[str, Any] = {"iss": ISSUER, "sub": "42", "aud": AUDIENCE, "exp": NOW + 3600, "iat": NOW}
SALESFORCE_HEADER = {"alg": "RS256", "typ": "JWT", "kid": KID}
EXPECTED: dict[str, Any] = {"keys": KEYS, "issuer": ISSUER, "audience": AUDIENCE}


def salesforce(
    *codes: str,
    key: RSAPrivateKey | bytes = KEY,
    header: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **claims: object,
) -> TokenCase:
    token = signed(header or SALESFORCE_HEADER, {**SALESFORCE_CLAIMS, **claims}, key)
    return TokenCase(set(codes), token, EXPECTED if options is None else {**EXPECTED, **options})


def salesforce_without(name: str, *codes: str) -> TokenCase:
    return TokenCase(set(codes), signed(SALESFORCE_HEADER, without(SALESFORCE_CLAIMS, name), KEY), EXPECTED)


HEALTHY_SALESFORCE = [
    salesforce(),
    salesforce(options={"keys": TWO_KEYS}),
    salesforce(options={"keys": [VerifyingKey(KEY.public_key())], "audience": None}),
    salesforce(header={"alg": "RS256", "kid": KID}),  # as Salesforce's own tool signs
    salesforce(header={"alg": "RS512", "kid": KID}, options={"keys": [VerifyingKey(KEY.public_key(), kid=KID)]}),
    salesforce(header={"alg": "RS256", "kid": "key-2"}, key=OTHER_KEY, options={"keys": TWO_KEYS}),
]

BROKEN_SALESFORCE = [
    TokenCase({"token-exchanged"}, _GOOD, EXPECTED),
    TokenCase({"token-missing"}, "None", EXPECTED),
    salesforce("token-unsigned", header={"alg": "none", "kid": KID}),
    salesforce("salesforce-algorithm", header={"alg": "HS256", "kid": KID}, key=SECRET.encode()),
    salesforce("salesforce-algorithm", header={"alg": ["RS256"], "kid": KID}),
    salesforce("salesforce-algorithm-differs", header={"alg": "RS512", "kid": KID}),
    salesforce("salesforce-kid-missing", header={"alg": "RS256"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "key-9"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "KEY-1"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "key-1\n"}),
    salesforce("salesforce-kid-swapped", key=OTHER_KEY, options={"keys": TWO_KEYS}),
    salesforce("salesforce-signature", key=OTHER_KEY),
    salesforce_without("iss", "salesforce-issuer-missing"),
    salesforce("salesforce-issuer-missing", iss=7),
    salesforce("salesforce-issuer-fin", iss="fin.ai", options={"issuer": "fin.ai"}),
    salesforce("salesforce-issuer-slash", iss=ISSUER + "/"),
    salesforce("salesforce-issuer-slash", options={"issuer": ISSUER + "/"}),
    salesforce("salesforce-issuer-case", iss="https://Acme.example"),
    salesforce("salesforce-issuer-space", iss=ISSUER + "\n"),
    salesforce("salesforce-issuer-scheme", iss="acme.example"),
    salesforce("salesforce-issuer-scheme", iss="http://acme.example"),
    salesforce("salesforce-issuer-differs", iss="https://acme.invalid"),
    salesforce("salesforce-issuer-differs", iss="acme", options={"issuer": "Widgets"}),
    salesforce_without("sub", "salesforce-subject-missing"),
    salesforce("salesforce-subject-not-text", sub=42),
    salesforce("salesforce-subject-not-text", sub=["42"]),
    salesforce("salesforce-subject-lost", sub=""),
    salesforce("salesforce-subject-lost", sub="None"),
    salesforce("salesforce-subject-email", sub="ada@example.com"),
    salesforce_without("exp", "salesforce-expiry-missing"),
    salesforce("token-expired", exp=NOW - 1),
    salesforce_without("aud", "salesforce-audience-missing"),
    salesforce("salesforce-audience-differs", aud=AUDIENCE + "/"),
    salesforce("salesforce-audience-shape", aud="https://acme.my.salesforce.com", options={"audience": None}),
    salesforce("salesforce-audience-shape", aud=["x" * 100], options={"audience": None}),
    # Two at once.
    salesforce(
        "salesforce-issuer-slash", "salesforce-kid-differs", header={"alg": "RS256", "kid": "k"}, iss=ISSUER + "/"
    ),
    salesforce("salesforce-signature", "salesforce-subject-lost", key=OTHER_KEY, sub="null"),
    salesforce("salesforce-kid-missing", "salesforce-signature", header={"alg": "RS256"}, key=OTHER_KEY),
    salesforce("token-exp-milliseconds", "token-iat-milliseconds", exp=(NOW + 60) * 1000, iat=NOW * 1000),
    salesforce("salesforce-algorithm", "salesforce-kid-missing", header={"alg": "ES256"}),
]


@dataclass(frozen=True)
class PageCase:
    codes: set[str]
    settings: dict[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return "+".join(sorted(self.codes)) or "healthy"


_SIGNED = intercom(plan="pro").token

HEALTHY_PAGES = [
    PageCase(set(), {"app_id": "abc"}),
    PageCase(set(), {"app_id": "abc", "user_id": "42", "intercom_user_jwt": _SIGNED, "theme": "dark"}),
]

BROKEN_PAGES = [
    PageCase({"settings-token-missing"}, {"user_id": "42"}),
    PageCase({"settings-token-missing", "settings-token-as-user-hash"}, {"user_id": "42", "user_hash": _SIGNED}),
    PageCase({"settings-token-as-user-hash"}, {"user_hash": _SIGNED}),
    PageCase({"settings-user-hash"}, {"user_hash": "ab" * 32, "intercom_user_jwt": _SIGNED}),
    PageCase({"settings-signed-twice"}, {"user_id": "42", "intercom_user_jwt": _SIGNED, "plan": "free"}),
]
