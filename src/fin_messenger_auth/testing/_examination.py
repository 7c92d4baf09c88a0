"""Examines one signer: what it says of itself, what it answers, how long that takes, and what is wrong."""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth._json_values import configured_string
from fin_messenger_auth._keys import MIN_RSA_BITS
from fin_messenger_auth._signers import public_key_of
from fin_messenger_auth._tokens import INTERCOM_ALGORITHMS, SALESFORCE_ALGORITHMS
from fin_messenger_auth.errors import ConfigurationError

from ._signature_errors import diagnose_hmac, diagnose_rsa

_T = TypeVar("_T")

PARALLEL = 8
"""Threads, or tasks, that sign at the same time."""

_USUAL = 400  # bytes, as the signing input of a real token


def _message(label: str, size: int) -> bytes:
    """Return bytes that look like a signing input: a header, a dot, a payload."""
    return (b"eyJhbGciOiJub25lIn0." + label.encode() + b"-" + b"e30_" * (size // 4))[:size]


SIZED_MESSAGES = tuple(_message("sized", size) for size in (1, 4096, 4097, 100_000))
"""The shortest, the longest that some APIs accept, one byte more, and a token with many attributes."""

PARALLEL_MESSAGES = tuple(tuple(_message(f"{row}.{number}", _USUAL) for number in range(8)) for row in range(PARALLEL))
"""One row for each of eight threads or tasks that sign at the same time."""


class Raised(NamedTuple):
    """The signer raised this instead of returning a value."""

    kind: type[BaseException]
    error: BaseException | None = None


class Hung(NamedTuple):
    """The signer did not return."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Durations:
    """How long a method took, called one by one.

    Attributes:
        calls: How many calls were measured.
        p50: What half of the calls took at most, in seconds.
        p99: What 99 of 100 calls took at most, in seconds.
    """

    calls: int
    p50: float
    p99: float

    def __str__(self) -> str:
        """Return them as in the report, in milliseconds."""
        return f"p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms in {self.calls} calls one by one"


class Examination:
    """The examination of one signer.

    Args:
        signer: The signer.
        verify_with: What verifies its signatures: the RSA public key, or the HMAC secret as bytes.
        number: How many messages of usual length to sign.
    """

    def __init__(self, signer: Any, verify_with: RSAPublicKey | bytes, number: int) -> None:  # noqa: ANN401 - it may be anything
        self.signer = signer
        self.seconds: dict[str, list[float]] = {}
        # Like those of real tokens: alike at the start, each of another length, or nearly.
        self.usual: list[bytes] = [
            _message("", _USUAL + index % 64) + f"-usual{index}".encode() for index in range(number)
        ]
        self._method = ""
        algorithms, self._verifies, self._diagnose = _verifier(verify_with)
        self._secret = verify_with if isinstance(verify_with, bytes) else None
        self._seen: dict[str, list[object]] = {"alg": [], "kid": []}
        self._violations: list[str] = []
        self._cause: BaseException | None = None
        self.read_properties()
        self.read_properties()
        alg, kid = self._seen["alg"][0], self._seen["kid"][0]
        self._alg = next((known for known in algorithms if known == alg), algorithms[0])
        wrong = "" if alg in algorithms else f"alg: expected {' or '.join(algorithms)} with this key, got {alg!r}."
        self._violate(_check_string(alg, "alg") or wrong, "" if kid is None else _check_string(kid, "kid"))
        self._violate(_check_key(signer, verify_with))
        shown = caught(lambda: repr(signer) + str(signer))
        if isinstance(shown, Raised):
            self._violate(f"repr raises {shown.kind.__name__}.")
        elif self._shows_secret(str(shown)):
            self._violate("repr shows the secret.")

    def read_properties(self) -> None:
        """Read ``alg`` and ``kid`` once more, and remember new values."""
        for name, seen in self._seen.items():
            value = caught(partial(getattr, self.signer, name))
            value = Raised(value.kind) if isinstance(value, Raised) else value  # equal to another of its kind
            if not any(type(value) is type(known) and value == known for known in seen):
                seen.append(value)

    def has(self, method: str) -> bool:
        """Tell whether the signer has the method."""
        return callable(getattr(self.signer, method, None))

    def require(self, method: str, other: str, hint: str) -> bool:
        """Tell whether the signer has the method, and note it if not."""
        if not self.has(method):
            self._violate(f"{method} is missing. {hint}" if self.has(other) else f"{method} is missing.")
        return self.has(method)

    async def run(
        self,
        method: str,
        units: str,
        ask: Callable[[Sequence[bytes]], Awaitable[Sequence[object]]],
        crowd: Callable[[], Awaitable[Sequence[object]]],
    ) -> None:
        """Examine a method. ``ask`` signs messages one by one, ``crowd`` the parallel ones at once, in ``units``.

        Nothing else is awaited, so this runs without an event loop where these two never wait.
        """
        self._method, usual, together = method, self.usual, flat(PARALLEL_MESSAGES)
        threads = threading.active_count()
        self.check(usual, await ask(usual))
        if (left := threading.active_count() - threads) > len(usual) / 2:
            self.note(f"it leaves {left} threads after {len(usual)} calls one by one")
        self.check(usual[:1], await ask(usual[:1]), "with a message signed before: ")
        self.check(SIZED_MESSAGES, await ask(SIZED_MESSAGES))
        answers = await crowd()
        faults = self._faults(together, answers)
        # A message that is as wrong when it is signed again by itself has nothing to do with the other calls.
        suspects = [] if any(isinstance(answer, Hung) for answer in answers) else flat(faults.values())
        wrong = set(flat(self._faults(suspects, await ask(suspects)).values()))
        for fault, at in faults.items():
            among = f"with {PARALLEL} {units} at once, in {len(at)} of {len(together)} calls: "
            self.note(fault, _which(at, together) if wrong.issuperset(at) else among)

    def check(self, messages: Sequence[bytes], answers: Sequence[object], when: str = "") -> None:
        """Note what is wrong with the answers; ``when`` says how they were asked for."""
        for fault, at in self._faults(messages, answers).items():
            self.note(fault, when or _which(at, messages))

    def note(self, fault: str, when: str = "") -> None:
        """Note a violation of the method under examination once, however often it occurs."""
        if not any(fault in each for each in self._violations if each.startswith(f"{self._method}: ")):
            self._violate(f"{self._method}: {when}{fault}.")

    def report(self) -> dict[str, Durations]:
        """Return how long the methods took, or raise everything that was found."""
        for name, seen in self._seen.items():
            if len(seen) > 1:
                self._violate(f"{name} changes; a signer is one immutable value, and rotation is a new signer.")
        took = {name: _durations(all_[: len(self.usual)]) for name, all_ in self.seconds.items() if all_}
        if self._violations:
            lines = [f"- {each}" for each in self._violations]
            lines += [f"{name}: {each}." for name, each in took.items()]
            kind, lines_ = type(self.signer).__name__, "\n".join(lines)
            raise AssertionError(f"{kind} breaks the contract:\n{lines_}") from self._cause
        return took

    def _violate(self, *violations: str) -> None:
        self._violations += filter(None, violations)

    def _faults(self, messages: Sequence[bytes], answers: Sequence[object]) -> dict[str, list[bytes]]:
        """Return what is wrong with the answers, with the messages that it is wrong for."""
        faults: dict[str, list[bytes]] = {}
        for message, answer in zip(messages, answers, strict=True):
            if not self._is_right(message, answer):
                faults.setdefault(self._fault(message, answer, messages), []).append(message)
        return faults

    def _is_right(self, message: bytes, answer: object) -> bool:
        if inspect.iscoroutine(answer):
            answer.close()  # or Python warns of it
        return isinstance(answer, bytes) and self._verifies(self._alg, message, answer)

    def _fault(self, message: bytes, answer: object, messages: Sequence[bytes]) -> str:
        if isinstance(answer, Hung):
            return f"it does not return within {answer.seconds:g} s"
        if isinstance(answer, Raised):
            self._cause = self._cause or answer.error
            if self._shows_secret(str(answer.error)):
                return f"it raises {answer.kind.__name__}, whose message shows the secret"
            outside = "" if issubclass(answer.kind, Exception) else ", which is not an Exception and ends the process"
            return f"it raises {answer.kind.__name__}{outside}"
        if inspect.iscoroutine(answer):
            return "it returns a coroutine; rename it to asign"
        if not isinstance(answer, bytes):
            return f"expected bytes, got {type(answer).__name__}"
        return self._diagnose(answer, message, alg=self._alg, others=messages)

    def _shows_secret(self, shown: str) -> bool:
        return "PRIVATE KEY-----" in shown or (self._secret is not None and repr(self._secret)[2:-1] in shown)


def caught(call: Callable[[], object]) -> object:
    """Return what a call returns, or what it raises: the report is about that, whatever it is."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - see above
        return Raised(type(error), error)


def flat(rows: Iterable[Iterable[_T]]) -> list[_T]:
    """Return the items of all rows."""
    return list(chain.from_iterable(rows))


def _which(at: Sequence[bytes], messages: Sequence[bytes]) -> str:
    """Say which of the messages a fault was seen with, unless it was all of them."""
    if len(at) == len(messages):
        return ""
    if messages is SIZED_MESSAGES:
        return f"with a message of {' and '.join(str(len(message)) for message in at)} bytes: "
    return f"wrong in {len(at)} of {len(messages)} calls: "


def _verifier(
    verify_with: RSAPublicKey | bytes,
) -> tuple[Sequence[str], Callable[[str, bytes, bytes], bool], Callable[..., str]]:
    """Return the algorithms, what verifies a signature by alg, message and signature, and what says why it does not."""
    from joserfc.jwk import OctKey, RSAKey  # noqa: PLC0415 - heavy, and needed only here
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - the same

    if not isinstance(verify_with, RSAPublicKey | bytes):
        raise TypeError(f"verify_with: expected an RSA public key or bytes, got {type(verify_with).__name__}.")
    key: Any
    algorithms: Sequence[str]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of short keys; the report says so itself
        if isinstance(verify_with, bytes):
            key = OctKey.import_key(verify_with)
            algorithms, diagnose = INTERCOM_ALGORITHMS, partial(diagnose_hmac, secret=verify_with)
        else:
            key = RSAKey.import_key(verify_with.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            algorithms, diagnose = SALESFORCE_ALGORITHMS, partial(diagnose_rsa, key=verify_with)
    known = {alg: JWSRegistry(algorithms=[alg]).get_alg(alg) for alg in algorithms}
    return algorithms, lambda alg, message, signature: known[alg].verify(message, signature, key), diagnose


def _check_string(value: object, name: str) -> str:
    if isinstance(value, Raised):
        return f"{name} is missing." if value.kind is AttributeError else f"{name} raises {value.kind.__name__}."
    try:
        configured_string(value, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def _check_key(signer: Any, verify_with: RSAPublicKey | bytes) -> str:  # noqa: ANN401 - it may be anything
    if isinstance(verify_with, bytes):
        return ""
    if verify_with.key_size < MIN_RSA_BITS:
        return f"The key has {verify_with.key_size} bits; the minimum is {MIN_RSA_BITS}."
    if getattr(signer, "public_key", None) is None:
        return ""
    offered = public_key_of(signer)
    same = offered is not None and offered.public_numbers() == verify_with.public_numbers()
    return "" if same else "public_key is not the key in verify_with."


def _durations(seconds: Sequence[float]) -> Durations:
    ordered = sorted(seconds)
    return Durations(len(ordered), ordered[(len(ordered) - 1) // 2], ordered[(len(ordered) - 1) * 99 // 100])
