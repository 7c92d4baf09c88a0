"""More broken signers, each with the violation that the check must name: most of them are right most of the time."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from base64 import b64encode, encodebytes
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA224

from fin_messenger_auth import with_deadline
from fin_messenger_auth.testing import Durations, _conformance, acheck_signer, check_signer, throwaway_secret
from fin_messenger_auth.testing._examination import PARALLEL_MESSAGES
from fin_messenger_auth.testing._throwaway import pem_of
from tests.test_conformance import (
    BROKEN_HMAC,
    BROKEN_RSA,
    KEY,
    OTHER_KEY,
    PADDING,
    PUBLIC,
    SECRET,
    AsyncCustom,
    Custom,
    digest_of,
    right,
)

Sign = Callable[[bytes], Any]


# --- sign, wrong in its own way; a new one for each check -----------------------------------------------------------


def refusing_repetition() -> Sign:
    seen: set[bytes] = set()

    def sign(message: bytes) -> bytes:
        if message in seen:
            raise PermissionError
        seen.add(message)
        return right(message)

    return sign


def cached_by(length: int) -> Sign:
    cache: dict[bytes, bytes] = {}
    return lambda message: cache.setdefault(message[:length], right(message))


def raising(error: BaseException) -> Sign:
    def sign(_message: bytes) -> bytes:
        raise error

    return sign


def only_if(condition: Callable[[bytes], object], otherwise: BaseException) -> Sign:
    def sign(message: bytes) -> bytes:
        if not condition(message):
            raise otherwise
        return right(message)

    return sign


def after(calls: int) -> Callable[[bytes], bool]:
    number = count()
    return lambda _message: next(number) >= calls


def until(calls: int) -> Callable[[bytes], bool]:
    number = count()
    return lambda _message: next(number) < calls


def leaving_threads() -> Sign:
    def sign(message: bytes) -> bytes:
        threading.Thread(target=time.sleep, args=(1.5,), daemon=True).start()
        return right(message)

    return sign


def bound_to_its_thread() -> Sign:
    home = threading.get_ident()
    return only_if(lambda _message: threading.get_ident() == home, RuntimeError())


def deadlocked_by_threads() -> Sign:
    busy = threading.Lock()
    never = threading.Event()

    def sign(message: bytes) -> bytes:
        if not busy.acquire(blocking=False):
            never.wait(5)
        time.sleep(0.001)
        signature = right(message)
        if busy.locked():
            busy.release()
        return signature

    return sign


def keyword_only() -> Any:
    def sign(*, signing_input: bytes) -> bytes:
        return right(signing_input)

    return sign


def without_leading_zeros(message: bytes) -> bytes:
    return right(message).lstrip(b"\0")


def sharing_a_list() -> Sign:
    parts: list[bytes] = []

    def sign(message: bytes) -> bytes:
        parts.append(message)
        time.sleep(0.001)
        signature = right(b"".join(parts))
        parts.clear()
        return signature

    return sign


ENDS = "which is not an Exception and ends the process"
OTHER = "the right key signed something other than the message"

SIGN: dict[str, tuple[Callable[[], Sign], str]] = {
    "refuses repetition": (refusing_repetition, "sign: with a message signed before: it raises PermissionError"),
    "cached by 20 bytes": (lambda: cached_by(20), "wrong in 31 of 32 calls: it is the signature of another call's"),
    "cached by 256 bytes": (lambda: cached_by(256), "wrong in 31 of 32 calls: it is the signature of another call's"),
    "SystemExit": (lambda: raising(SystemExit()), f"it raises SystemExit, {ENDS}"),
    "GeneratorExit": (lambda: raising(GeneratorExit()), f"it raises GeneratorExit, {ENDS}"),
    "CancelledError": (lambda: raising(asyncio.CancelledError()), f"it raises CancelledError, {ENDS}"),
    "refuses odd lengths": (
        lambda: only_if(lambda m: len(m) % 2 == 0 or len(m) < 300, ValueError()),
        "of 32 calls: it raises ValueError",
    ),
    "first call": (lambda: only_if(after(1), ConnectionError()), "wrong in 1 of 32 calls: it raises ConnectionError"),
    "quota of 33": (lambda: only_if(until(33), PermissionError()), "it raises PermissionError"),
    "quota of 34": (lambda: only_if(until(34), PermissionError()), "with a message of 4096 and 4097 and 100000 bytes"),
    "quota of 40": (
        lambda: only_if(until(40), PermissionError()),
        "wrong in 61 of 64 calls: it raises PermissionError",
    ),
    "leaves threads": (leaving_threads, "sign: it leaves 32 threads after 32 calls one by one"),
    "bound to its thread": (bound_to_its_thread, "with 8 threads at once, in 64 of 64 calls: it raises RuntimeError"),
    "keyword only": (keyword_only, "sign: it raises TypeError"),
    "wants JSON": (lambda: lambda m: right(json.loads(m)), "sign: it raises JSONDecodeError"),
    "shares a list": (sharing_a_list, "with 8 threads at once, in "),
    "SHA-1": (lambda: lambda m: KEY.sign(m, PADDING, SHA1()), "the hash: expected SHA-256, got SHA-1"),
    "SHA-224": (lambda: lambda m: KEY.sign(m, PADDING, SHA224()), "the hash: expected SHA-256, got SHA-224"),
    "Base64 with newlines": (lambda: lambda m: encodebytes(right(m)), "encoded as Base64"),
    "upper-case hexadecimal": (lambda: lambda m: right(m).hex().upper().encode(), "in hexadecimal digits"),
    "JSON": (
        lambda: lambda m: json.dumps({"signature": b64encode(right(m)).decode()}).encode(),
        "the signature: expected 256 bytes, got 361",
    ),
    "a length before it": (lambda: lambda m: b"\x00\x00\x01\x00" + right(m), "wrapped in DER, or has a prefix"),
    "padded to 512 bytes": (lambda: lambda m: right(m).ljust(512, b"\0"), "bytes follow the signature"),
    "the message behind it": (lambda: lambda m: right(m) + m, "bytes follow the signature"),
    "first byte lost": (lambda: lambda m: right(m)[1:], "the signature: expected 256 bytes, got 255"),
    "one bit wrong": (lambda: lambda m: right(m)[:-1] + bytes([right(m)[-1] ^ 1]), "made with another key"),
    "message in upper case": (lambda: lambda m: right(m.upper()), OTHER),
    "message in UTF-16": (lambda: lambda m: right(m.decode().encode("utf-16")), OTHER),
    "message twice": (lambda: lambda m: right(m + m), OTHER),
    "message stripped": (lambda: lambda m: right(m.strip(b"_")), OTHER),
    "message without its payload": (lambda: lambda m: right(m.partition(b".")[0]), OTHER),
    "first 64 bytes": (lambda: lambda m: right(m[:64]), "only the first 64 bytes of the message are signed"),
    "int": (lambda: lambda m: int.from_bytes(right(m)), "expected bytes, got int"),
    "list": (lambda: lambda m: [right(m)], "expected bytes, got list"),
    "True": (lambda: lambda _m: True, "expected bytes, got bool"),
}


@pytest.mark.parametrize("mistake", SIGN)
def test_a_broken_sign_is_named(mistake: str) -> None:
    make, expected = SIGN[mistake]
    with pytest.raises(AssertionError) as caught:
        check_signer(Custom(make()), PUBLIC)
    assert expected in str(caught.value)


def test_a_deadlock_of_threads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_conformance, "PATIENCE", 0.3)
    with pytest.raises(AssertionError, match=r"with 8 threads at once, in \d+ of 64 calls: it does not return within"):
        check_signer(Custom(deadlocked_by_threads()), PUBLIC)


def test_a_rare_fault_is_found_with_more_messages_and_not_blamed_on_threads() -> None:
    with pytest.raises(AssertionError) as caught:
        check_signer(Custom(without_leading_zeros), PUBLIC, messages=2500)
    report = str(caught.value)
    assert "of 2500 calls: leading zero bytes of the signature are dropped" in report
    assert "threads" not in report


def test_a_fault_that_is_seen_among_threads_by_chance_is_not_blamed_on_them() -> None:
    unlucky = {PARALLEL_MESSAGES[3][4]}
    with pytest.raises(AssertionError) as caught:
        check_signer(Custom(only_if(lambda m: m not in unlucky, OSError())), PUBLIC)
    assert "sign: wrong in 1 of 64 calls: it raises OSError" in str(caught.value)


# --- what it says of itself -----------------------------------------------------------------------------------------


class Saying(Custom):
    def __init__(self, *, shown: str = "Saying()", said: str = "Saying()", **names: Any) -> None:
        super().__init__(right, **names)
        self._shown, self._said = shown, said

    def __repr__(self) -> str:
        return self._shown

    def __str__(self) -> str:
        return self._said


class Unspeakable(Custom):
    def __repr__(self) -> str:
        raise SystemExit


class Exiting(Custom):
    @property
    def kid(self) -> str:
        raise SystemExit

    @kid.setter
    def kid(self, value: str) -> None:
        del value


WRAPPED = "kid has whitespace, a newline or a quote around it"
PROPERTIES: dict[str, tuple[Callable[[], Any], str]] = {
    **{
        f"kid {kid!r}": (partial(Saying, kid=kid), WRAPPED)
        for kid in ("key-1 ", " key-1", "\tkey-1", "key-1\n", "\ufeffkey-1", "key-1\u200b", '"key-1"', "'key-1'", "`k`")
    },
    "kid ''": (lambda: Saying(kid=""), "kid is blank"),
    "kid as bytes": (lambda: Saying(kid=b"key-1"), "kid: expected a str, got bytes"),
    "kid ends the process": (lambda: Exiting(right), "kid raises SystemExit"),
    "repr ends the process": (lambda: Unspeakable(right), "repr raises SystemExit"),
    "alg in lower case": (lambda: Saying(alg="rs256"), "with this key, got 'rs256'"),
    "alg of PSS": (lambda: Saying(alg="PS256"), "with this key, got 'PS256'"),
    "alg with a space": (lambda: Saying(alg="RS256 "), "alg has whitespace"),
    "private key in its repr": (lambda: Saying(shown=pem_of(KEY).decode()), "repr shows the secret"),
    "private key in its str": (lambda: Saying(said=pem_of(KEY).decode()), "repr shows the secret"),
}


@pytest.mark.parametrize("mistake", PROPERTIES)
def test_what_a_broken_signer_says_of_itself_is_named(mistake: str) -> None:
    make, expected = PROPERTIES[mistake]
    with pytest.raises(AssertionError) as caught:
        check_signer(make(), PUBLIC)
    report = str(caught.value)
    assert expected in report
    assert report.count("\n- ") == 1
    assert "BEGIN" not in report


def showing_the_secret(_message: bytes) -> bytes:
    raise ValueError(f"cannot sign with {SECRET.decode()}")


MORE_HMAC: dict[str, tuple[Sign, str]] = {
    "error with the secret": (showing_the_secret, "it raises ValueError, whose message shows the secret"),
    "secret in quotes": (lambda m: hmac.digest(b'"' + SECRET + b'"', m, "sha256"), "the secret is in quotes"),
    "SHA-384": (lambda m: hmac.digest(SECRET, m, "sha384"), "expected SHA-256, got SHA-384"),
    "SHA-1": (lambda m: hmac.digest(SECRET, m, "sha1"), "expected SHA-256, got SHA-1"),
    "secret in upper case": (lambda m: hmac.digest(SECRET.upper(), m, "sha256"), "made with another secret"),
    "secret cut": (lambda m: hmac.digest(SECRET[:32], m, "sha256"), "made with another secret"),
    "secret and message swapped": (lambda m: hmac.digest(m, SECRET, "sha256"), "made with another secret"),
    "message and secret hashed": (lambda m: digest_of(SECRET + m), "made with another secret"),
    "Base64": (lambda m: b64encode(hmac.digest(SECRET, m, "sha256")), "encoded as Base64"),
}


@pytest.mark.parametrize("mistake", MORE_HMAC)
def test_another_broken_hmac_signer_is_named(mistake: str) -> None:
    sign, expected = MORE_HMAC[mistake]
    with pytest.raises(AssertionError) as caught:
        check_signer(Custom(sign, alg="HS256", kid=None), SECRET)
    assert expected in str(caught.value)
    assert SECRET.decode() not in str(caught.value)


# --- asign ----------------------------------------------------------------------------------------------------------


class Base:
    alg, kid = "RS256", "key-1"

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0.001)
        return right(signing_input)


class Blocking(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        time.sleep(0.005)  # noqa: ASYNC251 - that is its mistake
        return right(signing_input)


class BlockingAtTimes(Base):
    def __init__(self) -> None:
        self.calls = count(1)

    async def asign(self, signing_input: bytes, /) -> Any:
        if next(self.calls) % 10 == 0:
            time.sleep(0.1)  # noqa: ASYNC251 - as for a new access token
        return await super().asign(signing_input)


class Swallowing(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            return right(signing_input)


class SwallowingAll(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except BaseException:  # noqa: BLE001 - that is its mistake
            return b""


class TurningIt(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            raise ConnectionError from None


class GoingOn(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        try:
            return await super().asign(signing_input)
        except asyncio.CancelledError:
            await asyncio.sleep(1.3)
            raise


class LeavingTasks(Base):
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def asign(self, signing_input: bytes, /) -> Any:
        self.tasks.append(asyncio.ensure_future(asyncio.sleep(30)))
        return await super().asign(signing_input)


class LeavingATaskWhenCancelled(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        inner = asyncio.ensure_future(asyncio.sleep(0.001 if CANCELS.get() else 2))
        done, _ = await asyncio.wait({inner}, timeout=0.001)
        del done
        return right(signing_input)


CANCELS: ContextVar[bool] = ContextVar("cancels", default=False)


class LeavingThreads(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        threading.Thread(target=time.sleep, args=(1.5,), daemon=True).start()
        return await super().asign(signing_input)


class BoundToItsLoop(Base):
    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    async def asign(self, signing_input: bytes, /) -> Any:
        self.loop = self.loop or asyncio.get_running_loop()
        done = self.loop.create_future()
        self.loop.call_soon_threadsafe(self.loop.call_later, 0.005, done.set_result, None)
        await done
        return right(signing_input)


class FollowingTheLoop(Base):
    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def asign(self, signing_input: bytes, /) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self.loops:
            self.loops.append(loop)
        if loop is not self.loops[-1]:
            raise ConnectionResetError
        return await super().asign(signing_input)


class Raising(Base):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def asign(self, _signing_input: bytes, /) -> Any:
        raise self.error


class Nested(Base):
    async def asign(self, signing_input: bytes, /) -> Any:
        return super().asign(signing_input)


class Generating(Base):
    async def asign(self, signing_input: bytes, /) -> AsyncIterator[bytes]:  # type: ignore[override]
        yield right(signing_input)


class OneAtATime(Base):
    busy = False

    async def asign(self, signing_input: bytes, /) -> Any:
        if self.busy:
            raise BlockingIOError
        self.busy = True
        try:
            return await super().asign(signing_input)
        finally:
            self.busy = False


class Refusing(Base):
    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    async def asign(self, signing_input: bytes, /) -> Any:
        if signing_input in self.seen:
            raise PermissionError
        self.seen.add(signing_input)
        return await super().asign(signing_input)


class BadFirst(Base):
    ready = False

    async def asign(self, signing_input: bytes, /) -> Any:
        if not self.ready:
            self.ready = True
            raise ConnectionError
        return await super().asign(signing_input)


class Both(Base):
    """Right in both ways, unless told otherwise."""

    def __init__(self, sign: Sign = right, asign: Sign = right) -> None:
        self._sign, self._asign = sign, asign

    def sign(self, signing_input: bytes, /) -> Any:
        return self._sign(signing_input)

    async def asign(self, signing_input: bytes, /) -> Any:
        await asyncio.sleep(0)
        return self._asign(signing_input)


class NotAsyncTwin(Both):
    def asign(self, signing_input: bytes, /) -> Any:
        return right(signing_input)


def another(message: bytes) -> bytes:
    return OTHER_KEY.sign(message, PADDING, SHA224())


ASIGN: dict[str, tuple[Callable[[], Any], str]] = {
    "blocks": (Blocking, "asign: it holds up the event loop for "),
    "blocks at times": (BlockingAtTimes, "of 32 calls"),
    "swallows a cancellation": (Swallowing, "asign: it swallows the cancellation of its task"),
    "swallows everything": (SwallowingAll, "asign: it swallows the cancellation of its task"),
    "turns a cancellation": (TurningIt, "asign: it turns the cancellation of its task into ConnectionError"),
    "goes on": (GoingOn, "asign: it goes on for more than 1 s after its task was cancelled"),
    "leaves tasks": (LeavingTasks, "tasks running"),
    "leaves tasks at a time-out": (LeavingATaskWhenCancelled, "tasks running"),
    "leaves threads": (LeavingThreads, "threads after 32 calls one by one"),
    "bound to its loop": (BoundToItsLoop, "asign: in a second event loop: it raises RuntimeError"),
    "follows the loop": (FollowingTheLoop, "asign: after a second event loop: it raises ConnectionResetError"),
    "SystemExit": (lambda: Raising(SystemExit()), f"asign: it raises SystemExit, {ENDS}"),
    "CancelledError": (lambda: Raising(asyncio.CancelledError()), f"asign: it raises CancelledError, {ENDS}"),
    "TimeoutError": (lambda: Raising(TimeoutError()), "asign: it raises TimeoutError"),
    "a coroutine": (Nested, "asign: it returns a coroutine"),
    "a generator": (Generating, "asign: it raises TypeError"),
    "one at a time": (OneAtATime, "with 8 tasks at once, in "),
    "refuses repetition": (Refusing, "with a message signed before: it raises PermissionError"),
    "first call": (BadFirst, "wrong in 1 of 32 calls: it raises ConnectionError"),
    "cached": (lambda: AsyncCustom(cached_by(256)), "it is the signature of another call's message"),
    "str": (lambda: AsyncCustom(lambda m: right(m).hex()), "asign: expected bytes, got str"),
    "twin, sign is wrong": (lambda: Both(sign=another), "sign: the signature was made with another key"),
    "twin, sign returns str": (lambda: Both(sign=lambda m: right(m).hex()), "sign: expected bytes, got str"),
}


@pytest.mark.parametrize("mistake", ASIGN)
def test_a_broken_asign_is_named(mistake: str) -> None:
    make, expected = ASIGN[mistake]

    async def main() -> None:
        await acheck_signer(make(), PUBLIC)

    with pytest.raises(AssertionError) as caught:
        asyncio.run(main())
    assert expected in str(caught.value)


TWINS: dict[str, tuple[Callable[[], Any], str]] = {
    "asign is wrong": (lambda: Both(asign=another), "asign: the signature was made with another key"),
    "asign is not async": (NotAsyncTwin, "asign: it raises TypeError"),
    "both are wrong": (lambda: Both(another, another), "sign: the signature was made with another key"),
}


@pytest.mark.parametrize("mistake", TWINS)
def test_check_signer_looks_at_both_methods(mistake: str) -> None:
    make, expected = TWINS[mistake]
    with pytest.raises(AssertionError) as caught:
        check_signer(make(), PUBLIC)
    assert expected in str(caught.value)


def test_an_asign_that_never_returns_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Base):
        async def asign(self, _signing_input: bytes, /) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr(_conformance, "PATIENCE", 0.1)
    with pytest.raises(AssertionError, match=r"asign: it does not return within 0\.1 s"):
        asyncio.run(acheck_signer(Hanging(), PUBLIC))


def interrupted() -> Any:
    raise KeyboardInterrupt


class InterruptedKid(Custom):
    kid = property(lambda _self: interrupted(), lambda _self, _value: None)


def test_an_interrupt_of_the_person_at_the_keyboard_is_not_part_of_the_report() -> None:
    with pytest.raises(KeyboardInterrupt):
        check_signer(Custom(raising(KeyboardInterrupt())), PUBLIC)
    with pytest.raises(KeyboardInterrupt):
        check_signer(InterruptedKid(right), PUBLIC)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(acheck_signer(Raising(KeyboardInterrupt()), PUBLIC))


def test_there_are_at_least_ninety_of_them() -> None:
    tables: list[dict[str, Any]] = [BROKEN_RSA, BROKEN_HMAC, SIGN, PROPERTIES, MORE_HMAC, ASIGN, TWINS]
    assert sum(map(len, tables)) >= 90


# --- what is right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [Base, Both, lambda: with_deadline(Custom(right))], ids=["async", "both", "with_deadline"]
)
def test_what_is_right_passes_and_says_how_long_it_took(make: Callable[[], Any]) -> None:
    async def main() -> dict[str, Durations]:
        return await acheck_signer(make(), PUBLIC)

    durations = asyncio.run(main())

    assert durations["asign"].calls >= 32
    assert 0 < durations["asign"].p50 <= durations["asign"].p99
    assert ("sign" in durations) == hasattr(make(), "sign")


def test_the_durations_are_in_the_report_too() -> None:
    with pytest.raises(AssertionError, match=r"\nsign: p50 \d+\.\d ms, p99 \d+\.\d ms in 32 calls one by one\.$"):
        check_signer(Custom(another), PUBLIC)


def test_the_durations_are_those_of_the_calls() -> None:
    def slow(message: bytes) -> bytes:
        time.sleep(0.003)
        return right(message)

    assert check_signer(Custom(slow), PUBLIC)["sign"].p50 >= 0.003


def test_check_signer_works_where_an_event_loop_runs() -> None:
    async def main() -> None:
        assert set(check_signer(Both(), PUBLIC)) == {"sign", "asign"}

    asyncio.run(main())


def test_a_check_that_is_cancelled_ends() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.05):
            await acheck_signer(Base(), PUBLIC, messages=10_000)

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_a_local_key_in_asign_is_not_said_to_hold_up_the_loop() -> None:
    secret = throwaway_secret().encode()

    class Local:
        alg, kid = "HS256", None

        async def asign(self, signing_input: bytes, /) -> bytes:
            return hmac.digest(secret, signing_input, "sha256")

    asyncio.run(acheck_signer(Local(), secret))
