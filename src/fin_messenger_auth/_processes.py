"""Recreates in each process what a fork breaks: threads, locks and connections."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **_: None)
"""``os.register_at_fork``, which Windows lacks: nothing forks there."""


_ABSENT: Any = object()


class PerProcess(Generic[T]):
    """A value that a forked child makes again, when it first asks for it: a client, its connections, its locks.

    Args:
        make: Makes the value. Threads that ask in the meantime wait. What it raises, the caller gets.
    """

    __slots__ = ("_locks", "_made", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}  # by the process ID
        # By process as well: a thread that exists in the parent only may hold its lock.
        self._locks: dict[int, threading.Lock] = {}

    def __call__(self) -> T:
        """Return the value of this process."""
        made: Any = self._made.get(os.getpid(), _ABSENT)
        return self.renew(made) if made is _ABSENT else made

    def renew(self, old: T) -> T:
        """Make the value of this process again, unless another thread has replaced ``old`` in the meantime."""
        process = os.getpid()
        with self._locks.setdefault(process, threading.Lock()):
            if self._made.get(process, _ABSENT) is old:
                self._made = {process: self._make()}
        return self._made[process]


def lock_per_process() -> PerProcess[threading.Lock]:
    """Return what makes a lock for each process: one that is held in a fork stays with the parent.

    The class is looked up at the first call, since gevent may have replaced it by then.
    """
    return PerProcess(lambda: threading.Lock())  # noqa: PLW0108 - see above
