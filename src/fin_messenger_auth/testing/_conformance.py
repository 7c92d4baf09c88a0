"""Checks whether a signer keeps the contract: one call, every violation in one error, each mistake named."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth._signers import AsyncSigner, Signer
from fin_messenger_auth.errors import amasked, masked

from ._examination import PARALLEL, PARALLEL_MESSAGES, Durations, Examination, Hung, caught, flat

PATIENCE = 30.0
"""Seconds after which a call counts as hanging."""


@masked
def check_signer(signer: Signer, verify_with: RSAPublicKey | bytes, *, messages: int = 32) -> dict[str, Durations]:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.Signer`.

    It signs about a hundred messages of usual and unusual length, one by one and from eight threads at
    once. joserfc verifies the signatures. A signer that waits 20 ms for a network takes about a second. If the
    signer has ``asign`` too, that is checked as :func:`acheck_signer` does.

    Args:
        signer: The signer to check, for use with ``build``.
        verify_with: What verifies its signatures: the RSA public key, or the HMAC secret as bytes.
        messages: How many messages of usual length to sign one by one. A fault that is seen in one of 256 signatures,
            as dropped zero bytes are, needs a thousand or more to be found for certain.

    Returns:
        How long each method took.

    Raises:
        AssertionError: The contract is broken. The message lists every violation; the first error that
            the signer raised is the cause.
        TypeError: ``verify_with`` is neither.
    """
    examination = Examination(signer, verify_with, messages)
    if examination.require("sign", "asign", "It has asign: check it with acheck_signer."):
        examine_sign(examination)
        if examination.has("asign"):
            from ._event_loops import examine_asign_in_a_loop_of_its_own  # noqa: PLC0415 - asyncio

            examine_asign_in_a_loop_of_its_own(examination)
    return examination.report()


@amasked
async def acheck_signer(
    signer: AsyncSigner, verify_with: RSAPublicKey | bytes, *, messages: int = 32
) -> dict[str, Durations]:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.AsyncSigner`.

    As :func:`check_signer`, with eight tasks in place of the threads. In addition: that it does not hold up the event
    loop, ends when its task is cancelled, leaves no task behind, and signs in a second event loop. If the
    signer has ``sign`` too, as what :func:`~fin_messenger_auth.with_deadline` returns, that is checked too. Arguments,
    result and errors are those of :func:`check_signer`.
    """
    from asyncio import to_thread  # noqa: PLC0415 - 25 ms that a synchronous test need not pay

    from ._event_loops import examine_asign  # noqa: PLC0415 - the same

    examination = Examination(signer, verify_with, messages)
    if examination.require("asign", "sign", "It has sign: check it with check_signer, or wrap it in with_deadline."):
        await examine_asign(examination)
        if examination.has("sign"):
            await to_thread(examine_sign, examination)
    return examination.report()


def examine_sign(examination: Examination) -> None:
    """Examine ``sign``, in the calling thread and in eight others."""
    seconds = examination.seconds["sign"] = []

    def answer(message: bytes) -> object:
        start = time.perf_counter()
        signature = caught(lambda: examination.signer.sign(message))
        seconds.append(time.perf_counter() - start)
        examination.read_properties()
        return signature

    async def ask(messages: Sequence[bytes]) -> list[object]:
        return [answer(message) for message in messages]

    async def crowd() -> list[object]:
        return _in_threads(answer)

    with suppress(StopIteration):
        examination.run("sign", "threads", ask, crowd).send(None)


def _in_threads(answer: Callable[[bytes], object]) -> list[object]:
    """Return the answers of eight threads. They are daemons: one that hangs does not keep the process."""
    together = threading.Barrier(PARALLEL)
    answers: list[list[object]] = [[] for _ in PARALLEL_MESSAGES]

    def sign(row: int) -> None:
        together.wait()
        for message in PARALLEL_MESSAGES[row]:
            answers[row].append(answer(message))

    threads = [threading.Thread(target=sign, args=(row,), daemon=True) for row in range(PARALLEL)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads change places often, so that shared state shows
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
    finally:
        sys.setswitchinterval(interval)
    hung: list[object] = [Hung(PATIENCE)] * len(PARALLEL_MESSAGES[0])
    return flat((row + hung)[: len(hung)] for row in answers)
