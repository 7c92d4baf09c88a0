"""Whether a signer keeps the contract: one call, every violation in one error, each mistake named."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth.errors import amasked, masked
from fin_messenger_auth.signers import AsyncSigner, Signer

from .examination import Durations, Examination, Faults, Hung, Raised

_T = TypeVar("_T")

PATIENCE = 30.0
"""Seconds after which a call counts as hanging."""

PARALLEL = 8
"""Threads, or tasks, that sign at the same time."""

_HEADER = b"eyJhbGciOiJub25lIn0."
_USUAL = 400  # bytes, as the signing input of a real token


def usual_messages(number: int) -> list[bytes]:
    """Return messages like those of real tokens: alike at the start, each of another length, or nearly."""
    return [_message("", _USUAL + index % 64) + f"-usual{index}".encode() for index in range(number)]


def _message(label: str, size: int) -> bytes:
    """Return bytes that look like a signing input: a header, a dot, a payload."""
    return (_HEADER + label.encode() + b"-" + b"e30_" * (size // 4))[:size]


SIZED_MESSAGES = tuple(_message("sized", size) for size in (1, 4096, 4097, 100_000))
"""The shortest, the longest that some APIs accept, one byte more, and a token with many attributes."""

PARALLEL_MESSAGES = tuple(tuple(_message(f"{row}.{number}", _USUAL) for number in range(8)) for row in range(PARALLEL))
"""One row for each of eight threads or tasks that sign at the same time."""


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
    examination = Examination(signer, verify_with)
    if examination.require("sign", "asign", "It has asign: check it with acheck_signer."):
        examine_sign(examination, messages)
        if examination.has("asign"):
            from .event_loops import examine_asign_in_a_loop_of_its_own  # noqa: PLC0415 - asyncio

            examine_asign_in_a_loop_of_its_own(examination, messages)
    return examination.report()


@amasked
async def acheck_signer(
    signer: AsyncSigner, verify_with: RSAPublicKey | bytes, *, messages: int = 32
) -> dict[str, Durations]:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.AsyncSigner`.

    As :func:`check_signer`, with eight tasks in place of the threads. In addition: that it does not hold up the event
    loop, ends when its task is cancelled, leaves no task behind, and signs in a second event loop. If the
    signer has ``sign`` too, as what :func:`~fin_messenger_auth.in_thread` returns, that is checked as well.

    Args:
        signer: The signer to check, for use with ``abuild``.
        verify_with: What verifies its signatures: the RSA public key, or the HMAC secret as bytes.
        messages: As for :func:`check_signer`.

    Returns:
        How long each method took.

    Raises:
        AssertionError: The contract is broken. The message lists every violation; the first error that
            the signer raised is the cause.
        TypeError: ``verify_with`` is neither.
    """
    from asyncio import to_thread  # noqa: PLC0415 - 25 ms that a synchronous test need not pay

    from .event_loops import examine_asign  # noqa: PLC0415 - the same

    examination = Examination(signer, verify_with)
    if examination.require("asign", "sign", "It has sign: check it with check_signer, or wrap it in in_thread."):
        await examine_asign(examination, messages)
        if examination.has("sign"):
            await to_thread(examine_sign, examination, messages)
    return examination.report()


def examine_sign(examination: Examination, number: int) -> None:
    """Examine ``sign``, in the calling thread and in eight others."""
    examination.method = "sign"
    seconds = examination.seconds["sign"] = []

    def answer(message: bytes) -> object:
        try:
            return examination.signer.sign(message)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the report is about whatever it raises
            return Raised(type(error), error)
        finally:
            examination.read_properties()

    def answers(messages: Sequence[bytes]) -> Iterator[object]:
        for message in messages:
            start = time.perf_counter()
            yield answer(message)
            seconds.append(time.perf_counter() - start)

    usual = usual_messages(number)
    before = threading.active_count()
    examination.note_faults(examination.faults(usual, answers(usual)), one_by_one(len(usual)))
    if (left := threading.active_count() - before) > number / 2:
        examination.note(f"it leaves {left} threads after {number} calls one by one")
    examination.note_faults(
        examination.faults(usual[:1], answers(usual[:1])), lambda _: "with a message signed before: "
    )
    examination.note_faults(examination.faults(SIZED_MESSAGES, answers(SIZED_MESSAGES)), by_size)
    together = flat(PARALLEL_MESSAGES)
    faults = examination.faults(together, _in_threads(answer))
    hung = any(fault.startswith("it does not return") for fault in faults)
    suspects = [] if hung else flat(faults.values())
    note_parallel(examination, faults, dict(zip(suspects, map(answer, suspects), strict=True)), "threads")


def note_parallel(examination: Examination, faults: Faults, alone: Mapping[bytes, object], units: str) -> None:
    """Note the faults of calls that ran at the same time.

    Args:
        examination: The examination.
        faults: What was wrong.
        alone: What the same messages gave when they were signed again, one by one: where it is as wrong, the fault
            has nothing to do with the other calls.
        units: ``threads`` or ``tasks``.
    """
    total = len(flat(PARALLEL_MESSAGES))
    wrong = {message for message, answer in alone.items() if not examination.is_right(message, answer)}
    for fault, at in faults.items():
        together = f"with {PARALLEL} {units} at once, in {len(at)} of {total} calls: "
        examination.note_faults({fault: at}, one_by_one(total) if wrong.issuperset(at) else lambda _: together)  # noqa: B023


# Each of these describes the calls that share one fault, or is empty if all of them do.
def one_by_one(total: int) -> Callable[[Sequence[bytes]], str]:
    """Return what says in how many of the calls."""
    return lambda at: "" if len(at) == total else f"wrong in {len(at)} of {total} calls: "


def by_size(at: Sequence[bytes]) -> str:
    """Say at which sizes."""
    sizes = " and ".join(str(len(message)) for message in at)
    return "" if len(at) == len(SIZED_MESSAGES) else f"with a message of {sizes} bytes: "


def flat(rows: Iterable[Iterable[_T]]) -> list[_T]:
    """Return the items of all rows."""
    return list(chain.from_iterable(rows))


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
        for row, thread in enumerate(threads):
            seen = -1
            while thread.is_alive() and len(answers[row]) > seen:
                seen = len(answers[row])
                thread.join(PATIENCE)
    finally:
        sys.setswitchinterval(interval)
    hung: list[object] = [Hung(PATIENCE)] * len(PARALLEL_MESSAGES[0])
    return flat((row + hung)[: len(hung)] for row in answers)
