"""``in_thread``: a signer that blocks on a network, made usable from async code."""

from __future__ import annotations

from contextvars import copy_context

from .errors import ConfigurationError
from .signers import AsyncSigner, Signer, signs_at_once


def in_thread(signer: Signer, *, threads: int = 32) -> AsyncSigner:
    """Make a signer that blocks on a network usable from async code, by running it in threads of its own.

    Its own threads, because asyncio's shared ones are few and also resolve host names: a service that does not
    answer would block the rest of the application. A cancelled task does not wait for its thread, which runs
    until the client's time-out.

    Not for :class:`HMACSigner` and :class:`RSASigner`: handing over to a thread costs more than they do.

    Args:
        signer: What signs. It must be safe to use from several threads at once.
        threads: How many signatures may wait at the same time. Threads are started when they are needed.

    Raises:
        ConfigurationError: It has no ``sign``.
    """
    if not signs_at_once(signer):
        raise ConfigurationError(
            f"in_thread: expected a signer with sign, got {type(signer).__name__}.", "signer-invalid"
        )
    return _ThreadedSigner(signer, threads)


class _ThreadedSigner:
    __slots__ = ("_pool", "_signer")

    def __init__(self, signer: Signer, threads: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 14 ms, with logging

        self._pool = ThreadPoolExecutor(threads, "fin-messenger-auth")
        self._signer = signer

    def __repr__(self) -> str:
        return f"in_thread({self._signer!r})"

    @property
    def signer(self) -> Signer:
        return self._signer

    @property
    def alg(self) -> str:
        return self._signer.alg

    @property
    def kid(self) -> str | None:
        return self._signer.kid

    async def asign(self, signing_input: bytes, /) -> bytes:
        from asyncio import get_running_loop  # noqa: PLC0415 - 25 ms that a synchronous application need not pay

        run, sign = copy_context().run, self._signer.sign
        return await get_running_loop().run_in_executor(self._pool, lambda: run(sign, signing_input))
