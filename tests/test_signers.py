"""Keys as people have them: every shape that works, and for every one that does not a sentence of its own."""

from __future__ import annotations

import asyncio
import base64
import copy
import dataclasses
import pickle
import subprocess
import threading
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
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


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives.hashes import SHA256

    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=30))
        .sign(KEY, SHA256())
        .public_bytes(Encoding.PEM)
    )


@pytest.mark.parametrize(
    "pem",
    [
        PKCS8,
        PKCS1,
        PKCS8.replace(b"\n", b"\r\n"),
        PKCS1.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PKCS8,
        b"\n \n\n" + PKCS8 + b"\n\n \n",
        certificate() + PKCS8,
        PKCS8.replace(b"\n", b" "),
    ],
    ids=["PKCS#8", "PKCS#1", "PKCS#8 CRLF", "PKCS#1 CRLF", "BOM", "blank lines", "bundle", "one line"],
)
def test_pem_in_every_shape_that_people_have(pem: bytes) -> None:
    assert rsa_signer(pem).public_key == KEY.public_key()


@pytest.mark.parametrize("pem", [ENCRYPTED_PKCS8, ENCRYPTED_PKCS1], ids=["PKCS#8", "PKCS#1"])
@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_encrypted_keys_open_with_their_password(pem: bytes, line_end: bytes) -> None:
    assert rsa_signer(pem, PASSWORD + line_end).public_key == KEY.public_key()


@pytest.mark.parametrize("pem", [PKCS8, PKCS1, ENCRYPTED_PKCS1], ids=["PKCS#8", "PKCS#1", "encrypted PKCS#1"])
@pytest.mark.parametrize("line_end", [r"\n", r"\r\n"])
def test_line_ends_written_out_in_a_variable(pem: bytes, line_end: str) -> None:
    source = EnvKeySource("KEY", environ={"KEY": pem.decode().replace("\n", line_end)})
    password = StringKeySource(PASSWORD) if b"ENCRYPTED" in pem else None

    assert RSASigner(source, password=password).public_key == KEY.public_key()


@pytest.mark.parametrize("line_end", [rb"\n", rb"\r\n"])
def test_line_ends_written_out_elsewhere(line_end: bytes) -> None:
    assert rsa_signer(PKCS8.replace(b"\n", line_end)).public_key == KEY.public_key()


def test_openssl_s_own_keys_are_taken(program: Any) -> None:
    openssl = program("openssl")
    pem = subprocess.run([openssl, "genrsa", "2048"], capture_output=True, check=True).stdout

    assert rsa_signer(pem).public_key.key_size == 2048


BODY = PKCS8.decode().splitlines()[3]
UNUSABLE: dict[str, tuple[bytes, bytes | None, str]] = {
    "certificate": (certificate(), None, "is a certificate"),
    "public key": (PUBLIC, None, "is a public key"),
    "PKCS#1 public key": (PUBLIC_PKCS1, None, "is a public key"),
    "EC key": (EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None, "is EC"),
    "SEC1 EC key": (
        EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        None,
        "is an EC key",
    ),
    "Ed25519 key": (
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        None,
        "is Ed25519",
    ),
    "DSA key": (
        b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----",
        None,
        "is a DSA key",
    ),
    "OpenSSH key": (OPENSSH, None, "ssh-keygen"),
    "certificate request": (
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        None,
        "is not a private key",
    ),
    "short RSA key": (pem_of(throwaway_rsa_key(1024)), None, "has 1024 bits"),
    "truncated": (PKCS8[:800], None, "is truncated"),
    "lines lost": (PKCS8.replace(BODY.encode() + b"\n", b""), None, "cannot be parsed"),
    "garbage in armour": (b"-----BEGIN PRIVATE KEY-----\n?!\n-----END PRIVATE KEY-----", None, "cannot be parsed"),
    "wrong password": (ENCRYPTED_PKCS8, b"wrong", "password is wrong"),
    "wrong password, PKCS#1": (ENCRYPTED_PKCS1, b"wrong", "password is wrong"),
    "missing password": (ENCRYPTED_PKCS8, None, "no password was given"),
    "blank password": (ENCRYPTED_PKCS8, b"\n", "password .* is blank"),
    "superfluous password": (PKCS8, PASSWORD, "is not encrypted"),
    "a secret": (throwaway_secret().encode(), None, "not a PEM document"),
    "DER": (KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), None, "not a PEM document"),
    "nothing": (b"", None, "not a PEM document"),
}


CODES = {
    "key-public": ("certificate", "public key", "PKCS#1 public key"),
    "key-not-rsa": ("EC key", "SEC1 EC key", "Ed25519 key", "DSA key"),
    "key-openssh": ("OpenSSH key",),
    "key-not-pem": ("certificate request", "a secret", "DER", "nothing"),
    "key-weak": ("short RSA key",),
    "key-damaged": ("truncated", "lines lost", "garbage in armour"),
    "key-password-wrong": ("wrong password", "wrong password, PKCS#1"),
    "key-password-missing": ("missing password", "blank password"),
    "key-password-unneeded": ("superfluous password",),
}


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, names in CODES.items() for name in names])
def test_every_unusable_key_has_its_own_code_and_sentence_and_shows_nothing(code: str, name: str) -> None:
    pem, password, said = UNUSABLE[name]
    with pytest.raises(InvalidKeyError, match=said) as caught:
        rsa_signer(pem, password)
    assert caught.value.code == code
    for secret in (BODY, PASSWORD.decode(), "wrong horse", throwaway_secret()):
        assert secret not in str(caught.value)


def test_every_unusable_key_has_a_code() -> None:
    assert {name for names in CODES.values() for name in names} == set(UNUSABLE)


def test_the_sentences_tell_the_kinds_of_mistake_apart() -> None:
    said = set()
    for name in ("certificate", "public key", "EC key", "short RSA key", "truncated", "garbage in armour", "a secret"):
        pem, password, _ = UNUSABLE[name]
        with pytest.raises(InvalidKeyError) as caught:
            rsa_signer(pem, password)
        said.add(str(caught.value))
    assert len(said) == 7


def test_a_dsa_key_in_pkcs8_is_named() -> None:
    key = dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InvalidKeyError, match="is DSA") as caught:
        rsa_signer(key)
    assert caught.value.code == "key-not-rsa"


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
        ("\ufeffK1", "value-wrapped"),
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

    text = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"  # would decode as base64

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
