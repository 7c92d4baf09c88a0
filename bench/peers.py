"""The contestants in Python: ours, the floor beneath it, and what people would pick instead.

All of them sign the same claims under the same header with the same keys; :func:`check_same` looks at it
before anything is timed. Peers are used as their own documentation says, through public names only.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jose.jwk
import jose.jwt
import joserfc.jwt
import jwcrypto.jwk
import jwcrypto.jwt
import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from joserfc.jwk import OctKey, RSAKey

from fin_messenger_auth import (
    Company,
    HMACSigner,
    IntercomMinter,
    MessengerUser,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
    TokenPairBuilder,
)
from fin_messenger_auth._jws import encode
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret

KID = "throwaway"
ISSUER = "https://issuer.example"
AUDIENCE = "https://example.my.salesforce-scrt.com"
LIFETIME = 3600  # seconds

PARSED = ", key parsed"
PEM = ", PEM on each call"
PEERS = ("PyJWT", "joserfc", "jwcrypto", "python-jose")

SMALL: dict[str, Any] = {}
LARGE: dict[str, Any] = {
    **{f"attribute_{number}": [f"value {number}", number, number % 2 == 0][number % 3] for number in range(50)},
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "company": {"id": "acme-7", "name": "Acme"},
}


@dataclass(frozen=True)
class Case:
    """What everybody signs.

    Args:
        bits: The size of the RSA key.
        more: The claims of ``intercom_user_jwt`` beside ``user_id`` and ``exp``.
    """

    bits: int = 2048
    more: Mapping[str, Any] = field(default_factory=dict)
    user_id: str = "42"

    @cached_property
    def secret(self) -> bytes:
        """The Messenger API Secret."""
        return throwaway_secret().encode()

    @cached_property
    def pem(self) -> bytes:
        """The private key, as it is kept in a file."""
        return throwaway_rsa_key(self.bits).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The private key, parsed."""
        key = load_pem_private_key(self.pem, None)
        assert isinstance(key, RSAPrivateKey)  # noqa: S101 - tells the type checker what was just made
        return key

    @cached_property
    def user(self) -> MessengerUser:
        """The user, as this library takes one."""
        company = self.more.get("company")
        return MessengerUser(
            self.user_id,
            email=self.more.get("email"),
            name=self.more.get("name"),
            company=Company(company["id"], name=company["name"]) if company else None,
            attributes={name: value for name, value in self.more.items() if name not in ("email", "name", "company")},
        )

    @cached_property
    def builder(self) -> TokenPairBuilder:
        """Ours."""
        signer = RSASigner(StringKeySource(self.pem), kid=KID)
        return TokenPairBuilder(
            app_id="throwaway",
            intercom=IntercomMinter(HMACSigner(StringKeySource(self.secret))),
            salesforce=SalesforceMinter(signer, issuer=ISSUER, audience=AUDIENCE),
        )

    def intercom_claims(self) -> dict[str, Any]:
        """What a peer signs for Intercom, made anew as a page would."""
        return {"user_id": self.user_id, "exp": int(time.time()) + LIFETIME, **self.more}

    def salesforce_claims(self) -> dict[str, Any]:
        """What a peer signs for Salesforce, made anew as a page would."""
        now = int(time.time())
        return {"iss": ISSUER, "sub": self.user_id, "aud": AUDIENCE, "exp": now + LIFETIME, "iat": now}


Signing = tuple["Callable[[], object]", "Callable[[], object]"]
"""What makes the token for Intercom, and what makes the one for Salesforce."""


def floor(case: Case) -> Callable[[], object]:
    """One HMAC and one RSA private operation on messages of just the size of ours, and nothing else."""
    pair = case.builder.build(case.user)
    assert pair is not None and pair.salesforce_identity_token is not None  # noqa: PT018, S101 - tells the type checker
    first, second = (_message(token) for token in (pair.intercom_user_jwt, pair.salesforce_identity_token))
    secret, key, padding, hashing = case.secret, case.key, PKCS1v15(), SHA256()

    def sign() -> object:
        return hmac.digest(secret, first, "sha256"), key.sign(second, padding, hashing)

    return sign


def hmac_floor(case: Case) -> Callable[[], object]:
    """One HMAC on a message of just the size of ours."""
    pair = case.builder.build(case.user)
    assert pair is not None  # noqa: S101 - tells the type checker what was just made
    message, secret = _message(pair.intercom_user_jwt), case.secret
    return lambda: hmac.digest(secret, message, "sha256")


def ours_hs256(case: Case) -> Callable[[], object]:
    """Our claims, compact form and signature of the token for Intercom."""
    minter, user = case.builder.intercom, case.user
    return lambda: encode(minter.claims(user, int(time.time())), minter.signer)


def peers(case: Case, *, parsed: bool) -> dict[str, Signing]:
    """Return what people would pick instead.

    Args:
        case: What to sign.
        parsed: Whether the private key was parsed at start-up, or is parsed on each call, as commonly written.
    """
    makers = (_pyjwt, _joserfc, _jwcrypto, _python_jose)
    suffix = PARSED if parsed else PEM
    return {name + suffix: make(case, parsed) for name, make in zip(PEERS, makers, strict=True)}


def both(signing: Signing) -> Callable[[], object]:
    """Return what makes the pair."""
    first, second = signing
    return lambda: (first(), second())


def check_same(case: Case, tokens: Mapping[str, Sequence[Any]]) -> None:
    """Check that everybody signs the same: headers, claims, and the lengths of signatures.

    Args:
        case: What is signed.
        tokens: By contestant, its two tokens (or its one, for Intercom).

    Raises:
        ValueError: Somebody does less, or more, than the others.
    """
    headers = ({"alg": "HS256", "typ": "JWT"}, {"alg": "RS256", "typ": "JWT", "kid": KID})
    claims = (case.intercom_claims(), case.salesforce_claims())
    sizes = (43, -(-case.bits // 6))
    for name, made in tokens.items():
        for token, header, wanted, size in zip(made, headers, claims, sizes, strict=False):
            first, second, signature = (token.decode() if isinstance(token, bytes) else token).split(".")
            got = _decoded(second)
            if _decoded(first) != header or len(signature) != size or _timeless(got) != _timeless(wanted):
                raise ValueError(f"{name} does not sign what the others sign.")


def _message(token: str) -> bytes:
    return token.rpartition(".")[0].encode()


def _decoded(part: str) -> Any:  # noqa: ANN401 - JSON is what its reader makes of it
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _timeless(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in ("exp", "iat")} | {
        "lifetime": LIFETIME if "exp" in claims else None
    }


def _pyjwt(case: Case, parsed: bool) -> Signing:  # noqa: FBT001 - private
    secret, key, headers = case.secret, case.key if parsed else case.pem, {"kid": KID}
    return (
        lambda: pyjwt.encode(case.intercom_claims(), secret, "HS256"),
        lambda: pyjwt.encode(case.salesforce_claims(), key, "RS256", headers),
    )


def _joserfc(case: Case, parsed: bool) -> Signing:  # noqa: FBT001 - private
    secret, key = OctKey.import_key(case.secret), RSAKey.import_key(case.pem)

    def second() -> object:
        used = key if parsed else RSAKey.import_key(case.pem)
        return joserfc.jwt.encode({"alg": "RS256", "kid": KID}, case.salesforce_claims(), used)

    return lambda: joserfc.jwt.encode({"alg": "HS256"}, case.intercom_claims(), secret), second


def _jwcrypto(case: Case, parsed: bool) -> Signing:  # noqa: FBT001 - private
    encoded = base64.urlsafe_b64encode(case.secret).rstrip(b"=").decode()
    secret, key = jwcrypto.jwk.JWK(kty="oct", k=encoded), jwcrypto.jwk.JWK.from_pem(case.pem)

    def first() -> object:
        token = jwcrypto.jwt.JWT({"alg": "HS256", "typ": "JWT"}, case.intercom_claims())
        token.make_signed_token(secret)
        return token.serialize()

    def second() -> object:
        used = key if parsed else jwcrypto.jwk.JWK.from_pem(case.pem)
        token = jwcrypto.jwt.JWT({"alg": "RS256", "typ": "JWT", "kid": KID}, case.salesforce_claims())
        token.make_signed_token(used)
        return token.serialize()

    return first, second


def _python_jose(case: Case, parsed: bool) -> Signing:  # noqa: FBT001 - private
    secret = jose.jwk.construct(case.secret, "HS256")
    key = jose.jwk.construct(case.pem, "RS256") if parsed else case.pem
    return (
        lambda: jose.jwt.encode(case.intercom_claims(), secret, "HS256"),
        lambda: jose.jwt.encode(case.salesforce_claims(), key, "RS256", headers={"kid": KID}),
    )
