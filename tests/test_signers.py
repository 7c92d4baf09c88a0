"""Keys as people have them: every shape that works, and for every one that does not a sentence of its own."""

from __future__ import annotations

import asyncio
import base64
import copy
import dataclasses
import pickle
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fin_messenger_auth import EnvKeySource, HMACSigner, RSASigner, StringKeySource, with_deadline
from fin_messenger_auth._signers import public_key_of, unwrapped
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidKeyError, KeyUnavailableError
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

KEY = throwaway_rsa_key()
PKCS8 = pem_of(KEY)
PKCS1 = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
OPENSSH = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_PKCS1 = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
PASSWORD = b"correct horse"
ENCRYPTED_PKCS8 = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))
ENCRYPTED_PKCS1 = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSWORD))
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def rsa_signer(pem: bytes | str, password: bytes | None = None) -> RSASigner:
    return RSASigner(StringKeySource(pem), password=None if password is None else StringKeySource(password))


@pytest.mark.parametrize("pem", [PKCS8, PKCS1, ENCRYPTED_PKCS1], ids=["PKCS#8", "PKCS#1", "encrypted PKCS#1"])
@pytest.mark.parametrize("line_end", [r"\n", r"\r\n"])
def test_line_ends_written_out_in_a_variable(pem: bytes, line_end: str) -> None:
    source = EnvKeySource("KEY", environ={"KEY": pem.decode().replace("\n", line_end)})
    password = StringKeySource(PASSWORD) if b"ENCRYPTED" in pem else None

    assert RSASigner(source, password=password).public_key == KEY.public_key()


@pytest.mark.parametrize("alg", ["HS256", "PS256", "none", None, ["RS256"]])
def test_rsa_signers_take_salesforce_s_algorithms_only(alg: Any) -> None:
    with pytest.raises(ConfigurationError, match="RS256 or RS512") as caught:
        RSASigner(StringKeySource(PKCS8), alg=alg)
    assert caught.value.code == "salesforce-algorithm"


@pytest.mark.parametrize(
    ("kid", "code"),
    [
        ("", "value-blank"),
        ("  ", "value-blank"),
        (7, "argument-invalid"),
        (b"k", "argument-invalid"),
        ("\ud800", "argument-invalid"),
        ("K1\n", "value-wrapped"),
        (" K1", "value-wrapped"),
        ("K1\u00a0", "value-wrapped"),
        ("\ufeffK1", "value-encoding"),
        ("'K1'", "value-wrapped"),
    ],
    ids=repr,
)
def test_a_kid_is_a_string_without_whitespace_or_quotes_around_it(kid: Any, code: str) -> None:
    with pytest.raises(ConfigurationError, match="kid") as caught:
        RSASigner(StringKeySource(PKCS8), kid=kid)
    assert caught.value.code == code
    with pytest.raises(ConfigurationError, match="kid") as caught:
        HMACSigner(StringKeySource("s" * 32), kid=kid)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("secret", "said", "code"),
    [
        (b"", "is blank", "secret-short"),
        (b" \n", "is blank", "secret-short"),
        (b"hunter2", "has 7 bytes", "secret-short"),
        (b"x" * 15 + b"\n", "has 15 bytes", "secret-short"),
        (PKCS8, "is a PEM document", "secret-pem"),
        (PUBLIC, "is a PEM document", "secret-pem"),
    ],
    ids=["empty", "blank", "7 bytes", "15 bytes", "private key", "public key"],
)
def test_secrets_that_cannot_be_right_are_refused(secret: bytes, said: str, code: str) -> None:
    with pytest.raises(InvalidKeyError, match=said) as caught:
        HMACSigner(StringKeySource(secret))
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("length", [16, 31])
def test_a_short_secret_is_a_warning_where_the_signer_is_made(length: int) -> None:
    with pytest.warns(FinMessengerAuthWarning, match=f"has {length} bytes") as caught:
        HMACSigner(StringKeySource("s" * length))
    assert caught[0].filename == __file__
    assert caught[0].message.code == "secret-weak"  # type: ignore[union-attr]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_one_trailing_line_end_of_a_secret_is_dropped_and_nothing_else(ending: bytes) -> None:
    secret = b" " + b"s" * 40 + b"\n"

    assert HMACSigner(StringKeySource(secret + ending)).sign(b"x") == HMACSigner(StringKeySource(secret + b"\n")).sign(
        b"x"
    )
    assert HMACSigner(StringKeySource(secret)).sign(b"x") != HMACSigner(StringKeySource(secret + ending)).sign(b"x")


def test_a_secret_is_the_raw_bytes_of_its_text() -> None:
    import hashlib
    import hmac

    text = "c2VjcmV0////jcmV0c2VjcmV0c2VjcmV0"  # would decode as base64

    assert HMACSigner(StringKeySource(text)).sign(b"x") == hmac.new(text.encode(), b"x", hashlib.sha256).digest()


SIGNERS = [HMACSigner(StringKeySource(throwaway_secret())), RSASigner(StringKeySource(PKCS8), kid="k")]


@pytest.mark.parametrize("signer", SIGNERS, ids=repr)
def test_signers_are_immutable_and_never_pickled(signer: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        signer.kid = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del signer.alg
    assert set(dataclasses.asdict(signer)) <= {"alg", "kid", "public_key"}
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(signer)
    assert copy.copy(signer) is signer
    assert copy.deepcopy(signer) is signer


def test_in_thread_runs_the_signer_in_another_thread() -> None:
    class Recording:
        alg = "RS256"
        kid = "k"

        def sign(self, signing_input: bytes, /) -> bytes:
            self.thread = threading.current_thread()
            return signing_input[::-1]

    inner = Recording()
    signer: Any = with_deadline(inner)

    assert signer.signer is inner
    assert (signer.alg, signer.kid) == ("RS256", "k")
    assert repr(signer).startswith("with_deadline(")
    assert asyncio.run(signer.asign(b"abc")) == b"cba"
    assert inner.thread is not threading.current_thread()
    assert signer.sign(b"abc") == b"cba"
    assert inner.thread is not threading.current_thread()


def test_in_thread_needs_a_sign() -> None:
    with pytest.raises(ConfigurationError, match="expected a signer with sign") as caught:
        with_deadline(object())  # type: ignore[arg-type]
    assert caught.value.code == "signer-invalid"


@pytest.mark.parametrize(
    "wrong",
    [{"threads": 0}, {"threads": 1.5}, {"timeout": 0}, {"timeout": float("inf")}, {"timeout": "5"}],
    ids=str,
)
def test_in_thread_needs_a_thread_and_a_time_out(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected threads >= 1"):
        with_deadline(RSASigner(StringKeySource(PKCS8)), **wrong)


def test_a_key_of_an_unsupported_kind_is_said_to_be_one() -> None:
    der = bytes.fromhex("302e0201003005060301020304220420") + bytes(32)  # PKCS#8 with an algorithm that is none
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n"
    # cryptography 45 does not yet say which of the two it is
    with pytest.raises(InvalidKeyError, match=r"not RSA|cannot be parsed"):
        rsa_signer(pem)


class RaisingSource:
    def read(self) -> bytes:
        raise RuntimeError("hunter2")


class TextSource:
    def read(self) -> bytes:
        return "hunter2"  # type: ignore[return-value]


def test_what_a_foreign_source_raises_is_wrapped_at_the_seam() -> None:
    with pytest.raises(KeyUnavailableError, match="RaisingSource raised RuntimeError") as caught:
        HMACSigner(RaisingSource())
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "hunter2" not in str(caught.value)
    assert caught.value.code == "key-unavailable"
    with pytest.raises(KeyUnavailableError, match="expected bytes, got str") as caught:
        HMACSigner(TextSource())
    assert caught.value.code == "key-unavailable"


@pytest.mark.parametrize("source", ["the secret itself", b"the secret itself", None])
def test_a_key_in_place_of_its_source_is_a_clear_mistake(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="StringKeySource") as caught:
        HMACSigner(source)
    assert caught.value.code == "argument-invalid"
    assert "itself" not in str(caught.value)


def test_a_signer_is_found_within_those_that_wrap_it() -> None:
    inner = RSASigner(StringKeySource(PKCS8), kid="k")
    signer: Any = with_deadline(with_deadline(inner))

    assert unwrapped(signer) is unwrapped(inner) is inner
    assert public_key_of(signer) is public_key_of(inner) is inner.public_key is signer.public_key
    assert public_key_of(HMACSigner(StringKeySource(throwaway_secret()))) is None


def test_an_attribute_named_signer_that_does_not_sign_is_not_looked_into() -> None:
    class Signs:
        alg, kid, signer = "RS256", "k", "the signer of a contract"

        def sign(self, signing_input: bytes, /) -> bytes:
            return signing_input

    signs = Signs()
    assert unwrapped(signs) is signs
