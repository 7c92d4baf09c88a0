"""``tests.tools.million`` finds a token that is wrong, and finds none here."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fin_messenger_auth import TokenPair
from fin_messenger_auth.testing import throwaway_environ
from tests.tools import million

ENVIRON = throwaway_environ()
PAIRS = 1_600


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_every_pair_is_its_own_users(capsys: pytest.CaptureFixture[str]) -> None:
    status = million.main(["--pairs", str(PAIRS)])

    printed = capsys.readouterr().out
    assert printed.endswith(f"\n{PAIRS} pairs, 0 wrong\n"), printed
    assert printed.count(f": {PAIRS // 4} pairs, 0 wrong") == 4
    assert status == 0


class OneForAll:
    """A builder that gives the tokens of the user before."""

    def __init__(self, builder: Any) -> None:
        self.builder, self.last = builder, builder.build(million.user("nobody"))

    def build(self, user: Any) -> TokenPair:
        made, self.last = self.last, self.builder.build(user)
        return made  # type: ignore[no-any-return]

    async def abuild(self, user: Any) -> TokenPair:
        return self.build(user)


def test_a_token_of_somebody_else_is_wrong() -> None:
    shared = million.Shared(ENVIRON)
    shared.builder = OneForAll(shared.builder)  # type: ignore[assignment]

    assert million.wrong_in_threads(shared, "a", 40) > 0
    assert million.wrong_in_tasks(shared, "b", 40) > 0
    assert million.wrong_in_processes("fork", ENVIRON, shared, "c", 40) > 0


def test_a_signature_of_another_key_is_wrong() -> None:
    shared, other = (
        million.Shared(ENVIRON),
        million.Shared(throwaway_environ() | {"INTERCOM_MESSENGER_SECRET": "x" * 64}),
    )
    pair, strange = (each.builder.build(million.user("a")) for each in (shared, other))
    assert pair
    assert strange

    assert shared.is_right("a", pair)
    assert not shared.is_right("a", strange)
    assert not shared.is_right("b", pair)
    assert not shared.is_right("a", None)
    swapped = dataclasses.replace(pair, salesforce_identity_token=pair.intercom_user_jwt)
    assert not shared.is_right("a", swapped)
