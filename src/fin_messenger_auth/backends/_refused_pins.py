"""Remembers which PINs a token has refused, in every process of this user: a few wrong ones lock a token.

A refused PIN is an empty file of mode 0600, in a directory of mode 0700 below the one for temporary files. Its name is
the scrypt hash of the PIN, salted with the token, and it counts for a week. Processes log in one after
the other, so that two do not try the same PIN at once.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fin_messenger_auth.errors import KeyUnavailableError

try:
    import fcntl
except ImportError:  # Windows
    fcntl: Any = None  # type: ignore[no-redef]

REMEMBERED = 7 * 24 * 3600.0
"""Seconds for which a refused PIN is not tried again."""

LONGEST_WAIT = 5.0
"""Seconds that a process waits while another one logs in."""

_in_this_process: dict[str, float] = {}  # times of refusals, for where no file can be written


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login, while no other process tries one."""

    name: str  # identifies PIN and token
    path: Path | None  # of the file that says that the PIN was refused; None where there is no private directory

    def was_refused(self) -> bool:
        """Tell whether the token has refused the PIN in the last week."""
        when = _in_this_process.get(self.name, 0.0)
        with suppress(OSError):
            when = max(when, self.path.stat().st_mtime if self.path else 0.0)
        return time.time() - when < REMEMBERED

    @property
    def undo(self) -> str:
        """How to have the PIN tried again."""
        return f"remove {self.path}" if self.path else "restart"

    def refuse(self) -> None:
        """Remember that the token refuses the PIN."""
        _in_this_process[self.name] = time.time()
        if self.path:
            with suppress(OSError):
                self.path.touch(0o600)


@contextmanager
def one_login(pin: bytes, token: str) -> Iterator[Attempt]:
    """Wait until no other process of this user logs in, and hand out what is known of the PIN."""
    directory = _private_directory()
    name = Scrypt(salt=sha256(token.encode()).digest(), length=32, n=2**14, r=8, p=1).derive(pin).hex()
    if directory is None:
        yield Attempt(name, None)
        return
    with open(directory / "lock", "ab", opener=_private) as lock:
        _wait_for(lock.fileno())
        try:
            yield Attempt(name, directory / name)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked in the meantime has the file open, too


def _private_directory() -> Path | None:
    """Return the directory, if it can be made, locked and written to, and is nobody else's."""
    if fcntl is None:
        return None
    path = Path(gettempdir(), f"fin-messenger-auth-{os.getuid()}")
    with suppress(OSError):
        path.mkdir(0o700, exist_ok=True)
        status = path.lstat()
        private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
        return path if private and os.access(path, os.W_OK) else None
    return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait_for(lock: int) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise KeyUnavailableError("Another process has been logging in to an HSM for too long.") from None
            time.sleep(0.02)
