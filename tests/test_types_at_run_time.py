"""Annotations resolve at run time, as pydantic, FastAPI and dependency injection need them."""

from __future__ import annotations

import inspect
import typing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fin_messenger_auth import Company, MessengerUser, TokenPair
from tests.test_reference import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts_of(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A public object and, for a class, its constructor and its public methods and properties."""
    yield name, value
    for member, each in vars(value).items() if isinstance(value, type) else ():
        plain = each.fget if isinstance(each, property) else inspect.unwrap(getattr(each, "__func__", each))
        if inspect.isfunction(plain) and (member == "__init__" or not member.startswith("_")):
            yield f"{name}.{member}", plain


def public_parts() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for module in PUBLIC:
        public = import_module(module)
        for name in public.__all__:
            value = getattr(public, name)
            if callable(value):
                kind = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
                parts.update(parts_of(inspect.unwrap(kind), f"{module.removeprefix('fin_messenger_auth.')}.{name}"))
    return parts


PARTS = public_parts()


def test_there_are_public_parts_of_every_module() -> None:
    modules = {module.removeprefix("fin_messenger_auth.") for module in PUBLIC}

    assert {name for name in modules if not any(part.startswith(f"{name}.") for part in PARTS)} == set()
    assert {"fin_messenger_auth.MessengerUser.__init__", "fin_messenger_auth.TokenPairBuilder.from_env"} <= PARTS.keys()


@pytest.mark.parametrize("name", PARTS)
def test_type_hints_resolve(name: str) -> None:
    hints = typing.get_type_hints(PARTS[name], include_extras=True)

    assert not any(isinstance(each, str) for each in hints.values())


@pytest.mark.parametrize("kind", [MessengerUser, Company, TokenPair])
def test_pydantic_builds_a_schema(kind: type) -> None:
    assert TypeAdapter(kind).core_schema


def test_pydantic_passes_a_user_on_unchanged() -> None:
    adapter = TypeAdapter(MessengerUser)
    user = MessengerUser("42", name="Ada", company=Company("7"), attributes={"plan": "pro"})

    assert adapter.validate_python(user) is user
    with pytest.raises(ValidationError):
        adapter.validate_python("42")
