"""Checks whether a signer keeps the contract of ``Signer`` or ``AsyncSigner``."""

from __future__ import annotations

import asyncio
import threading
import time
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth._keys import MIN_RSA_BITS
from fin_messenger_auth._signers import AsyncSigner, Signer, check_signer_for, public_key_of, signs_async, signs_at_once
from fin_messenger_auth._tokens import INTERCOM_ALGORITHMS, INTERCOM_TOKEN, SALESFORCE_ALGORITHMS, SALESFORCE_TOKEN
from fin_messenger_auth._verification import joserfc_key
from fin_messenger_auth.errors import ConfigurationError, masked


def _message(label: str, size: int) -> bytes:
    """Return bytes that look like a signing input: a header that is always the same, a dot, a payload."""
    return (b"eyJhbGciOiJub25lIn0." + b"e30_" * (size // 4))[: size - len(label) - 1] + f"{label}_".encode()


_USUAL = [_message(f"usual{number}", 400 + number) for number in range(32)]
_SIZED = [_message("", size) for size in (1, 4096, 4097, 100_000)]  # some services take at most 4096 bytes
_AT_ONCE = [[_message(f"row{row}.{number}", 400) for number in range(8)] for row in range(8)]
_MANY = range(2_000)
_OFTEN, _TWICE = 0.002, 0.05  # seconds for which calls may hold up the event loop: most of them, and all but one


@masked
def check_signer(signer: Signer, verify_with: RSAPublicKey | bytes, *, seconds: float = 2.0) -> None:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.Signer`.

    It signs about a hundred messages of usual and unusual length, one by one and in eight threads at once, and then
    up to 2,000 more. joserfc verifies each signature. If the signer has ``asign`` too, that is checked as well.

    Args:
        signer: The signer.
        verify_with: The key that verifies its signatures: the RSA public key, or the HMAC secret as bytes.
        seconds: How long to go on with the 2,000. They find a fault that shows in one of 256 signatures, such as
            dropped zero bytes; a slow service needs more time for all of them.

    Raises:
        AssertionError: The contract is broken. The message names the first violation.
        TypeError: ``verify_with`` is neither.
    """
    check = _Check(signer, verify_with, seconds)
    _require(signs_at_once(signer), "sign is missing; acheck_signer checks a signer that has asign alone.")
    check.sign()
    if signs_async(signer):
        _in_threads(asyncio.run, [check.asign()])  # in another one, because an event loop may run in this one


async def acheck_signer(signer: AsyncSigner, verify_with: RSAPublicKey | bytes, *, seconds: float = 2.0) -> None:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.AsyncSigner`.

    As :func:`check_signer`, with tasks in place of threads. ``asign`` must not hold up the event loop either, must end
    when its task is cancelled, leave no task behind, and sign in a second event loop.
    """
    check = _Check(signer, verify_with, seconds)
    _require(signs_async(signer), "asign is missing; check_signer checks a signer that has sign alone.")
    await check.asign()
    if signs_at_once(signer):
        await asyncio.to_thread(check.sign)


class _Check:
    def __init__(self, signer: Any, verify_with: RSAPublicKey | bytes, seconds: float) -> None:  # noqa: ANN401 - it may be anything
        from joserfc.jwk import OctKey  # noqa: PLC0415 - heavy, and needed only here
        from joserfc.jws import JWSRegistry  # noqa: PLC0415 - the same

        if not isinstance(verify_with, RSAPublicKey | bytes):
            raise TypeError(f"verify_with: expected an RSA public key or bytes, got {type(verify_with).__name__}.")
        self._signer, self._seconds = signer, seconds
        token, algorithms, secret = INTERCOM_TOKEN, [*INTERCOM_ALGORITHMS], repr(verify_with)[2:-1]
        if isinstance(verify_with, RSAPublicKey):
            token, algorithms, secret = SALESFORCE_TOKEN, [*SALESFORCE_ALGORITHMS], "PRIVATE KEY-----"
            bits = verify_with.key_size
            _require(bits >= MIN_RSA_BITS, f"The key has {bits} bits; the minimum is {MIN_RSA_BITS}.")
            _require(public_key_of(signer) in (None, verify_with), "public_key is not the key in verify_with.")
        self._key = OctKey.import_key(verify_with) if isinstance(verify_with, bytes) else joserfc_key(verify_with)
        with _explained("alg, kid, repr or str"):
            check_signer_for(token, signer, algorithms, kid_required=False)
            self._said = signer.alg, signer.kid
            _require(secret not in repr(signer) + str(signer), "repr or str shows the secret.")
        self._algorithm = JWSRegistry(algorithms=algorithms).get_alg(self._said[0])

    def sign(self) -> None:
        self._check_answers("sign", self._signer.sign)

    async def asign(self) -> None:
        loop, tasks, held = asyncio.get_running_loop(), asyncio.all_tasks(), list[float]()

        async def call(message: bytes) -> object:
            with _explained("asign"):  # here, because an error that ends the process would end the loop
                return await _measured(self._signer.asign(message).__await__(), held)

        def answer(message: bytes) -> object:  # from another thread
            return asyncio.run_coroutine_threadsafe(call(message), loop).result(30)  # more counts as hanging

        await asyncio.to_thread(self._check_answers, "asign", answer)
        usual = sorted(held[: len(_USUAL)])
        _require(median(usual) < _OFTEN and usual[-2] < _TWICE, "asign holds up the event loop; await in it.")
        task = asyncio.ensure_future(self._signer.asign(_USUAL[0]))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # or asyncio logs it
        await asyncio.sleep(0)
        is_done = not task.cancel()
        await asyncio.wait({task}, timeout=1)
        _require(is_done or task.cancelled(), "asign does not end as cancelled when its task is cancelled.")
        _done, left = await asyncio.wait({task, *(asyncio.all_tasks() - tasks)}, timeout=1)
        _require(len(left) < len(_USUAL) / 2, "asign leaves tasks running.")
        other = await asyncio.to_thread(asyncio.run, call(_USUAL[0]))
        self._verify(_USUAL[0], other, "asign in a second event loop")
        self._verify(_USUAL[0], await call(_USUAL[0]), "asign after a second event loop")

    def _check_answers(self, method: str, sign: Callable[[bytes], object]) -> None:
        def check(*messages: bytes, when: str = "") -> None:
            for message in messages:
                call = f"{method}, with {len(message)} bytes{when},"
                with _explained(call):
                    answer = sign(message)
                self._verify(message, answer, call)

        threads = threading.active_count()
        check(*_USUAL, _USUAL[0], *_SIZED)
        left = threading.active_count() - threads
        _require(left < len(_USUAL) / 2, f"{method} leaves threads running.")
        _in_threads(lambda row: check(*row, when=" in eight calls at once"), _AT_ONCE)
        end = time.monotonic() + self._seconds
        for number in takewhile(lambda _: time.monotonic() < end, _MANY):
            check(_message(f"more{number}", 400), when=" in one of many calls")

    def _verify(self, message: bytes, answer: object, call: str) -> None:
        if isinstance(answer, Coroutine):
            answer.close()  # or Python warns of it
        if not isinstance(answer, bytes):
            raise AssertionError(f"{call} returns {type(answer).__name__}, not bytes.")  # noqa: TRY004 - as assert does
        valid = self._algorithm.verify(message, answer, self._key)
        _require(valid, f"{call} returns {len(answer)} bytes that are no {self._said[0]} signature of its message.")
        said = self._signer.alg, self._signer.kid
        _require(said == self._said, "alg or kid changes; a signer is one immutable value.")


def _in_threads(call: Callable[[Any], object], arguments: list[Any]) -> None:
    """Call a function once with each argument, at the same time, and raise what it raises."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        list(pool.map(call, arguments))


@contextmanager
def _explained(call: str) -> Iterator[None]:
    """Turn whatever a signer raises into a violation, except an interrupt from the keyboard."""
    try:
        yield
    except (AssertionError, KeyboardInterrupt):
        raise
    except BaseException as error:
        says = str(error) if isinstance(error, ConfigurationError) else f"{call} raises {type(error).__name__}."
        raise AssertionError(says) from error


@types.coroutine
def _measured(steps: Generator[Any, Any, object], held: list[float]) -> Generator[Any, Any, object]:
    """Await something, and note how long its longest step held up the loop without computing, in seconds."""
    waited: list[float] = []
    try:
        while True:
            start, busy = time.perf_counter(), time.thread_time()
            try:
                awaited = next(steps)
            finally:
                waited.append(time.perf_counter() - start - (time.thread_time() - busy))
            yield awaited
    except StopIteration as stop:
        return stop.value
    finally:
        held.append(max(waited))


def _require(holds: bool, violation: str) -> None:  # noqa: FBT001 - as assert takes it
    if not holds:
        raise AssertionError(violation)
