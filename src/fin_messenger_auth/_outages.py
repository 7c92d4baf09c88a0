"""Decides what a page gets when a signer fails, and logs it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import copy
from inspect import iscoroutinefunction
from threading import Timer
from typing import Literal, Protocol, cast

from ._processes import lock_per_process
from .errors import ConfigurationError, FinMessengerAuthError, SigningError, clear_frames

Outcome = Literal["raise", "anonymous", "intercom-only"]
"""``raise``: the error. ``anonymous``: the page of an anonymous visitor. ``intercom-only``: where the Salesforce signer
failed, the Intercom token alone, so that the chat stays the user's own and Salesforce sees a guest; where the Intercom
signer failed, as ``anonymous``."""

OUTCOMES: tuple[Outcome, ...] = ("raise", "anonymous", "intercom-only")

OnSigningError = Outcome | Callable[[SigningError], Outcome]
"""An outcome, or a function that chooses one for an error. Count and alert in it."""

INTERVAL = 10.0
"""Seconds between two records of one outage, each with the number of pages since the last."""

QUIET = 1.0
"""Seconds without a failure after which a signature ends an outage."""

RECENT = 60.0
"""Seconds for which ``trouble()`` reports a failure if nothing was signed since."""


class Metrics(Protocol):
    """Counts pages and signatures, as ``metrics=`` of a builder. What it raises is logged, and breaks no page."""

    def page(self, outcome: str, /) -> None:
        """Count a page.

        Args:
            outcome: ``signed``: all tokens. ``visitor``: nobody is signed in. ``intercom-only``, ``anonymous`` and
                ``raise``: signing failed, and the page got that.
        """
        ...

    def signature(self, token: str, result: str, seconds: float, /) -> None:
        """Count a signature.

        Args:
            token: The setting that carries the token.
            result: ``ok`` or ``failed``.
            seconds: How long the signer took.
        """
        ...


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


class Outage:
    """What is known about the failures of one signer, and the log records of them.

    An outage begins with a page that fails, and ends with a signature after a second without a failure. The log has a
    record when it begins, one in ten seconds while pages fail, and one when it ends. Each says how many pages.
    """

    __slots__ = ("_began", "_due", "_lock", "_pages", "_said", "_timer_of", "_unsaid", "failed_at")

    def __init__(self) -> None:
        self.failed_at: float | None = None  # the last time; None while there is no outage
        self._began = 0.0
        self._pages = self._unsaid = 0  # in this outage, and of these since the last record
        self._due = float("-inf")
        self._said = ""  # in the last record
        self._timer_of = 0  # the ID of the process in which a record is due without another failure
        self._lock = lock_per_process()

    def __deepcopy__(self, _memo: dict[int, object]) -> Outage:
        """Return itself: a copy of a minter, as ``dataclasses.asdict`` makes it, shares it."""
        return self

    def failed(self, error: SigningError, outcome: Outcome) -> None:
        """Note that a page has failed, and write a record or have it written soon."""
        with self._lock():
            now = time.monotonic()
            if self.failed_at is None:
                self._began, self._pages = now, 0
            self.failed_at = now
            self._pages += 1
            self._unsaid += 1
            self._said = f"Signing {error.token} with kid {error.kid!r} failed ({outcome}): {error}"
            if now < self._due:
                self._write_later(self._due - now)
                return
            message = self._record(now)
        log_error(message, error)

    def succeeded(self) -> None:
        """Note a signature, which ends an outage."""
        if self.failed_at is None:
            return
        with self._lock():
            now = time.monotonic()
            if self.failed_at is None or now - self.failed_at < QUIET:
                return
            seconds, self.failed_at = now - self._began, None
            unsaid = self._record(now) if self._unsaid == self._pages else None  # it began soon after another record
            self._unsaid = 0
        if unsaid is not None:
            log("error", unsaid)
        log("warning", f"Signing works again after {seconds:.0f} seconds, in which it failed for {self._pages} pages.")

    def recent(self) -> str | None:
        """Return the last failure, if it was lately."""
        at = self.failed_at
        return None if at is None or time.monotonic() - at > RECENT else self._said

    def _record(self, now: float) -> str:
        pages, self._unsaid, self._due = self._unsaid, 0, now + INTERVAL
        return f"{self._said} Pages since the last record: {pages}."

    def _write_later(self, seconds: float) -> None:
        if self._timer_of != os.getpid():
            timer = Timer(seconds, self._write_rest)
            timer.daemon = True
            self._timer_of = os.getpid()
            try:
                timer.start()
            except RuntimeError:  # the system has no more threads: the next failure tries again
                self._timer_of = 0

    def _write_rest(self) -> None:
        with self._lock():
            self._timer_of = 0
            if not self._unsaid:
                return
            message = self._record(time.monotonic())
        log("error", message)


def log_error(message: str, error: BaseException) -> None:
    """Write a record with the traceback of an error.

    Only our own errors are shown with their message, and no error is shown with its cause: the text of a service may
    hold a credential or the signing input. An error tracker finds no local variables: a signer's may be the same.
    """
    clear_frames(error, foreign=True)
    if isinstance(error, FinMessengerAuthError):
        shown: Exception = copy(error)
        shown.__cause__, shown.__suppress_context__ = None, True
    else:
        shown = FinMessengerAuthError(f"{type(error).__name__} was raised.")
    log("error", message, exc_info=(type(shown), shown, error.__traceback__))


def log(level: str, message: str, **more: object) -> None:
    """Write a record to the log ``fin_messenger_auth``."""
    from logging import getLogger  # noqa: PLC0415 - 4 % of a cold start, for a page that works

    getattr(getLogger("fin_messenger_auth"), level)("%s", message, **more)


_EXPECTED = ", ".join(f'"{each}"' for each in OUTCOMES[:-1]) + f' or "{OUTCOMES[-1]}"'
