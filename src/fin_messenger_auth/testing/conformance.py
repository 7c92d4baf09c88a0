"""Whether a signer keeps the contract: one call, every violation in one error, each mistake named."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth import intercom, salesforce
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.json_values import configured_string
from fin_messenger_auth.pem import MIN_RSA_BITS
from fin_messenger_auth.signers import AsyncSigner, Signer

from .signature_errors import diagnose_hmac, diagnose_rsa

if TYPE_CHECKING:
    from joserfc.jwk import OctKey, RSAKey

_T = TypeVar("_T")


def _message(label: str, size: int) -> bytes:
    """Return bytes that look like a signing input: a header, a dot, a payload."""
    return (b"eyJhbGciOiJub25lIn0." + label.encode() + b"-" + b"e30_" * (size // 4))[:size]


_USUAL = 400  # bytes, as the signing input of a real token
_PARALLEL = 8  # threads, or tasks

USUAL_MESSAGES = tuple(_message(f"usual{number}", _USUAL) for number in range(32))
"""Signed one by one, to see whether a signature is right each time."""

SIZED_MESSAGES = tuple(_message("sized", size) for size in (1, 4096, 4097, 100_000))
"""The shortest, the longest that some APIs accept, one byte more, and a token with many attributes."""

PARALLEL_MESSAGES = tuple(tuple(_message(f"{row}.{number}", _USUAL) for number in range(8)) for row in range(_PARALLEL))
"""One row for each of eight threads or tasks that sign at the same time."""


def check_signer(signer: Signer, verify_with: RSAPublicKey | bytes) -> None:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.Signer`.

    It signs about a hundred messages of usual and unusual length, one by one and from eight threads at
    once. joserfc verifies the signatures. A signer that waits 20 ms for a network takes about a second.

    Args:
        signer: The signer to check, for use with ``build``.
        verify_with: What verifies its signatures: the RSA public key, or the HMAC secret as bytes.

    Raises:
        AssertionError: The contract is broken. The message lists every violation; the first error that
            the signer raised is the cause.
        TypeError: ``verify_with`` is neither.
    """
    examination = _Examination(signer, verify_with)

    def answer(message: bytes) -> object:
        try:
            return signer.sign(message)
        except Exception as error:  # noqa: BLE001 - the report is about whatever it raises
            return _Raised(type(error), error)
        finally:
            examination.read_properties()

    if examination.has_method("sign", "It has asign: check it with acheck_signer."):
        examination.judge(_one_by_one, USUAL_MESSAGES, map(answer, USUAL_MESSAGES))
        examination.judge(_by_size, SIZED_MESSAGES, map(answer, SIZED_MESSAGES))
        examination.judge(partial(_in_parallel, "threads"), _flat(PARALLEL_MESSAGES), _flat(_in_threads(answer)))
    examination.report()


async def acheck_signer(signer: AsyncSigner, verify_with: RSAPublicKey | bytes) -> None:
    """Check that ``signer`` keeps the contract of :class:`~fin_messenger_auth.AsyncSigner`.

    As :func:`check_signer`, with eight tasks in place of the threads. This one also checks what
    :func:`~fin_messenger_auth.in_thread` returns.

    Args:
        signer: The signer to check, for use with ``abuild``.
        verify_with: What verifies its signatures: the RSA public key, or the HMAC secret as bytes.

    Raises:
        AssertionError: The contract is broken. The message lists every violation; the first error that
            the signer raised is the cause.
        TypeError: ``verify_with`` is neither.
    """
    from asyncio import gather  # noqa: PLC0415 - 25 ms that a synchronous test need not pay

    examination = _Examination(signer, verify_with)

    async def answer(message: bytes) -> object:
        try:
            return await signer.asign(message)
        except Exception as error:  # noqa: BLE001 - the report is about whatever it raises
            return _Raised(type(error), error)
        finally:
            examination.read_properties()

    async def answers(messages: Sequence[bytes]) -> list[object]:
        return [await answer(message) for message in messages]

    if examination.has_method("asign", "It has sign: check it with check_signer, or wrap it in in_thread."):
        examination.judge(_one_by_one, USUAL_MESSAGES, await answers(USUAL_MESSAGES))
        examination.judge(_by_size, SIZED_MESSAGES, await answers(SIZED_MESSAGES))
        crowd = await gather(*map(answers, PARALLEL_MESSAGES))
        examination.judge(partial(_in_parallel, "tasks"), _flat(PARALLEL_MESSAGES), _flat(crowd))
    examination.report()


def _in_threads(answer: Callable[[bytes], object]) -> list[list[object]]:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - with threading, needed only here
    from threading import Barrier  # noqa: PLC0415 - the same

    together = Barrier(_PARALLEL)

    def answers(messages: Sequence[bytes]) -> list[object]:
        together.wait()
        return [answer(message) for message in messages]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads change places often, so that shared state shows
    try:
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(answers, PARALLEL_MESSAGES))
    finally:
        sys.setswitchinterval(interval)


class _Raised(NamedTuple):
    """The signer raised this instead of returning a value."""

    kind: type[Exception]
    error: Exception | None = None


class _Verifier(NamedTuple):
    """What ``verify_with`` verifies, and how."""

    algorithms: Sequence[str]
    verifies: Callable[[str, bytes, bytes], bool]  # alg, message, signature
    diagnose: Callable[..., str]


# Each of these describes the calls that share one fault, or is empty if all of them do.
def _one_by_one(at: Sequence[bytes], messages: Sequence[bytes]) -> str:
    return "" if len(at) == len(messages) else f"wrong in {len(at)} of {len(messages)} calls: "


def _by_size(at: Sequence[bytes], messages: Sequence[bytes]) -> str:
    sizes = " and ".join(str(len(message)) for message in at)
    return "" if len(at) == len(messages) else f"with a message of {sizes} bytes: "


def _in_parallel(units: str, at: Sequence[bytes], messages: Sequence[bytes]) -> str:
    return f"not safe under {_PARALLEL} {units}, in {len(at)} of {len(messages)} calls: "


class _Examination:
    """The examination of one signer: its properties, its answers, and what is wrong with them."""

    def __init__(self, signer: Signer | AsyncSigner, verify_with: RSAPublicKey | bytes) -> None:
        self._signer = signer
        self._method = ""
        self._verifier = _verifier(verify_with)
        self._seen: dict[str, list[object]] = {"alg": [], "kid": []}
        self._violations: list[str] = []
        self._cause: Exception | None = None
        self.read_properties()
        self.read_properties()
        alg = self._seen["alg"][0]
        self._alg = next((known for known in self._verifier.algorithms if known == alg), self._verifier.algorithms[0])
        expected, kid = " or ".join(self._verifier.algorithms), self._seen["kid"][0]
        wrong_alg = "" if alg in self._verifier.algorithms else f"alg: expected {expected} with this key, got {alg!r}."
        self._note(_check_string(alg, "alg") or wrong_alg, "" if kid is None else _check_string(kid, "kid"))
        self._note(_check_key(signer, verify_with))

    def read_properties(self) -> None:
        """Read ``alg`` and ``kid`` once more, and remember new values."""
        for name, seen in self._seen.items():
            value = _read(self._signer, name)
            if not any(type(value) is type(known) and value == known for known in seen):
                seen.append(value)

    def has_method(self, method: str, hint: str) -> bool:
        """Tell whether the signer has the method, and note it if not."""
        self._method = method
        if callable(getattr(self._signer, method, None)):
            return True
        other = getattr(self._signer, "sign" if method == "asign" else "asign", None)
        self._note(f"{method} is missing. {hint}" if callable(other) else f"{method} is missing.")
        return False

    def judge(
        self,
        describe: Callable[[Sequence[bytes], Sequence[bytes]], str],
        messages: Sequence[bytes],
        answers: Iterable[object],
    ) -> None:
        """Check each answer, and note each fault once, however often it occurs."""
        faults: dict[str, list[bytes]] = {}
        for message, answer in zip(messages, answers, strict=True):
            fault = self._fault(message, answer, messages)
            if fault:
                faults.setdefault(fault, []).append(message)
        for fault, at in faults.items():
            if not any(fault in violation for violation in self._violations):
                self._note(f"{self._method}: {describe(at, messages)}{fault}.")

    def report(self) -> None:
        """Raise everything that was found."""
        for name, seen in self._seen.items():
            if len(seen) > 1:
                self._note(f"{name} changes; a signer is one immutable value, and rotation is a new signer.")
        if self._violations:
            lines = "\n".join(f"- {violation}" for violation in self._violations)
            raise AssertionError(f"{type(self._signer).__name__} breaks the contract:\n{lines}") from self._cause

    def _note(self, *violations: str) -> None:
        self._violations += filter(None, violations)

    def _fault(self, message: bytes, answer: object, messages: Sequence[bytes]) -> str:
        if isinstance(answer, _Raised):
            self._cause = self._cause or answer.error
            return f"it raises {answer.kind.__name__}"
        if inspect.iscoroutine(answer):
            answer.close()
            return "it returns a coroutine; rename it to asign"
        if not isinstance(answer, bytes):
            return f"expected bytes, got {type(answer).__name__}"
        if self._verifier.verifies(self._alg, message, answer):
            return ""
        return self._verifier.diagnose(answer, message, alg=self._alg, others=messages)


def _flat(rows: Iterable[Iterable[_T]]) -> list[_T]:
    return list(chain.from_iterable(rows))


def _verifier(verify_with: RSAPublicKey | bytes) -> _Verifier:
    from joserfc.jwk import OctKey, RSAKey  # noqa: PLC0415 - heavy, and needed only here

    if not isinstance(verify_with, RSAPublicKey | bytes):
        raise TypeError(f"verify_with: expected an RSA public key or bytes, got {type(verify_with).__name__}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of short keys; the report says so itself
        if isinstance(verify_with, bytes):
            secret = OctKey.import_key(verify_with)
            return _Verifier(intercom.ALGORITHMS, _oracle(secret), partial(diagnose_hmac, secret=verify_with))
        public_key = RSAKey.import_key(verify_with.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return _Verifier(salesforce.ALGORITHMS, _oracle(public_key), partial(diagnose_rsa, key=verify_with))


def _oracle(key: OctKey | RSAKey) -> Callable[[str, bytes, bytes], bool]:
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - as above

    return lambda alg, message, signature: JWSRegistry(algorithms=[alg]).get_alg(alg).verify(message, signature, key)


def _read(signer: object, name: str) -> object:
    try:
        return getattr(signer, name)
    except Exception as error:  # noqa: BLE001 - the report is about whatever it raises
        return _Raised(type(error))


def _check_string(value: object, name: str) -> str:
    if isinstance(value, _Raised):
        return f"{name} is missing." if value.kind is AttributeError else f"{name} raises {value.kind.__name__}."
    try:
        configured_string(value, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def _check_key(signer: object, verify_with: RSAPublicKey | bytes) -> str:
    if isinstance(verify_with, bytes):
        return "repr shows the secret." if repr(verify_with)[2:-1] in repr(signer) else ""
    if verify_with.key_size < MIN_RSA_BITS:
        return f"The key has {verify_with.key_size} bits; the minimum is {MIN_RSA_BITS}."
    offered = getattr(signer, "public_key", verify_with)
    same = isinstance(offered, RSAPublicKey) and offered.public_numbers() == verify_with.public_numbers()
    return "" if same else "public_key is not the key in verify_with."
