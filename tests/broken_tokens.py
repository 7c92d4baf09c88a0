"""Tokens with one fault or two, and the codes that must be found. The healthy ones stand at the top."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from fin_messenger_auth.diagnosis import VerifyingKey
from fin_messenger_auth.testing import throwaway_rsa_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NOW = 1_800_000_000
SECRET = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCr"  # Base64 by chance, as a real secret may be
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


def attributes(count: int, *, prefix: str = "attribute") -> dict[str, Any]:
    return {f"{prefix}{number}": number for number in range(count)}


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
    TokenCase({"token-malformed"}, f"{_GOOD}.e30.e30"),
    TokenCase({"token-malformed"}, _UNSIGNED),
    TokenCase({"token-malformed"}, f"e30=.{_UNSIGNED}"),
    TokenCase({"token-malformed"}, "a.a.a"),
    TokenCase({"token-malformed"}, "AAAA.AAAA.AAAA"),
    TokenCase({"token-malformed"}, signed(INTERCOM_HEADER, ["no", "object"], SECRET.encode())),
    TokenCase({"token-malformed"}, signed(INTERCOM_HEADER, {"exp": float("nan")}, SECRET.encode())),
    TokenCase(
        {"token-swapped"}, signed({"alg": "RS256", "kid": KID}, {"iss": ISSUER, "sub": "42", "exp": NOW + 60}, KEY)
    ),
    intercom("token-unsigned", header={"alg": "none"}),
    TokenCase({"token-unsigned"}, f"{_UNSIGNED}."),
    intercom("intercom-algorithm", header={"alg": "HS512", "typ": "JWT"}),
    TokenCase({"intercom-algorithm"}, signed({"alg": "RS256"}, INTERCOM_CLAIMS, KEY)),
    intercom("intercom-secret-altered", secret=""),
    intercom("intercom-secret-altered", secret=SECRET + "\n"),
    intercom("intercom-secret-altered", secret=f"'{SECRET}'"),
    TokenCase({"intercom-secret-altered"}, signed(INTERCOM_HEADER, INTERCOM_CLAIMS, sha256(SECRET.encode()).digest())),
    TokenCase({"intercom-secret-altered"}, signed(INTERCOM_HEADER, INTERCOM_CLAIMS, base64.b64decode(SECRET))),
    *(
        TokenCase({"intercom-secret-altered"}, signed(INTERCOM_HEADER, INTERCOM_CLAIMS, altered))
        for altered in (
            base64.b64encode(SECRET.encode()),
            base64.b64encode(f"{SECRET}\n".encode()),
            SECRET.encode("utf-16-le"),
            b"\xef\xbb\xbf" + SECRET.encode(),
            f"{SECRET}\\n".encode(),
        )
    ),
    TokenCase(
        {"intercom-secret-altered"},
        signed(INTERCOM_HEADER, INTERCOM_CLAIMS, bytes.fromhex(HEX_SECRET)),
        {"secret": HEX_SECRET},
    ),
    TokenCase(
        {"intercom-secret-altered"},
        signed(INTERCOM_HEADER, INTERCOM_CLAIMS, base64.urlsafe_b64decode(URL_SECRET)),
        {"secret": URL_SECRET},
    ),
    intercom("intercom-signature", secret="another secret of the same workspace, for iOS"),
    TokenCase({"intercom-signature"}, intercom().token, {"secret": "ein Schlüssel, der keiner ist"}),
    intercom_without("user_id", "token-user"),
    intercom("token-user", user_id=42),
    intercom("token-user", user_id=None),
    intercom("user-id-lost", user_id=" "),
    intercom("user-id-lost", user_id="undefined"),
    intercom("user-id-lost", user_id="AnonymousUser"),
    intercom("user-id-email", user_id="ada@example.com"),
    TokenCase({"intercom-user-id-differs"}, _GOOD, {"user_id": "43"}),
    intercom_without("exp", "intercom-expiry-missing"),
    intercom("token-expired", exp=NOW),
    intercom("token-expired", exp=-(10**300)),
    intercom("token-malformed", exp=-(10**400)),
    intercom("token-milliseconds", exp=(NOW + 3600) * 1000),
    intercom("token-time-type", exp=str(NOW + 3600)),
    intercom("token-time-type", exp=True),
    intercom("token-time-type", iat=str(NOW)),
    intercom("token-milliseconds", iat=NOW * 1000),
    intercom("token-not-yet-valid", iat=NOW + 2 * 3600, exp=NOW + 3 * 3600),
    intercom("token-not-yet-valid", nbf=NOW + 600),
    intercom("token-time-type", nbf="now"),
    intercom("lifetime-short", iat=NOW, exp=NOW + 60),
    intercom("token-lifetime-long", exp=NOW + 30 * 86_400),
    intercom("intercom-company-id", company="acme-7"),
    intercom("intercom-company-id", company={"name": "Acme"}),
    intercom("attribute-stringified", trial="false"),
    intercom("attribute-stringified", note="None"),
    TokenCase({"attribute-name"}, signed(INTERCOM_HEADER, {**INTERCOM_CLAIMS, "plan.name": 1}, SECRET.encode())),
    intercom("attribute-value", tags=["a", "b"]),
    intercom("attribute-value", note="x" * 256),
    intercom("attribute-value", company={"id": "acme-7", "tags": ["a"]}),
    intercom("attribute-name", **attributes(1, prefix="x" * 190)),
    intercom("attribute-count", **attributes(251)),
    intercom("attribute-count", company={"id": "acme-7", **attributes(101)}),
    intercom("integer-unsafe", seats=2**53),
    # Two at once.
    intercom("intercom-signature", "token-expired", secret="the secret of another workspace altogether", exp=NOW - 9),
    intercom("user-id-email", "token-milliseconds", user_id="ada@example.com", exp=NOW * 1000),
    intercom("attribute-stringified", "intercom-company-id", trial="true", company={}),
    intercom("token-unsigned", "user-id-lost", header={"alg": "none"}, user_id="null"),
    TokenCase({"token-wrapped", "intercom-secret-altered"}, f"'{intercom(secret=SECRET + chr(13) + chr(10)).token}'"),
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
    TokenCase({"token-swapped"}, _GOOD, EXPECTED),
    TokenCase({"token-missing"}, "None", EXPECTED),
    salesforce("token-unsigned", header={"alg": "none", "kid": KID}),
    salesforce("salesforce-algorithm", header={"alg": "HS256", "kid": KID}, key=SECRET.encode()),
    salesforce("salesforce-algorithm", header={"alg": ["RS256"], "kid": KID}),
    salesforce("salesforce-algorithm-differs", header={"alg": "RS512", "kid": KID}),
    salesforce("salesforce-kid-missing", header={"alg": "RS256"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "key-9"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "KEY-1"}),
    salesforce("salesforce-kid-differs", header={"alg": "RS256", "kid": "key-1\n"}),
    salesforce("salesforce-kid-differs", key=OTHER_KEY, options={"keys": TWO_KEYS}),
    salesforce("salesforce-signature", key=OTHER_KEY),
    salesforce_without("iss", "salesforce-issuer-differs"),
    salesforce("salesforce-issuer-differs", iss=7),
    salesforce("issuer-fin", iss="fin.ai", options={"issuer": "fin.ai"}),
    salesforce("salesforce-issuer-differs", iss=ISSUER + "/"),
    salesforce("salesforce-issuer-differs", options={"issuer": ISSUER + "/"}),
    salesforce("salesforce-issuer-differs", iss="https://Acme.example"),
    salesforce("salesforce-issuer-differs", iss=ISSUER + "\n"),
    salesforce("salesforce-issuer-differs", iss="acme.example"),
    salesforce("salesforce-issuer-differs", iss="http://acme.example"),
    salesforce("salesforce-issuer-differs", iss="https://acme.invalid"),
    salesforce("salesforce-issuer-differs", iss="acme", options={"issuer": "Widgets"}),
    salesforce_without("sub", "token-user"),
    salesforce("token-user", sub=42),
    salesforce("token-user", sub=["42"]),
    salesforce("user-id-lost", sub=""),
    salesforce("user-id-lost", sub="None"),
    salesforce("user-id-email", sub="ada@example.com"),
    salesforce_without("exp", "salesforce-expiry-missing"),
    salesforce("token-expired", exp=NOW - 1),
    salesforce_without("aud", "salesforce-audience"),
    salesforce("salesforce-audience", aud=AUDIENCE + "/"),
    salesforce("salesforce-audience", aud="https://acme.my.salesforce.com", options={"audience": None}),
    salesforce("salesforce-audience", aud=["x" * 100], options={"audience": None}),
    # Two at once.
    salesforce(
        "salesforce-issuer-differs", "salesforce-kid-differs", header={"alg": "RS256", "kid": "k"}, iss=ISSUER + "/"
    ),
    salesforce("salesforce-signature", "user-id-lost", key=OTHER_KEY, sub="null"),
    salesforce("salesforce-kid-missing", "salesforce-signature", header={"alg": "RS256"}, key=OTHER_KEY),
    salesforce("token-milliseconds", exp=(NOW + 60) * 1000, iat=NOW * 1000),
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
    PageCase({"settings-token-missing", "token-user-hash"}, {"user_id": "42", "user_hash": _SIGNED}),
    PageCase({"token-user-hash"}, {"user_hash": _SIGNED}),
    PageCase({"token-user-hash"}, {"user_id": "42", "user_hash": "ab" * 32, "intercom_user_jwt": _SIGNED}),
    PageCase({"page-not-anonymous"}, {"salesforce_identity_token": _SIGNED}),
    PageCase({"settings-signed-twice"}, {"user_id": "42", "intercom_user_jwt": _SIGNED, "plan": "free"}),
]
