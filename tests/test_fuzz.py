"""The targets of ``nox -s fuzz`` hold for their seeds, and find what is planted."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fin_messenger_auth.diagnosis import Finding
from fin_messenger_auth.page import render_snippet
from tests import fuzz

FORGED = b"\1" + fuzz.good()["intercom_user_jwt"].encode()[:-3] + b"AAA"


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_every_target_holds_for_its_seeds_and_for_noise(name: str) -> None:
    noise = random.Random(name)
    for seed in fuzz.TARGETS[name].seeds():
        for _ in range(5):
            fuzz.one_input(name, seed)
            seed = bytes(noise.choice((byte, byte, byte, noise.randrange(256))) for byte in seed)  # noqa: PLW2901


def accept(*_: Any, **__: Any) -> list[Finding]:
    return []


def test_a_forged_token_that_is_accepted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz.one_input("tokens", FORGED)
    monkeypatch.setattr(fuzz, "check_intercom_token", accept)

    with pytest.raises(AssertionError):
        fuzz.one_input("tokens", FORGED)


def test_a_script_that_ends_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = fuzz.TARGETS["settings"].seeds()[0]
    assert b"</script>" in data
    fuzz.one_input("settings", data)
    monkeypatch.setattr(fuzz, "render_snippet", lambda made: render_snippet(made).replace("\\u003c", "<"))

    with pytest.raises(AssertionError):
        fuzz.one_input("settings", data)


def test_an_error_of_somebody_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "read_jwk", lambda _document: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        fuzz.one_input("key documents", b"{}")


def test_what_was_found_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "read_json", lambda _document: {})

    with pytest.raises(AssertionError):
        fuzz.main(["--target", "JSON", "--input", "W10="])
