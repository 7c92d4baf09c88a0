"""What is done here with a key that another service holds: the digest, and the check of the signature in its answer."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.backends import RemoteKey
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, SigningError
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_keys import WEAK_KEY
from tests.broken_tokens import KEY

OTHER_KEY = rsa.generate_private_key(65537, KEY.key_size)  # of the same size, so that only the check can tell
MESSAGE = b"header.claims"
REMOTE = RemoteKey(KEY.public_key(), kid="key-1", alg="RS256")
DIGEST = REMOTE.digest(MESSAGE)


def sign(key: Any, digest: bytes = DIGEST) -> bytes:
    signature: bytes = key.sign(digest, PKCS1v15(), Prehashed(SHA256()))
    return signature


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_the_checked_signature_is_the_one_that_a_local_signer_makes(alg: Literal["RS256", "RS512"]) -> None:
    local = RSASigner(StringKeySource(pem_of(KEY)), alg=alg)
    remote = RemoteKey(KEY.public_key(), kid="key-1", alg=alg)
    digest = remote.digest(MESSAGE)
    assert digest == hashlib.new({"RS256": "sha256", "RS512": "sha512"}[alg], MESSAGE).digest()
    assert remote.checked(local.sign(MESSAGE), digest) == local.sign(MESSAGE)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (sign(OTHER_KEY), "not this key's over this digest"),
        (sign(KEY, hashlib.sha256(b"another message").digest()), "not this key's over this digest"),
        (sign(KEY, hashlib.sha256(DIGEST).digest()), "The service hashed the digest again"),
        (KEY.sign(DIGEST, PSS(MGF1(SHA256()), 32), Prehashed(SHA256())), "The service signed with RSASSA-PSS"),
        (bytes(256), "not this key's over this digest"),
        (sign(KEY)[::-1], "not this key's over this digest"),
        (sign(KEY)[:-1], "256 bytes"),
        (sign(KEY) + b"\0", "256 bytes"),
        (b"", "256 bytes"),
        (None, "256 bytes"),
        ("x" * 256, "256 bytes"),
    ],
    ids=[
        "other key",
        "other digest",
        "hashed again",
        "PSS",
        "zeros",
        "reversed",
        "truncated",
        "too long",
        "empty",
        "None",
        "str",
    ],
)
def test_an_answer_that_is_not_the_signature_is_refused(signature: Any, message: str) -> None:
    with pytest.raises(SigningError, match=message):
        REMOTE.checked(signature, DIGEST)


def test_only_rsa_keys_of_2048_bits_with_a_name_are_taken() -> None:
    for key, code in ((ec.generate_private_key(ec.SECP256R1()), "key-not-rsa"), (WEAK_KEY, "key-weak")):
        with pytest.raises(InvalidKeyError) as caught:
            RemoteKey(key.public_key(), kid="key-1", alg="RS256")
        assert caught.value.code == code
    for names, code in (
        ({"kid": "key-1", "alg": "PS256"}, "salesforce-algorithm"),
        ({"kid": "key-1\n", "alg": "RS256"}, "value-wrapped"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            RemoteKey(KEY.public_key(), **names)
        assert refused.value.code == code
