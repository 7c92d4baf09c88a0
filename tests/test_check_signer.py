"""check_signer finds every broken signer of these tables, and passes every good one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import threading
import time
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA224, SHA256, SHA384, SHA512

from fin_messenger_auth import HMACSigner, RSASigner, StringKeySource, with_deadline
from fin_messenger_auth.testing import acheck_signer, check_signer, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

KEY = throwaway_rsa_key()
PUBLIC = KEY.public_key()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
SECRET = secrets.token_hex(32).encode()
PADDING = PKCS1v15()

Sign = Callable[[bytes], Any]


def right(message: bytes) -> bytes:
    return KEY.sign(message, PADDING, SHA256())


def other(message: bytes) -> bytes:
    return OTHER_KEY.sign(message, PADDING, SHA256())


def digest_of(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def padded(data: bytes) -> bytes:
    """PKCS#1 v1.5 around ``data`` as it is, as an HSM does when it is told to pad only."""
    size = KEY.key_size // 8
    block = int.from_bytes(b"\x00\x01" + b"\xff" * (size - len(data) - 3) + b"\x00" + data)
    n = KEY.private_numbers()
    by_p, by_q = pow(block, n.dmp1, n.p), pow(block, n.dmq1, n.q)
    return (by_q + n.q * (n.iqmp * (by_p - by_q) % n.p)).to_bytes(size)


class Custom:
    """A signer as somebody else writes it; ``sign`` and the properties are what the tests are about."""

    alg: Any = "RS256"
    kid: Any = "key-1"

    def __init__(
        self, sign: Sign = right, *, shown: str = "Custom()", said: str = "Custom()", **properties: Any
    ) -> None:
        self._sign, self._shown, self._said = sign, shown, said
        vars(self).update(properties)

    def sign(self, signing_input: bytes, /) -> Any:
        return self._sign(signing_input)

    def __repr__(self) -> str:
        return self._shown

    def __str__(self) -> str:
        return self._said


# --- sign, wrong in its own way -------------------------------------------------------------------------------------


def if_(condition: Callable[[bytes], object], otherwise: BaseException) -> Sign:
    def sign(message: bytes) -> bytes:
        if not condition(message):
            raise otherwise
        return right(message)

    return sign


def raising(error: BaseException) -> Sign:
    return if_(lambda _message: False, error)


def calls(wanted: Callable[[int], bool]) -> Callable[[bytes], bool]:
    number = count()
    return lambda _message: wanted(next(number))


def cached_by(length: int) -> Sign:
    cache: dict[bytes, bytes] = {}
    return lambda message: cache.setdefault(message[:length], right(message))


def refusing_repetition() -> Sign:
    seen: set[bytes] = set()
    return if_(lambda message: message not in seen and not seen.add(message), PermissionError())  # type: ignore[func-returns-value]


def sometimes_wrong() -> Sign:
    number = count(1)
    return lambda message: right(message) if next(number) % 5 else other(message)


def sharing_the_message() -> Sign:
    held = [b""]

    def sign(message: bytes) -> bytes:
        held[0] = message
        time.sleep(0.001)
        return right(held[0])

    return sign


def sharing_a_list() -> Sign:
    parts: list[bytes] = []

    def sign(message: bytes) -> bytes:
        parts.append(message)
        time.sleep(0.001)
        signature = right(b"".join(parts))
        parts.clear()
        return signature

    return sign


def one_thread_at_a_time() -> Sign:
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


def in_its_own_thread_only() -> Sign:
    home = threading.get_ident()
    return if_(lambda _message: threading.get_ident() == home, RuntimeError())


def leaving_threads(message: bytes) -> bytes:
    threading.Thread(target=time.sleep, args=(1.5,), daemon=True).start()
    return right(message)


def keyword_only(*, signing_input: bytes) -> Any:
    return right(signing_input)


async def coroutine(message: bytes) -> bytes:
    return right(message)


def hmac_of(secret: bytes, name: str = "sha256") -> Sign:
    return lambda message: hmac.digest(secret, message, name)


def showing_the_secret(_message: bytes) -> bytes:
    raise ValueError(f"cannot sign with {SECRET.decode()}")


RSA: dict[str, Sign] = {
    "the digest": lambda m: right(digest_of(m)),
    "hashed three times": lambda m: right(digest_of(digest_of(m))),
    "the digest in hexadecimal": lambda m: right(digest_of(m).hex().encode()),
    "no DigestInfo": lambda m: padded(digest_of(m)),
    "foreign DigestInfo": lambda m: padded(b"\x30\x20" + digest_of(m)),
    "not hashed": lambda m: padded(m[:200]),
    "something else": lambda _: right(b"something else"),
    "SHA-1": lambda m: KEY.sign(m, PADDING, SHA1()),
    "SHA-224": lambda m: KEY.sign(m, PADDING, SHA224()),
    "SHA-384": lambda m: KEY.sign(m, PADDING, SHA384()),
    "RS512 under the name of RS256": lambda m: KEY.sign(m, PADDING, SHA512()),
    "PSS": lambda m: KEY.sign(m, PSS(MGF1(SHA256()), 32), SHA256()),
    "PSS over SHA-512": lambda m: KEY.sign(m, PSS(MGF1(SHA512()), 64), SHA512()),
    "PSS over the digest": lambda m: KEY.sign(digest_of(m), PSS(MGF1(SHA256()), 32), Prehashed(SHA256())),
    "DER around it": lambda m: b"\x04\x82\x01\x00" + right(m),
    "a length before it": lambda m: b"\x00\x00\x01\x00" + right(m),
    "Base64": lambda m: b64encode(right(m)),
    "Base64 with newlines": lambda m: encodebytes(right(m)),
    "Base64URL, unpadded": lambda m: urlsafe_b64encode(right(m)).rstrip(b"="),
    "Base64 of a doubly hashed": lambda m: b64encode(right(digest_of(m))),
    "hexadecimal": lambda m: right(m).hex().encode(),
    "upper-case hexadecimal": lambda m: right(m).hex().upper().encode(),
    "JSON": lambda m: json.dumps({"signature": b64encode(right(m)).decode()}).encode(),
    "little-endian": lambda m: right(m)[::-1],
    "the whole token": lambda m: m + b"." + urlsafe_b64encode(right(m)).rstrip(b"="),
    "a newline after it": lambda m: right(m) + b"\n",
    "the message after it": lambda m: right(m) + m,
    "padded to 512 bytes": lambda m: right(m).ljust(512, b"\0"),
    "last byte lost": lambda m: right(m)[:255],
    "first byte lost": lambda m: right(m)[1:],
    "leading zero bytes lost": lambda m: right(m).lstrip(b"\0"),
    "one bit wrong": lambda m: right(m)[:-1] + bytes([right(m)[-1] ^ 1]),
    "nothing": lambda _: b"",
    "noise": lambda _: secrets.token_bytes(256),
    "another key": other,
    "sometimes another key": sometimes_wrong(),
    "message reversed": lambda m: right(m[::-1]),
    "message without its header": lambda m: right(m.rpartition(b".")[2]),
    "message without its payload": lambda m: right(m.partition(b".")[0]),
    "message with a newline": lambda m: right(m + b"\n"),
    "message in upper case": lambda m: right(m.upper()),
    "message in UTF-16": lambda m: right(m.decode().encode("utf-16")),
    "message twice": lambda m: right(m + m),
    "message stripped": lambda m: right(m.strip(b"_")),
    "empty message": lambda _: right(b""),
    "first 64 bytes": lambda m: right(m[:64]),
    "first 4096 bytes": lambda m: right(m[:4096]),
    "cached by 20 bytes": cached_by(20),
    "cached by 256 bytes": cached_by(256),
    "refuses a byte": if_(lambda m: len(m) > 1, ValueError()),
    "refuses 4097 bytes": if_(lambda m: len(m) <= 4096, ValueError()),
    "refuses 100,000 bytes": if_(lambda m: len(m) <= 65_536, ValueError()),
    "refuses odd lengths": if_(lambda m: len(m) % 2 == 0, ValueError()),
    "refuses repetition": refusing_repetition(),
    "first call": if_(calls(lambda number: number > 0), ConnectionError()),
    "quota of 33": if_(calls(lambda number: number < 33), PermissionError()),
    "quota of 40": if_(calls(lambda number: number < 40), PermissionError()),
    "KeyError": raising(KeyError()),
    "SystemExit": raising(SystemExit()),
    "GeneratorExit": raising(GeneratorExit()),
    "CancelledError": raising(asyncio.CancelledError()),
    "wants JSON": lambda m: right(json.loads(m)),
    "keyword only": keyword_only,  # type: ignore[dict-item]
    "str": lambda m: right(m).hex(),
    "memoryview": lambda m: memoryview(right(m)),
    "bytearray": lambda m: bytearray(right(m)),
    "int": lambda m: int.from_bytes(right(m)),
    "list": lambda m: [right(m)],
    "True": lambda _: True,
    "None": lambda _: None,
    "a coroutine": coroutine,
    "shares the message": sharing_the_message(),
    "shares a list": sharing_a_list(),
    "one thread at a time": one_thread_at_a_time(),
    "in its own thread only": in_its_own_thread_only(),
    "leaves threads": leaving_threads,
}

HMAC: dict[str, Sign] = {
    "the digest": lambda m: hmac.digest(SECRET, digest_of(m), "sha256"),
    "SHA-1": hmac_of(SECRET, "sha1"),
    "SHA-384": hmac_of(SECRET, "sha384"),
    "SHA-512": hmac_of(SECRET, "sha512"),
    "secret decoded": hmac_of(bytes.fromhex(SECRET.decode())),
    "secret with a newline": hmac_of(SECRET + b"\n"),
    "secret in quotes": hmac_of(b'"' + SECRET + b'"'),
    "secret in upper case": hmac_of(SECRET.upper()),
    "secret cut": hmac_of(SECRET[:32]),
    "secret hashed": hmac_of(digest_of(SECRET)),
    "empty secret": hmac_of(b""),
    "another secret": hmac_of(b"x" * 32),
    "no secret": digest_of,
    "secret and message swapped": lambda m: hmac.digest(m, SECRET, "sha256"),
    "secret and message hashed": lambda m: digest_of(SECRET + m),
    "hexadecimal": lambda m: hmac.digest(SECRET, m, "sha256").hex().encode(),
    "Base64": lambda m: b64encode(hmac.digest(SECRET, m, "sha256")),
    "truncated": lambda m: hmac.digest(SECRET, m, "sha256")[:16],
    "an error with the secret": showing_the_secret,
}


# --- what a signer says of itself -----------------------------------------------------------------------------------


def signer_with(name: str, get: Callable[[], Any]) -> Custom:
    """A signer whose property or method ``name`` is computed at each use."""
    members = {name: (lambda _self: get()) if name.startswith("__") else property(lambda _self: get())}
    return type("Computed", (Custom,), members)()  # type: ignore[no-any-return]


def alternating(*values: Any) -> Callable[[], Any]:
    number = count()
    return lambda: values[next(number) // 3 % len(values)]


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


KIDS = ["key-1 ", " key-1", "\tkey-1", "key-1\n", "\ufeffkey-1", "key-1\u200b", '"key-1"', "'key-1'", "`k`", "", " "]
PROPERTIES: dict[str, Custom] = {
    **{f"kid {kid!r}": Custom(kid=kid) for kid in [*KIDS, b"key-1", 7, "\ud800"]},
    **{
        f"alg {alg!r}": Custom(alg=alg)
        for alg in ["RS384", "HS256", "PS256", "none", "rs256", "RS256 ", "", b"RS256", None]
    },
    "no alg": signer_with("alg", failing(AttributeError())),
    "no kid": signer_with("kid", failing(AttributeError())),
    "kid needs a network": signer_with("kid", failing(OSError())),
    "kid ends the process": signer_with("kid", failing(SystemExit())),
    "kid changes": signer_with("kid", alternating("a", "b")),
    "alg changes": signer_with("alg", alternating("RS256", "RS512")),
    "repr ends the process": signer_with("__repr__", failing(SystemExit())),
    "private key in its repr": Custom(shown=pem_of(KEY).decode()),
    "private key in its str": Custom(said=pem_of(KEY).decode()),
    "another public_key": Custom(public_key=OTHER_KEY.public_key()),
}

BROKEN: dict[str, tuple[Any, Any]] = {
    **{f"RSA: {name}": (Custom(sign), PUBLIC) for name, sign in RSA.items()},
    **{f"HMAC: {name}": (Custom(sign, alg="HS256", kid=None), SECRET) for name, sign in HMAC.items()},
    **{f"property: {name}": (signer, PUBLIC) for name, signer in PROPERTIES.items()},
    "secret in its repr": (Custom(hmac_of(SECRET), alg="HS256", kid=None, shown=repr(SECRET)), SECRET),
    "short key": (Custom(lambda m: SHORT_KEY.sign(m, PADDING, SHA256())), SHORT_KEY.public_key()),
    "no signer": (object(), PUBLIC),
}


def test_every_broken_signer_is_found() -> None:
    assert len(BROKEN) >= 113
    found = {name: violation for name, (signer, key) in BROKEN.items() if (violation := violation_of(signer, key))}
    assert BROKEN.keys() - found.keys() == set()
    assert not any(SECRET.decode() in violation or "PRIVATE KEY" in violation for violation in found.values())


def violation_of(signer: Any, verify_with: Any, *, seconds: float = 20) -> str:
    """Return what check_signer says of a signer: empty if it passes."""
    try:
        check_signer(signer, verify_with, seconds=seconds)
    except AssertionError as error:
        return str(error)
    return ""


# --- asign, wrong in its own way ------------------------------------------------------------------------------------


class Right:
    alg, kid = "RS256", "key-1"

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0.001)
        return right(signing_input)


class Async(Right):
    def __init__(self, sign: Sign) -> None:
        self._sign = sign

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0)
        return self._sign(signing_input)


class AsyncSharing(Right):
    message = b""

    async def asign(self, signing_input: bytes, /) -> Any:
        self.message = signing_input
        await asyncio.sleep(random.random() / 1000)
        return right(self.message)


class Blocking(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        time.sleep(0.005)  # noqa: ASYNC251 - that is its mistake
        return right(signing_input)


class BlockingAtTimes(Right):
    def __init__(self) -> None:
        self.calls = count(1)

    async def asign(self, signing_input: bytes, /) -> Any:
        if next(self.calls) % 10 == 0:
            time.sleep(0.1)  # noqa: ASYNC251 - as for a new access token
        return await super().asign(signing_input)


class Swallowing(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            return right(signing_input)


class TurningIt(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            raise ConnectionError from None


class GoingOn(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            await asyncio.sleep(1.3)
            raise


class LeavingTasks(Right):
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def asign(self, signing_input: bytes, /) -> Any:
        self.tasks.append(asyncio.ensure_future(asyncio.sleep(30)))
        return await super().asign(signing_input)


class LeavingThreads(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        return leaving_threads(signing_input)


class BoundToItsLoop(Right):
    loop: asyncio.AbstractEventLoop | None = None

    async def asign(self, signing_input: bytes, /) -> Any:
        self.loop = self.loop or asyncio.get_running_loop()
        await self.loop.create_task(asyncio.sleep(0.005))
        return right(signing_input)


class FollowingTheLoop(Right):
    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def asign(self, signing_input: bytes, /) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self.loops:
            self.loops.append(loop)
        if loop is not self.loops[-1]:
            raise ConnectionResetError
        return await super().asign(signing_input)


class Nested(Right):
    async def asign(self, signing_input: bytes, /) -> Any:
        return super().asign(signing_input)


class Generating(Right):
    async def asign(self, signing_input: bytes, /) -> AsyncIterator[bytes]:  # type: ignore[override]
        yield right(signing_input)


class OneAtATime(Right):
    busy = False

    async def asign(self, signing_input: bytes, /) -> Any:
        if self.busy:
            raise BlockingIOError
        self.busy = True
        try:
            return await super().asign(signing_input)
        finally:
            self.busy = False


class Both(Right):
    """Signs in both ways, and rightly unless told otherwise."""

    def __init__(self, sign: Sign = right, asign: Sign = right) -> None:
        self._sign, self._asign = sign, asign

    def sign(self, signing_input: bytes, /) -> Any:
        return self._sign(signing_input)

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0)
        return self._asign(signing_input)


class NotAsync(Both):
    def asign(self, signing_input: bytes, /) -> Any:
        return right(signing_input)


BROKEN_ASYNC: dict[str, Any] = {
    "PSS": Async(RSA["PSS"]),
    "refuses 4097 bytes": Async(RSA["refuses 4097 bytes"]),
    "str": Async(RSA["str"]),
    "SystemExit": Async(RSA["SystemExit"]),
    "CancelledError": Async(RSA["CancelledError"]),
    "TimeoutError": Async(raising(TimeoutError())),
    "first call": Async(if_(calls(lambda number: number > 0), ConnectionError())),
    "refuses repetition": Async(refusing_repetition()),
    "cached": Async(cached_by(256)),
    "shares the message": AsyncSharing(),
    "blocks": Blocking(),
    "blocks at times": BlockingAtTimes(),
    "swallows a cancellation": Swallowing(),
    "turns a cancellation into another error": TurningIt(),
    "goes on when cancelled": GoingOn(),
    "leaves tasks": LeavingTasks(),
    "leaves threads": LeavingThreads(),
    "bound to its loop": BoundToItsLoop(),
    "follows the loop": FollowingTheLoop(),
    "a coroutine": Nested(),
    "a generator": Generating(),
    "one at a time": OneAtATime(),
    "not async": NotAsync(),
    "sign is wrong": Both(sign=other),
    "asign is wrong": Both(asign=other),
    "asign is missing": Custom(),
}


def test_every_broken_async_signer_is_found() -> None:
    async def main(signer: Any) -> None:
        await acheck_signer(signer, PUBLIC, seconds=0.02)

    passed = []
    for name, signer in BROKEN_ASYNC.items():
        try:
            asyncio.run(main(signer))
        except AssertionError:
            continue
        passed.append(name)
    assert passed == []


def test_check_signer_looks_at_both_methods() -> None:
    assert "asign" in violation_of(Both(asign=other), PUBLIC, seconds=0)
    assert "asign" in violation_of(NotAsync(), PUBLIC, seconds=0)
    assert violation_of(Right(), PUBLIC).startswith("sign is missing")


# --- what is right --------------------------------------------------------------------------------------------------


def slow(message: bytes) -> bytes:
    time.sleep(0.005)  # more than a signer may hold up an event loop
    return right(message)


RSA_SIGNER = RSASigner(StringKeySource(pem_of(KEY)), kid="key-1")
GOOD: dict[str, tuple[Any, Any]] = {
    "RS256": (RSA_SIGNER, PUBLIC),
    "RS512": (RSASigner(StringKeySource(pem_of(KEY)), kid="key-1", alg="RS512"), PUBLIC),
    "HS256": (HMACSigner(StringKeySource(throwaway_secret() + "\n")), throwaway_secret().encode()),
    "no public_key": (Custom(), PUBLIC),
    "slow": (Custom(slow), PUBLIC),
    "both": (Both(), PUBLIC),
    "with_deadline": (with_deadline(RSA_SIGNER), PUBLIC),
    "with_deadline, slow": (with_deadline(Custom(slow)), PUBLIC),
    "with_deadline, HS256": (with_deadline(HMACSigner(StringKeySource(SECRET))), SECRET),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_signer_passes(name: str) -> None:
    signer, verify_with = GOOD[name]
    check_signer(signer, verify_with, seconds=0.05)


class Local(Right):
    """Signs in the event loop itself, which holds it up by computing only."""

    async def asign(self, signing_input: bytes, /) -> bytes:
        return right(signing_input)


class Future(Right):
    """Returns something else that can be awaited."""

    def asign(self, signing_input: bytes, /) -> Any:
        return asyncio.get_running_loop().run_in_executor(None, slow, signing_input)


@pytest.mark.parametrize(
    "signer", [Right(), Local(), Future(), *(each for each, _ in GOOD.values() if hasattr(each, "asign"))]
)
def test_a_good_async_signer_passes_where_an_event_loop_runs(signer: Any) -> None:
    verify_with = SECRET if signer.alg == "HS256" else PUBLIC

    async def main() -> None:
        await acheck_signer(signer, verify_with, seconds=0.05)
        if hasattr(signer, "sign"):
            check_signer(signer, verify_with, seconds=0)

    asyncio.run(main())


# --- the call itself ------------------------------------------------------------------------------------------------


def test_the_error_of_the_signer_is_the_cause() -> None:
    with pytest.raises(AssertionError, match=r"^sign, with 400 bytes, raises KeyError\.$") as caught:
        check_signer(Custom(raising(KeyError())), PUBLIC)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("wrong", [None, KEY], ids=lambda wrong: type(wrong).__name__)
def test_a_wrong_verify_with_is_the_callers_mistake(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^verify_with: expected an RSA public key or bytes, got \w+\.$"):
        check_signer(Custom(), wrong)


def test_an_interrupt_from_the_keyboard_is_no_violation() -> None:
    with pytest.raises(KeyboardInterrupt):
        check_signer(Custom(raising(KeyboardInterrupt())), PUBLIC)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(acheck_signer(Async(raising(KeyboardInterrupt())), PUBLIC))


def test_a_check_that_is_cancelled_ends() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.05):
            await acheck_signer(Right(), PUBLIC, seconds=1)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
