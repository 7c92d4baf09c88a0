"""What every process makes for itself: threads, locks and connections do not survive a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **_: None)
"""``os.register_at_fork``, which Windows lacks: nothing forks there."""

_everything: WeakSet[PerProcess[Any]] = WeakSet()


class PerProcess(Generic[T]):
    """A value that a forked child makes again, when it first asks for it.

    Args:
        make: Makes the value. Threads that ask in the meantime wait. What it raises, the caller gets.
    """

    __slots__ = ("__weakref__", "_lock", "_made", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[int, T] | None = None  # the process ID and its value, set at once
        self._lock = Lock()
        _everything.add(self)

    def __call__(self) -> T:
        """Return the value of this process."""
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    self._made = made = os.getpid(), self._make()
        return made[1]


def _renew_locks() -> None:
    for each in _everything:
        each._lock = Lock()  # noqa: SLF001 - a thread that only the parent has may hold it


at_fork(after_in_child=_renew_locks)
