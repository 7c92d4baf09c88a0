"""Makes for every process what does not survive a fork: threads, locks and connections."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **_: None)
"""``os.register_at_fork``, which Windows lacks: nothing forks there."""


class PerProcess(Generic[T]):
    """A value that a forked child makes again, when it first asks for it.

    Args:
        make: Makes the value. Threads that ask in the meantime wait. What it raises, the caller gets.
    """

    __slots__ = ("_locks", "_made", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}  # by the process ID
        self._locks: dict[int, Lock] = {}  # the same: a thread that only the parent has may hold the parent's

    def __call__(self) -> T:
        """Return the value of this process."""
        process = os.getpid()
        if process not in self._made:
            with self._locks.setdefault(process, Lock()):
                if process not in self._made:
                    self._made = {process: self._make()}
        return self._made[process]
