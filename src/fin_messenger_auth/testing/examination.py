"""The examination of one signer: its properties, its answers, how long they took, and what is wrong with them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth import intercom, salesforce
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.json_values import configured_string
from fin_messenger_auth.pem import MIN_RSA_BITS
from fin_messenger_auth.signers import public_key_of

from .signature_errors import diagnose_hmac, diagnose_rsa

if TYPE_CHECKING:
    from joserfc.jwk import OctKey, RSAKey

Faults = dict[str, list[bytes]]
"""What is wrong with some answers, and the messages that they belong to."""


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
        calls: How often it was called.
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
    """

    def __init__(self, signer: Any, verify_with: RSAPublicKey | bytes) -> None:  # noqa: ANN401 - it may be anything
        self.signer = signer
        self.method = ""
        self.seconds: dict[str, list[float]] = {}
        self._verifier = _verifier(verify_with)
        self._secret = verify_with if isinstance(verify_with, bytes) else None
        self._seen: dict[str, list[object]] = {"alg": [], "kid": []}
        self._violations: list[str] = []
        self._cause: BaseException | None = None
        self.read_properties()
        self.read_properties()
        alg = self._seen["alg"][0]
        self._alg = next((known for known in self._verifier.algorithms if known == alg), self._verifier.algorithms[0])
        expected, kid = " or ".join(self._verifier.algorithms), self._seen["kid"][0]
        wrong_alg = "" if alg in self._verifier.algorithms else f"alg: expected {expected} with this key, got {alg!r}."
        self._note(_check_string(alg, "alg") or wrong_alg, "" if kid is None else _check_string(kid, "kid"))
        self._note(_check_key(signer, verify_with))
        if self._shows_secret(repr(signer)) or self._shows_secret(str(signer)):
            self._note("repr shows the secret.")

    def read_properties(self) -> None:
        """Read ``alg`` and ``kid`` once more, and remember new values."""
        for name, seen in self._seen.items():
            value = _read(self.signer, name)
            if not any(type(value) is type(known) and value == known for known in seen):
                seen.append(value)

    def has(self, method: str) -> bool:
        """Tell whether the signer has the method."""
        return callable(getattr(self.signer, method, None))

    def require(self, method: str, other: str, hint: str) -> bool:
        """Tell whether the signer has the method, and note it if not."""
        if not self.has(method):
            self._note(f"{method} is missing. {hint}" if self.has(other) else f"{method} is missing.")
        return self.has(method)

    def faults(self, messages: Sequence[bytes], answers: Iterable[object]) -> Faults:
        """Check each answer; return what is wrong, with the messages that it is wrong for."""
        faults: Faults = {}
        for message, answer in zip(messages, answers, strict=True):
            if fault := self._fault(message, answer, messages):
                faults.setdefault(fault, []).append(message)
        return faults

    def is_right(self, message: bytes, answer: object) -> bool:
        """Tell whether an answer is the signature of the message."""
        if inspect.iscoroutine(answer):
            answer.close()
        return isinstance(answer, bytes) and self._verifier.verifies(self._alg, message, answer)

    def note_faults(self, faults: Faults, describe: Callable[[Sequence[bytes]], str]) -> None:
        """Note each fault once, however often it occurs; ``describe`` says when it did."""
        for fault, at in faults.items():
            if not any(fault in each for each in self._violations if each.startswith(f"{self.method}: ")):
                self.note(f"{describe(at)}{fault}")

    def note(self, fault: str) -> None:
        """Note a violation of the method under examination."""
        self._note(f"{self.method}: {fault}.")

    def report(self) -> dict[str, Durations]:
        """Return how long the methods took, or raise everything that was found."""
        for name, seen in self._seen.items():
            if len(seen) > 1:
                self._note(f"{name} changes; a signer is one immutable value, and rotation is a new signer.")
        durations = {method: _durations(seconds) for method, seconds in self.seconds.items() if seconds}
        if self._violations:
            lines = [f"- {violation}" for violation in self._violations]
            lines += [f"{method}: {took}." for method, took in durations.items()]
            kind, lines_ = type(self.signer).__name__, "\n".join(lines)
            raise AssertionError(f"{kind} breaks the contract:\n{lines_}") from self._cause
        return durations

    def _note(self, *violations: str) -> None:
        self._violations += filter(None, violations)

    def _fault(self, message: bytes, answer: object, messages: Sequence[bytes]) -> str:  # noqa: PLR0911 - one for each fault
        if self.is_right(message, answer):
            return ""
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
        return self._verifier.diagnose(answer, message, alg=self._alg, others=messages)

    def _shows_secret(self, shown: str) -> bool:
        return "PRIVATE KEY-----" in shown or (self._secret is not None and repr(self._secret)[2:-1] in shown)


class _Verifier(NamedTuple):
    """What ``verify_with`` verifies, and how."""

    algorithms: Sequence[str]
    verifies: Callable[[str, bytes, bytes], bool]  # alg, message, signature
    diagnose: Callable[..., str]


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
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the report is about whatever it raises
        return Raised(type(error))


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
