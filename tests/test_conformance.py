"""check_signer passes what is right, and names each mistake of a broken signer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import secrets
import threading
import time
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from fin_messenger_auth import HMACSigner, RSASigner, StringKeySource, with_deadline
from fin_messenger_auth.testing import acheck_signer, check_signer, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._signature_errors import diagnose_rsa
from fin_messenger_auth.testing._throwaway import pem_of

KEY = throwaway_rsa_key()
PUBLIC = KEY.public_key()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = secrets.token_hex(32).encode()
PADDING = PKCS1v15()


def right(message: bytes) -> bytes:
    return KEY.sign(message, PADDING, SHA256())


def digest_of(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


class Custom:
    """A signer as somebody else writes it; ``sign`` is what the test is about."""

    def __init__(self, sign: Callable[[bytes], Any], alg: Any = "RS256", kid: Any = "key-1") -> None:
        self._sign = sign
        self.alg = alg
        self.kid = kid

    def sign(self, signing_input: bytes, /) -> Any:
        return self._sign(signing_input)


def complaint(signer: Any, verify_with: Any = PUBLIC) -> str:
    """Return the violations that check_signer reports."""
    with pytest.raises(AssertionError) as caught:
        check_signer(signer, verify_with)
    return str(caught.value)


@cache
def raw_padded(data: bytes) -> bytes:
    """PKCS#1 v1.5 around ``data`` as it is, as an HSM does when it is told to pad only."""
    size = KEY.key_size // 8
    block = int.from_bytes(b"\x00\x01" + b"\xff" * (size - len(data) - 3) + b"\x00" + data)
    n = KEY.private_numbers()
    by_p, by_q = pow(block, n.dmp1, n.p), pow(block, n.dmq1, n.q)
    return (by_q + n.q * (n.iqmp * (by_p - by_q) % n.p)).to_bytes(size)


def sometimes_wrong() -> Callable[[bytes], bytes]:
    calls = count(1)
    return lambda message: right(message) if next(calls) % 5 else OTHER_KEY.sign(message, PADDING, SHA256())


def sharing_state() -> Callable[[bytes], bytes]:
    held: list[bytes] = [b""]

    def sign(message: bytes) -> bytes:
        held[0] = message
        time.sleep(0.001)
        return right(held[0])

    return sign


def refusing(least: int, most: int) -> Callable[[bytes], bytes]:
    def sign(message: bytes) -> bytes:
        if not least <= len(message) <= most:
            raise ValueError(message)
        return right(message)

    return sign


def one_thread_only() -> Callable[[bytes], bytes]:
    busy = threading.Lock()

    def sign(message: bytes) -> bytes:
        if not busy.acquire(blocking=False):
            raise RuntimeError
        try:
            time.sleep(0.001)
            return right(message)
        finally:
            busy.release()

    return sign


async def coroutine(message: bytes) -> bytes:
    return right(message)


TWICE = "the digest is signed instead of the message, so it is hashed twice"

BROKEN_RSA: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "digest instead of message": (lambda m: right(digest_of(m)), TWICE),
    "hashed three times": (lambda m: right(digest_of(digest_of(m))), "the message is hashed three times"),
    "hex digest": (lambda m: right(digest_of(m).hex().encode()), "the hexadecimal digest is signed"),
    "digest without DigestInfo": (lambda m: raw_padded(digest_of(m)), "padded without its DigestInfo"),
    "foreign DigestInfo": (lambda m: raw_padded(b"\x30\x20" + digest_of(m)), "not as in RFC 8017"),
    "not hashed": (lambda m: raw_padded(m[:200]), "padded and not hashed"),
    "something else": (lambda _: right(b"something else"), "the right key signed something other"),
    "wrong hash": (
        lambda m: KEY.sign(m, PADDING, SHA384()),
        "the hash: expected SHA-256, got SHA-384",
    ),
    "RS512 under the name of RS256": (
        lambda m: KEY.sign(m, PADDING, SHA512()),
        "the hash: expected SHA-256, got SHA-512",
    ),
    "PSS": (lambda m: KEY.sign(m, PSS(MGF1(SHA256()), 32), SHA256()), "the padding: expected PKCS#1 v1.5, got PSS"),
    "PSS over SHA-512": (
        lambda m: KEY.sign(m, PSS(MGF1(SHA512()), 64), SHA512()),
        "expected PKCS#1 v1.5, got PSS; the hash: expected SHA-256, got SHA-512",
    ),
    "PSS over the digest": (
        lambda m: KEY.sign(digest_of(digest_of(m)), PSS(MGF1(SHA256()), 32), Prehashed(SHA256())),
        "expected PKCS#1 v1.5, got PSS; the digest is signed",
    ),
    "DER around it": (lambda m: b"\x04\x82\x01\x00" + right(m), "wrapped in DER"),
    "Base64": (lambda m: b64encode(right(m)), "encoded as Base64; return its raw bytes"),
    "Base64URL, unpadded": (lambda m: urlsafe_b64encode(right(m)).rstrip(b"="), "encoded as Base64"),
    "Base64 of a doubly hashed": (lambda m: b64encode(right(digest_of(m))), f"return its raw bytes; {TWICE}"),
    "hexadecimal": (lambda m: right(m).hex().encode(), "in hexadecimal digits"),
    "little-endian": (lambda m: right(m)[::-1], "in reverse byte order"),
    "the whole token": (lambda m: m + b"." + urlsafe_b64encode(right(m)).rstrip(b"="), "a whole token is returned"),
    "a newline after it": (lambda m: right(m) + b"\n", "bytes follow the signature"),
    "cut short": (lambda m: right(m)[:255], "the signature: expected 256 bytes, got 255"),
    "nothing": (lambda _: b"", "the signature: expected 256 bytes, got 0"),
    "noise": (lambda _: secrets.token_bytes(256), "made with another key, or is not a signature"),
    "another key": (lambda m: OTHER_KEY.sign(m, PADDING, SHA256()), "made with another key"),
    "message reversed": (lambda m: right(m[::-1]), "signed in reverse byte order"),
    "message without its header": (lambda m: right(m.rpartition(b".")[2]), "without its header"),
    "message with a newline": (lambda m: right(m + b"\n"), "with a newline after it"),
    "empty message": (lambda _: right(b""), "an empty message is signed"),
    "cut at 4096": (lambda m: right(m[:4096]), "with a message of 4097 and 100000 bytes: only the first 4096 bytes"),
    "refuses a byte": (refusing(2, 10**6), "with a message of 1 bytes: it raises ValueError"),
    "refuses 4097": (refusing(1, 4096), "with a message of 4097 and 100000 bytes: it raises ValueError"),
    "refuses 100 000": (refusing(1, 65_536), "with a message of 100000 bytes: it raises ValueError"),
    "raises": (lambda _: {"a": b""}["key"], "sign: it raises KeyError"),
    "str": (lambda m: right(m).hex(), "expected bytes, got str"),
    "memoryview": (lambda m: memoryview(right(m)), "expected bytes, got memoryview"),
    "bytearray": (lambda m: bytearray(right(m)), "expected bytes, got bytearray"),
    "None": (lambda _: None, "expected bytes, got NoneType"),
    "a coroutine": (coroutine, "it returns a coroutine; rename it to asign"),
    "sometimes wrong": (sometimes_wrong(), "wrong in 6 of 32 calls: the signature was made with another key"),
    "shared state": (sharing_state(), "with 8 threads at once, in "),
    "one thread only": (one_thread_only(), "with 8 threads at once, in "),
}


@pytest.mark.parametrize("mistake", BROKEN_RSA)
def test_each_broken_rsa_signer_is_named_by_its_mistake(mistake: str) -> None:
    sign, expected = BROKEN_RSA[mistake]
    report = complaint(Custom(sign))
    assert expected in report
    assert report.count("\n- ") == 1, "one mistake is reported once"


def test_another_calls_message_is_told_from_a_wrong_key() -> None:
    assert "the signature of another call's message" in complaint(Custom(sharing_state()))


BROKEN_HMAC: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "digest instead of message": (lambda m: hmac.digest(SECRET, digest_of(m), "sha256"), TWICE),
    "wrong hash": (lambda m: hmac.digest(SECRET, m, "sha512"), "the hash: expected SHA-256, got SHA-512"),
    "secret decoded": (
        lambda m: hmac.digest(bytes.fromhex(SECRET.decode()), m, "sha256"),
        "the secret is decoded from hexadecimal; use it as it is written",
    ),
    "secret with a newline": (
        lambda m: hmac.digest(SECRET + b"\n", m, "sha256"),
        "the secret is followed by a newline",
    ),
    "secret hashed": (lambda m: hmac.digest(digest_of(SECRET), m, "sha256"), "the secret is hashed with SHA-256"),
    "empty secret": (lambda m: hmac.digest(b"", m, "sha256"), "the secret is empty"),
    "no secret": (digest_of, "the message is hashed without the secret"),
    "another secret": (lambda m: hmac.digest(b"x" * 32, m, "sha256"), "made with another secret"),
    "hexadecimal": (lambda m: hmac.digest(SECRET, m, "sha256").hex().encode(), "in hexadecimal digits"),
    "truncated": (lambda m: hmac.digest(SECRET, m, "sha256")[:16], "the signature: expected 32 bytes, got 16"),
}


@pytest.mark.parametrize("mistake", BROKEN_HMAC)
def test_each_broken_hmac_signer_is_named_by_its_mistake(mistake: str) -> None:
    sign, expected = BROKEN_HMAC[mistake]
    report = complaint(Custom(sign, alg="HS256", kid=None), SECRET)
    assert expected in report
    assert report.count("\n- ") == 1


def test_a_secret_that_is_no_base64_and_no_hexadecimal_is_no_obstacle() -> None:
    report = complaint(Custom(digest_of, alg="HS256", kid=None), b"\xff" * 32)
    assert "the message is hashed without the secret" in report


class Changing(Custom):
    """A signer that reloads its key under the same object."""

    def __init__(self, **values: Callable[[], Any]) -> None:
        super().__init__(right)
        self._values = values

    def __getattribute__(self, name: str) -> Any:
        values = {} if name == "__dict__" else self.__dict__.get("_values", {})
        return values[name]() if name in values else super().__getattribute__(name)


def alternating(*values: Any) -> Callable[[], Any]:
    calls = count()
    return lambda: values[next(calls) // 3 % len(values)]


def unset() -> Any:
    raise AttributeError


def failing() -> Any:
    raise OSError("no network")


@pytest.mark.parametrize(
    ("signer", "expected"),
    [
        (Custom(right, alg="RS384"), "alg: expected RS256 or RS512 with this key, got 'RS384'"),
        (Custom(right, alg="HS256"), "with this key, got 'HS256'"),
        (Custom(right, alg="none"), "with this key, got 'none'"),
        (Custom(right, alg=""), "alg is blank"),
        (Custom(right, alg=b"RS256"), "alg: expected a str, got bytes"),
        (Custom(right, alg=None), "alg: expected a str, got NoneType"),
        (Custom(right, kid=" "), "kid is blank"),
        (Custom(right, kid=7), "kid: expected a str, got int"),
        (Custom(right, kid="\ud800"), "kid contains bytes that are not UTF-8"),
        (Changing(alg=unset), "alg is missing"),
        (Changing(kid=unset), "kid is missing"),
        (Changing(kid=failing), "kid raises OSError"),
        (Changing(kid=alternating("a", "b")), "kid changes; a signer is one immutable value"),
        (Changing(alg=alternating("RS256", "RS512")), "alg changes; a signer is one immutable value"),
        (Changing(public_key=OTHER_KEY.public_key), "public_key is not the key in verify_with"),
    ],
)
def test_what_a_signer_says_of_itself_is_checked(signer: Custom, expected: str) -> None:
    report = complaint(signer)
    assert expected in report
    assert report.count("\n- ") == 1


def test_one_error_reports_every_violation() -> None:
    signer = Custom(lambda m: right(m[:4096]).hex().encode(), alg="RS384", kid="")
    report = complaint(signer)
    assert report.startswith("Custom breaks the contract:")
    assert report.count("\n- ") == 4
    for expected in ("alg: expected", "kid is blank", "hexadecimal digits", "4096 bytes of the message"):
        assert expected in report


def test_a_key_that_is_too_short_is_a_violation() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    signer = Custom(lambda m: short.sign(m, PADDING, SHA256()))
    assert "The key has 1024 bits; the minimum is 2048." in complaint(signer, short.public_key())


def test_a_secret_in_the_repr_is_a_violation() -> None:
    class Dataclass(Custom):
        def __repr__(self) -> str:
            return f"Dataclass(secret={SECRET!r})"

    signer = Dataclass(lambda m: hmac.digest(SECRET, m, "sha256"), alg="HS256", kid=None)
    report = complaint(signer, SECRET)
    assert "repr shows the secret" in report
    assert SECRET.decode() not in report


def test_what_the_signer_raised_is_the_cause_and_is_not_repeated() -> None:
    with pytest.raises(AssertionError) as caught:
        check_signer(Custom(refusing(0, 0)), PUBLIC)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "eyJ" not in str(caught.value)


def test_the_wrong_twin_is_named() -> None:
    assert "sign is missing. It has asign: check it with acheck_signer." in complaint(AsyncCustom(right))
    with pytest.raises(AssertionError, match=r"asign is missing\. It has sign: check it with check_signer, or wrap it"):
        asyncio.run(acheck_signer(Custom(right), PUBLIC))  # type: ignore[arg-type]
    assert complaint(object()).count(" is missing.") == 3


@pytest.mark.parametrize("wrong", [throwaway_secret(), None, KEY], ids=lambda wrong: type(wrong).__name__)
def test_a_wrong_verify_with_is_the_callers_mistake(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^verify_with: expected an RSA public key or bytes, got \w+\.$") as caught:
        check_signer(Custom(right), wrong)
    assert throwaway_secret() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_rsa_signers_pass(alg: Any) -> None:
    signer = RSASigner(StringKeySource(pem_of(KEY)), kid="key-1", alg=alg)
    check_signer(signer, PUBLIC)
    asyncio.run(acheck_signer(with_deadline(signer), PUBLIC))


def test_a_signer_that_lacks_nothing_passes() -> None:
    check_signer(Custom(right), PUBLIC)


def test_hmac_signers_pass() -> None:
    signer = HMACSigner(StringKeySource(throwaway_secret() + "\n"))
    check_signer(signer, throwaway_secret().encode())
    asyncio.run(acheck_signer(with_deadline(signer), throwaway_secret().encode()))


class AsyncCustom:
    alg = "RS256"
    kid = "key-1"

    def __init__(self, sign: Callable[[bytes], Any]) -> None:
        self._sign = sign

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0)
        return self._sign(signing_input)


class AsyncSharingState(AsyncCustom):
    message = b""

    async def asign(self, signing_input: bytes, /) -> Any:
        self.message = signing_input
        await asyncio.sleep(random.random() / 1000)
        return self._sign(self.message)


class NotAsync(AsyncCustom):
    def asign(self, signing_input: bytes, /) -> Any:
        return self._sign(signing_input)


@pytest.mark.parametrize(
    ("signer", "expected"),
    [
        (AsyncCustom(BROKEN_RSA["PSS"][0]), "asign: the padding: expected PKCS#1 v1.5, got PSS"),
        (AsyncCustom(refusing(1, 4096)), "asign: with a message of 4097 and 100000 bytes: it raises ValueError"),
        (AsyncSharingState(right), "with 8 tasks at once, in "),
        (NotAsync(right), "asign: it raises TypeError"),
    ],
)
def test_each_broken_async_signer_is_named_by_its_mistake(signer: AsyncCustom, expected: str) -> None:
    with pytest.raises(AssertionError) as caught:
        asyncio.run(acheck_signer(signer, PUBLIC))
    assert expected in str(caught.value)
    assert str(caught.value).count("\n- ") == 1


def test_dropped_leading_zeros_are_named() -> None:
    message = next(each for each in (f"a.{n}".encode() for n in range(10_000)) if right(each)[0] == 0)

    said = diagnose_rsa(right(message)[1:], message, alg="RS256", key=KEY.public_key())

    assert said.startswith("leading zero bytes of the signature are dropped")
