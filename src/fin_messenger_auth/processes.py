"""What every process makes for itself: threads, locks and connections do not survive a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

T = TypeVar("T")

_making = RLock()


class PerProcess(Generic[T]):
    """A value that a forked child makes again, when it first asks for it.

    Args:
        make: Makes the value, under a lock that no other process holds. What it raises, the caller gets.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[int, T] | None = None  # the process ID and its value, set at once

    def __call__(self) -> T:
        """Return the value of this process."""
        made = self._made
        if made is None or made[0] != os.getpid():
            with _making:
                made = self._made
                if made is None or made[0] != os.getpid():
                    self._made = made = os.getpid(), self._make()
        return made[1]


def _start_over() -> None:
    global _making  # noqa: PLW0603 - a thread of the parent may have held it when the process forked
    _making = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_start_over)
