"""Rotation as a story: at every moment, every token that is still valid is accepted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import errors, jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from fin_messenger_auth import (
    HMACSigner,
    IntercomMinter,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
    TokenPairBuilder,
)
from fin_messenger_auth.testing import FrozenClock, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

MINUTE = 60
LIFETIME = timedelta(hours=1)
RSA_KEYS = {"key-1": throwaway_rsa_key(), "key-2": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
SECRETS = {"old": throwaway_secret(), "new": "n" + throwaway_secret()[1:]}


def builder(clock: FrozenClock, secret: str, kid: str) -> TokenPairBuilder:
    signer = RSASigner(StringKeySource(pem_of(RSA_KEYS[kid])), kid=kid)
    return TokenPairBuilder(
        app_id="app",
        intercom=IntercomMinter(HMACSigner(StringKeySource(SECRETS[secret])), lifetime=LIFETIME),
        salesforce=SalesforceMinter(
            signer, issuer="https://issuer.example", audience="https://a.my.salesforce-scrt.com", lifetime=LIFETIME
        ),
        clock=clock,
    )


class Platforms:
    """What Salesforce's keyset and Intercom's list of secrets accept at a moment."""

    def __init__(self) -> None:
        self.keyset = {"key-1"}
        self.secrets = {"old"}

    def accept(self, pair: Any, now: float) -> bool:
        return self._intercom(pair.intercom_user_jwt, now) and self._salesforce(pair.salesforce_identity_token, now)

    def _intercom(self, token: str, now: float) -> bool:
        return any(_verifies(token, OctKey.import_key(SECRETS[name]), ["HS256"], now) for name in self.secrets)

    def _salesforce(self, token: str, now: float) -> bool:
        keys: list[Any] = [
            RSAKey.import_key(
                RSA_KEYS[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), {"kid": kid}
            )
            for kid in self.keyset
        ]
        return _verifies(token, KeySet(keys), ["RS256"], now)


def _verifies(token: str, key: Any, algorithms: Collection[str], now: float) -> bool:
    try:
        claims = jwt.decode(token, key, algorithms=list(algorithms)).claims
        jwt.JWTClaimsRegistry(now=int(now)).validate(claims)
    except (errors.JoseError, ValueError):
        return False
    return True


@pytest.mark.parametrize("wait", [LIFETIME, LIFETIME - timedelta(minutes=10)])
def test_no_valid_token_is_ever_rejected_if_the_old_key_is_kept_for_the_longest_lifetime(wait: timedelta) -> None:
    clock, platforms = FrozenClock(), Platforms()
    old, new = builder(clock, "old", "key-1"), builder(clock, "new", "key-2")
    serving = [old, old]  # two processes, replaced one after the other
    dropped_at = 2400 + wait.total_seconds()
    start, minted, rejected = clock.now, [], 0
    while clock.now < start + 240 * MINUTE:
        match clock.now - start:
            case 600:  # add
                platforms.keyset |= {"key-2"}
                platforms.secrets |= {"new"}
            case 1800:  # switch
                serving[0] = new
            case 2400:
                serving[1] = new
            case now if now == dropped_at:  # drop
                platforms.keyset -= {"key-1"}
                platforms.secrets -= {"old"}
        minted += [process.build("42") for process in serving]
        alive = [pair for pair in minted if pair is not None and pair.expires_at > clock.now]
        rejected += sum(not platforms.accept(pair, clock.now) for pair in alive)
        clock.advance(5 * MINUTE)
    assert platforms.keyset == {"key-2"}
    assert platforms.secrets == {"new"}
    assert (rejected == 0) is (wait == LIFETIME), "dropped too early, tokens would have failed"
