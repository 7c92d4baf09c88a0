"""What the tests share."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

Program = Callable[[str], str]

# What a developer has set for an application of theirs is not for the tests, nor for the processes that they start.
for _name in [each for each in os.environ if each.startswith(("INTERCOM_", "SALESFORCE_", "MESSENGER_"))]:
    del os.environ[_name]


def pytest_configure() -> None:
    """Forget the configuration that whoever runs the tests has in the environment: each test makes its own."""
    for name in list(os.environ):
        if name.startswith(("INTERCOM_", "SALESFORCE_", "MESSENGER_", "FIN_MESSENGER_WIDGET_")):
            del os.environ[name]


@pytest.fixture(scope="session")
def program() -> Program:
    """Find a program that pip cannot install.

    On a bare machine a test that needs it is skipped. Where ``FIN_MESSENGER_AUTH_PARTS`` lists it,
    as in CI, which has installed it, the test fails instead.
    """

    def find(name: str) -> str:
        return shutil.which(name) or absent(name)

    return find


def absent(name: str) -> NoReturn:
    """Skip the test, or fail it where the part must be there."""
    if name in os.environ.get("FIN_MESSENGER_AUTH_PARTS", "").split():
        pytest.fail(f"{name} is listed in FIN_MESSENGER_AUTH_PARTS and is not there")
    pytest.skip(f"{name} is not installed on this machine")


@pytest.fixture(autouse=True)
def no_builder_of_the_process() -> Iterator[None]:
    """Leave no builder to the next test."""
    yield
    if (package := sys.modules.get("fin_messenger_auth")) is not None:
        package.default_builder.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def each_key_parsed_once() -> None:
    """Keep private keys once parsed: OpenSSL takes 40 ms for one, nothing can change it, and tests read few often."""
    from fin_messenger_auth import _keys

    for name in ("load_der_private_key", "load_pem_private_key"):
        setattr(_keys, name, cache(getattr(_keys, name)))


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read pages, which can do no harm, without a process for each; test_page_reader.py tries that one."""
    from fin_messenger_auth.diagnosis import _page_engine, _page_reader

    monkeypatch.setattr(_page_reader, "_run", lambda document: _page_engine.read(document, _page_reader.CPU_SECONDS))


pytest_plugins = ["pytester", "fin_messenger_auth_pytest"]  # a source tree has no entry points


@pytest.fixture(scope="session")
def hostile_values() -> list[str]:
    """Texts that try to break out of a ``<script>``, alone and in company."""
    path = Path(__file__).with_name("data") / "hostile_values.json"
    seeds: list[str] = json.loads(path.read_text("ascii"))
    return [
        *seeds,
        *(f"Ada {seed} Lovelace" for seed in seeds),
        *(f'{seed}</script><script>document.title="out"</script>{seed}' for seed in seeds),
        *(f"{first}{second}" for first, second in zip(seeds, reversed(seeds), strict=True)),
        "<" * 1_000_000,
        "</script>" * 120_000,
    ]
