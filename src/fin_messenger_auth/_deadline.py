"""Gives a signer that blocks on a network a deadline (``with_deadline``), and pauses calls while a service is down.

The threads are our own, not an executor's. Executors join theirs when the interpreter exits, so that one call that
hangs keeps the process alive; their queues have no bound; and they do not survive a fork.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from math import inf
from threading import Condition, Event, Thread

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ._processes import PerProcess
from ._signers import DualSigner, Signer, Wrapper, signs_at_once
from .errors import ConfigurationError, SigningError

FAILURES = 5
"""Consecutive failures that open the breaker: calls are then refused for a pause."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.5
"""Seconds. The pause doubles with every probe that fails."""

PROBE = 1.0
"""Time limit of a probe in seconds; up to four times the recent duration of a call, and at most the time-out."""

IDLE = 10.0
"""Seconds after which a thread that has nothing to do ends."""

PROBES = 32
"""Calls beyond ``threads`` that may run at the same time while others hang."""

_FIRST_GUESS = 0.01  # assumed duration of a call in seconds, until the first success
_LATE = 0.9  # of its time limit: a call that has run for longer hangs; one that has waited for longer is not started


def with_deadline(signer: Signer, *, threads: int = 32, timeout: float = 5.0) -> DualSigner:
    """Give a signer that blocks on a network a deadline, by running it in threads of its own.

    What it returns has ``sign`` and ``asign``, for synchronous and asynchronous pages, on any event loop. Both
    return the signature, or raise within ``timeout`` seconds, whatever the service does:

    - More calls than ``threads`` wait their turn. A call that has no chance to be served in time fails at once.
    - After five calls in a row that failed, calls fail at once during a pause of 0.1 to 0.5 seconds. Then one call
      is let through as a probe. If it succeeds within a second or so, all is as before.
    - A call that exceeds ``timeout`` keeps its thread until the client gives up, and another thread takes its place.
      There are never more than ``threads + 32`` calls at the same time: keep as many connections in the client. If
      all of them hang, calls fail at once; so keep the client's own time-outs, retries included, under ``timeout``.

    Each process has its own threads, so it may be made before a fork. No thread keeps the interpreter from exiting.

    Not for :class:`HMACSigner` and :class:`RSASigner`: handing over to a thread costs more than they do.

    Args:
        signer: The signer to wrap. It must be safe to use from several threads at once.
        threads: How many calls may run at the same time. Threads are started when they are needed.
        timeout: Seconds for a signature in all, waiting included.

    Raises:
        ConfigurationError: The signer has no ``sign``; ``threads`` or ``timeout`` is not positive.
    """
    if not signs_at_once(signer):
        raise ConfigurationError(
            f"with_deadline: expected a signer with sign, got {type(signer).__name__}.", "signer-invalid"
        )
    if not (isinstance(threads, int) and threads >= 1 and isinstance(timeout, int | float) and 0 < timeout < inf):
        raise ConfigurationError("with_deadline: expected threads >= 1, an int, and timeout > 0, in seconds.")
    return ThreadedSigner(signer, threads, timeout)


class ThreadedSigner(Wrapper):
    """What :func:`with_deadline` returns: a ``Signer`` and an ``AsyncSigner`` around the signer that it was given."""

    __slots__ = ("_pool",)

    def __init__(self, signer: Signer, threads: int, timeout: float) -> None:
        super().__init__(signer)
        self._pool = PerProcess(lambda: _Pool(signer, threads, timeout))

    def __repr__(self) -> str:
        """Show the signer."""
        return f"with_deadline({self.signer!r})"

    @property
    def public_key(self) -> RSAPublicKey:
        """The signer's ``public_key``; an ``AttributeError`` if it has none."""
        key: RSAPublicKey = self.signer.public_key
        return key

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the signer's signature, or raise ``SigningError``: none in time, a pause, or too many calls wait."""
        done, pool = Event(), self._pool()
        call = pool.submit(signing_input, done.set)
        try:
            done.wait(call.patience)
        finally:
            pool.leave(call)
        return call.outcome()

    async def asign(self, signing_input: bytes, /) -> bytes:
        """Do what :meth:`sign` does. A task that is cancelled leaves the queue."""
        import asyncio  # noqa: PLC0415 - 25 ms that a synchronous application need not pay

        loop, done, pool = asyncio.get_running_loop(), asyncio.Event(), self._pool()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(done.set)

        call = pool.submit(signing_input, tell)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(call.patience):
                    await done.wait()
        finally:
            pool.leave(call)
        return call.outcome()


@dataclass(slots=True, eq=False)
class _Call:
    """One message on its way to the signer and back."""

    message: bytes
    tell: Callable[[], None]
    started: float  # or put into the queue, until it is started
    patience: float  # seconds
    probe: bool
    context: Context = field(default_factory=copy_context)
    hangs: bool = False
    signature: bytes | None = None
    error: Exception | None = None

    def run(self, signer: Signer) -> None:
        try:
            self.signature = self.context.run(signer.sign, self.message)
        except Exception as error:  # noqa: BLE001 - raised where the caller waits
            self.error = error
        except BaseException as error:  # noqa: BLE001 - a signer that exits must end neither thread nor server
            self.error = SigningError(f"{type(signer).__name__} raised {type(error).__name__}.")

    def outcome(self) -> bytes:
        if self.error is not None:
            raise self.error
        if self.signature is None:
            raise SigningError(f"There was no signature within {self.patience:g} seconds.")
        return self.signature


class _Pool:
    """The threads of one process, the calls that wait for them, and what is known about the service."""

    def __init__(self, signer: Signer, threads: int, timeout: float) -> None:
        self._signer = signer
        self._name = type(signer).__name__
        self._threads = threads
        self._timeout = timeout
        self._changed = Condition()
        self._waiting: OrderedDict[_Call, None] = OrderedDict()
        self._running: dict[_Call, None] = {}  # in the order in which they started
        self._live = 0  # threads, without those whose call hangs
        self._idle = 0  # of these
        self._hanging = 0
        self._typical = 0.0  # seconds that a call took lately
        self._failures = 0  # in a row
        self._pause = 0.0  # seconds; 0 while the service answers
        self._closed_until = 0.0
        self._why = ""

    def submit(self, message: bytes, tell: Callable[[], None]) -> _Call:
        """Put a call into the queue, or raise ``SigningError`` if it has no chance to be served."""
        with self._changed:
            now = time.monotonic()
            self._find_hanging(now)
            if refusal := self._refusal(now):
                raise SigningError(refusal)
            patience, probe = self._timeout, self._pause > 0
            if probe:
                patience = min(patience, max(PROBE, 4 * self._typical))
                self._closed_until = now + patience + self._pause
            call = _Call(message, tell, now, patience, probe)
            self._waiting[call] = None
            self._call_for_threads()
            return call

    def leave(self, call: _Call) -> None:
        """Take a call out of the queue, since nobody waits for it any more."""
        with self._changed:
            now = time.monotonic()
            if self._waiting.pop(call, call) is None and call.probe:
                self._closed_until = now
            self._find_hanging(now)

    def _refusal(self, now: float) -> str | None:
        if now < self._closed_until:
            return (
                f"{self._name} failed {self._failures} times in a row, the last time with: {self._why} "
                f"It is called again in {self._closed_until - now:.1f} seconds."
            )
        if self._hanging >= self._threads + PROBES:
            return f"{self._name} does not answer: {self._hanging} calls hang."
        calls = len(self._waiting) + len(self._running)
        seconds = self._typical or _FIRST_GUESS
        if len(self._running) >= self._threads:
            seconds = max(seconds, now - next(reversed(self._running)).started)
        if calls >= self._threads and (calls + 1) * seconds > _LATE * self._threads * self._timeout:
            return (
                f"{self._name} is too slow: {self._threads} threads cannot make {calls + 1} signatures "
                f"within {self._timeout:g} seconds."
            )
        return None

    def _call_for_threads(self) -> None:
        self._changed.notify(len(self._waiting))
        room = min(self._threads, self._threads + PROBES - self._hanging) - self._live
        for _ in range(min(len(self._waiting) - self._idle, room)):
            with suppress(RuntimeError):  # the system has no more threads: the call waits for one that is there
                Thread(target=self._work, name=f"fin-messenger-auth-{self._name}", daemon=True).start()
                self._live += 1

    def _work(self) -> None:
        while self._serves():
            pass

    def _serves(self) -> bool:
        """Serve one call, and tell whether the thread is still needed."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting, IDLE)
            self._idle -= 1
            if not self._waiting:
                self._live -= 1
                return False
            call, _ = self._waiting.popitem(last=False)
            now = time.monotonic()
            if now - call.started >= _LATE * call.patience:
                return True  # its caller is about to give up
            call.started = now
            self._running[call] = None
        call.run(self._signer)
        with self._changed:
            now = time.monotonic()
            if call.hangs:
                self._hanging -= 1
            else:
                del self._running[call]
            if call.error is None:
                self._succeeded(now - call.started)
            elif not call.hangs:
                ours = isinstance(call.error, SigningError)
                self._failed(call, now, str(call.error) if ours else f"{type(call.error).__name__}.")
        call.tell()
        return not call.hangs

    def _find_hanging(self, now: float) -> None:
        """Write off the threads whose calls exceed their time, so that others can take their place."""
        hanging = [call for call in self._running if now - call.started >= _LATE * call.patience]
        for call in hanging:
            call.hangs = True
            del self._running[call]
            self._hanging += 1
            self._live -= 1
            self._failed(call, now, f"no answer within {call.patience:g} seconds.")
        if hanging:
            self._call_for_threads()

    def _succeeded(self, seconds: float) -> None:
        if seconds <= self._timeout:
            self._failures, self._pause, self._closed_until = 0, 0.0, 0.0
            self._typical += (seconds - self._typical) * (0.2 if self._typical else 1)

    def _failed(self, call: _Call, now: float, why: str) -> None:
        self._failures += 1
        if self._failures < FAILURES or (self._pause and not call.probe):  # it started before the pause
            return
        self._why = why
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
        self._closed_until = now + self._pause
        while self._waiting:
            waiting, _ = self._waiting.popitem(last=False)
            waiting.error = SigningError(self._refusal(now) or why)
            waiting.tell()
