"""Defines every error of this library, under one root, and its one warning.

.. code-block:: text

    FinMessengerAuthError
    ├── ConfigurationError (ValueError)   the application is configured wrongly
    │   └── InvalidKeyError               a key was read and cannot be used
    ├── KeyUnavailableError               a key cannot be read
    ├── InvalidClaimError (ValueError)    a value cannot be put into a token or into the settings
    └── SigningError                      the signer failed

    FinMessengerAuthWarning (UserWarning) allowed, but probably a mistake

All but ``SigningError`` carry ``.code``, the code of the finding that says the same, which ``doctor`` and the page of
findings list, and ``.variable``, the environment variable that is meant, if one is. A message names the thing and the
fix. It never holds a secret, a token or personal data.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

if TYPE_CHECKING:
    from types import FrameType

__all__ = [
    "ConfigurationError",
    "FinMessengerAuthError",
    "FinMessengerAuthWarning",
    "InvalidClaimError",
    "InvalidKeyError",
    "KeyUnavailableError",
    "SigningError",
]

_PACKAGE = __name__.partition(".")[0]
_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Coded(Exception):  # noqa: N818 - the warning is one, too
    """A message, the code of the finding that says the same, and the environment variable that is meant, if one is."""

    default_code: ClassVar[str]  # used if a caller's own key source gives no code

    def __init__(self, message: str, code: str | None = None, *, variable: str | None = None) -> None:
        super().__init__(message)
        self.message: str = message
        self.code: str = code or self.default_code
        self.variable: str | None = variable

    def __str__(self) -> str:
        """Return the message."""
        return self.message


class FinMessengerAuthError(Exception):
    """The root of every error that this library raises on purpose."""


class ConfigurationError(_Coded, FinMessengerAuthError, ValueError):
    """The application is configured wrongly; no user and no request can change that.

    Attributes:
        code: The code of the finding that says the same.
        message: What is wrong and how to fix it.
        variable: The environment variable that is meant, with its prefix; the first of several, or ``None``.
    """

    default_code = "argument-invalid"


class InvalidKeyError(ConfigurationError):
    """A key or secret was read, and signing with it would be unsafe or certain to fail."""

    default_code = "key-damaged"


class KeyUnavailableError(_Coded, FinMessengerAuthError):
    """A key or secret cannot be read: a variable that is not set, a file that does not exist.

    Attributes:
        code: The code of the finding that says the same.
        message: What is wrong and how to fix it.
        variable: The environment variable that is meant, with its prefix; the first of several, or ``None``.
    """

    default_code = "key-unavailable"


class InvalidClaimError(_Coded, FinMessengerAuthError, ValueError):
    """A value cannot be put into a token or into the settings.

    Args:
        claim: The name of the claim, attribute or setting.
        message: What is wrong and how to fix it, without the value.
        code: The code of the finding that says the same.

    Attributes:
        claim: The name of the claim, attribute or setting.
        code: The code of the finding that says the same.
        message: The name, and what is wrong and how to fix it.
    """

    default_code = "claim-invalid"

    def __init__(self, claim: str, message: str, code: str | None = None) -> None:
        super().__init__(f"{claim}: {message}", code)
        self.args: tuple[Any, ...] = (claim, message)  # what a pickle passes to this constructor
        self.claim: str = claim


class SigningError(FinMessengerAuthError):
    """A signer failed, or returned something other than a signature. A foreign exception is named by its type.

    Args:
        message: What failed. It must not hold a secret, a token or the error text of a service.

    Attributes:
        token: The setting that carries the token: ``intercom_user_jwt`` or ``salesforce_identity_token``. ``None``
            until a minter passes the error on.
        kid: The key ID of the signer; ``None`` likewise, and for a key without one.
        signer: What failed: the signer itself, not what :func:`~fin_messenger_auth.with_deadline` returned. A pickle
            leaves it out.
        code: The code of the finding with the fix, where a service's answer tells it; else ``key-unavailable``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.token: str | None = None
        self.kid: str | None = None
        self.signer: Any = None
        self.code: str = KeyUnavailableError.default_code

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the signer out: it may hold a key."""
        return type(self), self.args, {**self.__dict__, "signer": None}


class FinMessengerAuthWarning(_Coded, UserWarning):
    """Something is allowed, but probably a mistake.

    Attributes:
        code: The code of the finding that says the same.
        message: What is unwise and how to fix it.
        variable: The environment variable that is meant, with its prefix, or ``None``.
    """

    default_code = "argument-invalid"


Problem = ConfigurationError | KeyUnavailableError | FinMessengerAuthWarning
"""An error or a warning that a check lists, and that a constructor raises or issues."""

_collected: ContextVar[list[Problem] | None] = ContextVar("collected_warnings", default=None)


def warn(message: str, code: str, variable: str | None = None) -> None:
    """Issue a warning that points at the first line outside this library, or collect it."""
    warning, collected = FinMessengerAuthWarning(message, code, variable=variable), _collected.get()
    if collected is not None:
        collected.append(warning)
        return
    level, frame = 1, sys._getframe()  # noqa: SLF001 - how the standard library finds the caller, too
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


@contextmanager
def collect_warnings() -> Iterator[list[Problem]]:
    """Collect the warnings of this library in a list instead of issuing them, in this thread or task only."""
    collected: list[Problem] = []
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)


def raise_first(problems: Iterable[Problem]) -> None:
    """Raise the first error among ``problems``, after issuing the warnings before it."""
    for problem in problems:
        if isinstance(problem, FinMessengerAuthError):
            raise problem
        warn(problem.message, problem.code, problem.variable)


def attempt(make: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> tuple[_T | None, list[Problem]]:
    """Return what ``make`` returns, or ``None``, and its warnings and its error instead of issuing and raising them."""
    made = None
    with collect_warnings() as problems:
        try:
            made = make(*args, **kwargs)
        except (ConfigurationError, KeyUnavailableError) as error:
            problems.append(error.with_traceback(None))  # its local variables may hold a secret
    return made, problems


def problems_of(make: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> list[Problem]:
    """Return the warnings and the error of ``make``."""
    return attempt(make, *args, **kwargs)[1]


def masked(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keep the values that a function was given out of the tracebacks of its errors, which error trackers record.

    The lines of this library stay in the traceback, without their local variables.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # also of Ctrl-C, and of a time-out, which cancels the task
            del args, kwargs
            clear_frames(error)
            raise

    return call


def clear_frames(error: BaseException, *, foreign: bool = False) -> None:
    """Clear the local variables of our frames, or of all, in the tracebacks of an error, its causes and its group."""
    found: dict[int, BaseException] = {}
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or id(each) in found:
            continue
        found[id(each)] = each
        traceback = each.__traceback__
        while traceback is not None:
            if foreign or _is_ours(traceback.tb_frame):
                with suppress(RuntimeError):  # it is still running
                    traceback.tb_frame.clear()
            traceback = traceback.tb_next
        todo += [each.__cause__, each.__context__, *(each.exceptions if isinstance(each, BaseExceptionGroup) else ())]


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE
