"""Replaces the builder as a whole when its keys change (``Reloading``)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from threading import Thread

from ._builder import TokenPairBuilder
from ._outages import log_error
from ._processes import lock_per_process
from .errors import ConfigurationError

_State = tuple[tuple[int, int, int] | None, ...]


class Reloading:
    """A builder that is replaced as a whole: a request never has the key of one and the ``kid`` of another.

    Read :attr:`builder` once a request. It looks at the watched files, without a thread of its own, and so after a
    ``fork`` too. If one has changed, a short-lived thread makes the new builder; requests
    get the old one until it is there. If that fails, the old builder stays in use, the log ``fin_messenger_auth`` has
    an error, and the next look tries again.

    Args:
        make: Makes the builder, such as ``TokenPairBuilder.from_env``. It is called here, at start-up, and at each
            reload. Replace all of its files together: see :doc:`/operate/rotate-and-renew`.
        watch: The files or directories to look at, such as mounted secrets. Links are followed.
        every: The least time between two looks, in seconds.

    Raises:
        ConfigurationError: ``watch`` is a single string; what ``make`` raises.
        KeyUnavailableError: What ``make`` raises.
    """

    def __init__(
        self,
        make: Callable[[], TokenPairBuilder],
        *,
        watch: Iterable[str | os.PathLike[str]] = (),
        every: float = 10.0,
    ) -> None:
        if isinstance(watch, str | bytes):
            raise ConfigurationError(f"watch: expected a list of paths, got {type(watch).__name__}.")
        self._make, self._watch, self._every = make, tuple(watch), every
        self._due, self._busy = time.monotonic() + every, 0  # the ID of the process that is making a new one
        self._lock = lock_per_process()
        self._state: _State = ()
        self._builder = self._made()

    def __call__(self, _request: object = None, /) -> TokenPairBuilder:
        """Return :attr:`builder`: an integration takes this as its ``builder=``."""
        return self.builder

    @property
    def builder(self) -> TokenPairBuilder:
        """The builder of this moment. Read it once a request."""
        if self._watch and time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            if self._busy != os.getpid() and self._look() != self._state:
                self.reload_soon()
        return self._builder

    def reload(self) -> TokenPairBuilder:
        """Make a new builder now, and return it.

        A new RSA key takes tens of milliseconds to check, a remote key some requests.

        Raises:
            FinMessengerAuthError: The new keys cannot be used. Any other error of ``make`` is raised too. The old
                builder stays in use, and the log has the error.
        """
        with self._lock():
            try:
                self._builder = self._made()
            except Exception as error:
                log_error("The new keys were rejected; the old ones stay in use.", error)
                raise
            return self._builder

    def reload_soon(self) -> None:
        """Make a new builder in a thread, as a signal handler or a request may ask for; errors are logged only."""
        self._busy = os.getpid()
        try:
            Thread(target=self._reload_quietly, name="fin-messenger-auth-reload", daemon=True).start()
        except RuntimeError:  # the system has no more threads: the next look tries again
            self._busy = 0

    def _reload_quietly(self) -> None:
        try:
            self.reload()
        except Exception:  # noqa: BLE001, S110 - it is logged
            pass
        finally:
            self._busy = 0

    def _made(self) -> TokenPairBuilder:
        """Return a new builder, made while the files did not change."""
        attempts = 3  # a delivery may arrive meanwhile, but not again and again
        while True:
            state, attempts = self._look(), attempts - 1
            try:
                builder = self._make()
            except Exception:
                if not attempts or state == self._look():
                    raise
            else:
                if not attempts or state == self._look():
                    self._state = state
                    return builder

    def _look(self) -> _State:
        return tuple(map(_state_of, self._watch))


def _state_of(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
