"""Types resolve at run time, for dependency injection, pydantic and whatever else reads them."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import typing
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fin_messenger_auth import Company, MessengerUser, TokenPair
from fin_messenger_auth.testing import throwaway_builder
from tests.test_reference import PUBLIC


def members(owner: object, name: str) -> Iterator[tuple[str, Any]]:
    """A public object, and every method and property of a class, its constructor included, that this library wrote."""
    yield name, owner
    if not inspect.isclass(owner):
        return
    for attribute, raw in vars(owner).items():
        if attribute.startswith("_") and attribute not in ("__init__", "__call__", "__enter__", "__exit__"):
            continue
        value = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
        if inspect.isfunction(value) and value.__module__.startswith("fin_messenger_auth."):  # typing's in protocols
            yield f"{name}.{attribute}", value


def public() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in PUBLIC:
        loaded = import_module(module)
        for name in loaded.__all__:
            value = getattr(loaded, name)
            if inspect.isclass(value) or inspect.isfunction(inspect.unwrap(value)):
                found |= members(value, f"{module.removeprefix('fin_messenger_auth.')}.{name}")
    return found


NAMES = public()


@pytest.mark.parametrize("name", NAMES)
def test_the_types_of_everything_public_resolve(name: str) -> None:
    value = inspect.unwrap(NAMES[name])
    hints = typing.get_type_hints(value, include_extras=True)

    if inspect.isfunction(value):
        assert set(inspect.signature(value).parameters) - {"self", "cls"} <= set(hints)
        assert "return" in hints


def test_the_walk_finds_classes_constructors_methods_and_functions() -> None:
    assert len(NAMES) >= 120
    for name in (
        "fin_messenger_auth.MessengerUser",
        "fin_messenger_auth.MessengerUser.__init__",
        "fin_messenger_auth.TokenPairBuilder.from_env",
        "fin_messenger_auth.TokenPairBuilder.abuild_settings",
        "fin_messenger_auth.RSASigner.sign",
        "fin_messenger_auth.default_builder",
        "fin_messenger_auth.Signer.alg",
        "errors.InvalidClaimError.__init__",
        "page.render_snippet",
        "diagnosis.Finding",
        "backends.remote.RemoteKey.__init__",
        "testing.verify",
    ):
        assert name in NAMES


def test_pydantic_takes_a_user_as_it_is() -> None:
    adapter = TypeAdapter(MessengerUser)
    user = MessengerUser("42", name="Ada", company=Company("7"), attributes={"seats": 3})

    assert adapter.validate_python(user) is user
    with pytest.raises(ValidationError):
        adapter.validate_python(object())
    assert TypeAdapter(Company).validate_python(user.company) is user.company


def test_a_dataclass_of_public_types_resolves_in_another_module() -> None:
    @dataclasses.dataclass
    class Page:
        user: MessengerUser | None
        pair: TokenPair | None

    hints = typing.get_type_hints(Page, localns={})
    pair = throwaway_builder().build("42")

    assert hints == {"user": MessengerUser | None, "pair": TokenPair | None}
    assert TypeAdapter(TokenPair).validate_python(pair) is pair
    assert pickle.loads(pickle.dumps(MessengerUser("42"))) == MessengerUser("42")
