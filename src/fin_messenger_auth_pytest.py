"""Adds fixtures for tests of applications to pytest, from outside the package: pytest loads nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fin_messenger_auth import TokenPairBuilder
    from fin_messenger_auth.testing import FrozenClock

__all__ = ["messenger_builder", "messenger_clock", "messenger_environment"]


@pytest.fixture
def messenger_clock() -> FrozenClock:
    """A clock that stands still until the test calls ``advance``."""
    from fin_messenger_auth.testing import FrozenClock  # noqa: PLC0415 - loads the library, as below

    return FrozenClock()


@pytest.fixture
def messenger_builder(messenger_clock: FrozenClock) -> TokenPairBuilder:
    """A builder on throwaway keys and ``messenger_clock``."""
    from fin_messenger_auth.testing import throwaway_builder  # noqa: PLC0415

    return throwaway_builder(clock=messenger_clock)


@pytest.fixture
def messenger_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Environment variables with throwaway keys in place of the machine's own, for ``default_builder``."""
    from fin_messenger_auth import default_builder  # noqa: PLC0415
    from fin_messenger_auth._environment import ALL_VARIABLES  # noqa: PLC0415
    from fin_messenger_auth.testing import throwaway_environ  # noqa: PLC0415

    environ = throwaway_environ()
    for name in ALL_VARIABLES:
        monkeypatch.setenv(name, environ.get(name, ""))  # empty counts as missing
    default_builder.cache_clear()
    yield environ
    default_builder.cache_clear()
