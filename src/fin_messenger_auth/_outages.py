"""Decides what a page gets when a signer fails, and logs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from inspect import iscoroutinefunction
from logging import getLogger
from threading import Lock
from typing import Literal, cast

from ._processes import PerProcess
from .errors import ConfigurationError, SigningError, clear_frames

Outcome = Literal["raise", "anonymous", "intercom-only"]
"""``raise``: the error. ``anonymous``: the page of an anonymous visitor. ``intercom-only``: where the Salesforce signer
failed, the Intercom token alone, so that the chat stays the user's own and Salesforce sees a guest; where the Intercom
signer failed, as ``anonymous``."""

OUTCOMES: tuple[Outcome, ...] = ("raise", "anonymous", "intercom-only")

OnSigningError = Outcome | Callable[[SigningError], Outcome]
"""An outcome, or what chooses one for an error; it is also the place to count and to alert."""

SECONDS_BETWEEN_RECORDS = 10.0
"""The log has at most one record in this time, with the number of failures since the last."""


def checked_policy(policy: object, name: str = "on_signing_error") -> OnSigningError:
    """Return ``on_signing_error``, or raise ``ConfigurationError`` if it is neither an outcome nor a plain function."""
    if (policy in OUTCOMES if isinstance(policy, str) else callable(policy)) and not iscoroutinefunction(policy):
        return cast("OnSigningError", policy)
    raise ConfigurationError(f"{name}: expected {_EXPECTED}, or in code a function that returns one of them.")


def outcome_of(policy: OnSigningError, error: SigningError) -> Outcome:
    """Return what the policy makes of an error; ``ConfigurationError`` if its function returns something else."""
    outcome = policy(error) if callable(policy) else policy
    if outcome in OUTCOMES:
        return outcome
    raise ConfigurationError(f"on_signing_error returned {type(outcome).__name__}; expected {_EXPECTED}.") from error


class OutageLog:
    """The log records of one builder: in a flood of failures one every ten seconds, with their number."""

    __slots__ = ("_due", "_failures", "_lock")

    def __init__(self) -> None:
        self._due, self._failures = float("-inf"), 0
        self._lock = PerProcess(Lock)  # one that was held in a fork stays with the parent

    def __deepcopy__(self, _memo: dict[int, object]) -> OutageLog:
        """Return the log itself: a copy of a builder, as ``dataclasses.asdict`` makes it, shares it."""
        return self

    def write(self, error: SigningError, outcome: Outcome) -> None:
        """Write a record of a failure and of what the page gets, or count it for the next one."""
        with self._lock():
            self._failures += 1
            now = time.monotonic()
            if now < self._due:
                return
            failures, self._failures, self._due = self._failures, 0, now + SECONDS_BETWEEN_RECORDS
        log_error(
            "Signing %s with kid %r failed (%s): %s Failures since the last record: %d.",
            error,
            *(error.token, error.kid, outcome, error, failures),
        )


def log_error(message: str, error: BaseException, *arguments: object) -> None:
    """Write a record to the log ``fin_messenger_auth``, with the tracebacks of an error and its causes.

    Only our own errors are shown with their message: that of a client's error is a service's, and may hold a
    credential or the signing input. An error tracker finds no local variables: a signer's may be the signing input.
    """
    clear_frames(error, foreign=True)
    shown = _without_foreign_messages(error)
    getLogger("fin_messenger_auth").error(message, *arguments, exc_info=(type(shown), shown, shown.__traceback__))


def _without_foreign_messages(error: BaseException) -> BaseException:
    kind = type(error)
    if kind.__module__ == SigningError.__module__:
        shown: BaseException = copy(error)
    else:
        name = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        shown = type(kind.__name__, (Exception,), name)()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    shown.__cause__ = None if cause is None else _without_foreign_messages(cause)
    return shown.with_traceback(error.__traceback__)


_EXPECTED = ", ".join(f'"{each}"' for each in OUTCOMES[:-1]) + f' or "{OUTCOMES[-1]}"'
