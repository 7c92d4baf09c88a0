"""pytest fixtures, imported into a ``conftest.py`` by one line.

.. code-block:: python

    from fin_messenger_auth.testing.fixtures import *
"""

from __future__ import annotations

import pytest

from fin_messenger_auth.pair import TokenPairBuilder

from .throwaway import FrozenClock, throwaway_builder

__all__ = ["messenger_builder", "messenger_clock"]


@pytest.fixture
def messenger_clock() -> FrozenClock:
    """A clock that stands still until the test calls ``advance``."""
    return FrozenClock()


@pytest.fixture
def messenger_builder(messenger_clock: FrozenClock) -> TokenPairBuilder:
    """A builder on throwaway keys and ``messenger_clock``."""
    return throwaway_builder(clock=messenger_clock)
