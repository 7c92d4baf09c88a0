"""Everything public is in the reference: each name in the ``__all__`` of each public module."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

PUBLIC = [
    "fin_messenger_auth",
    "fin_messenger_auth.backends.aws_kms",
    "fin_messenger_auth.backends.pkcs11",
    "fin_messenger_auth.backends.remote",
    "fin_messenger_auth.contrib.django",
    "fin_messenger_auth.contrib.django.middleware",
    "fin_messenger_auth.contrib.fastapi",
    "fin_messenger_auth.contrib.flask",
    "fin_messenger_auth.diagnosis",
    "fin_messenger_auth.errors",
    "fin_messenger_auth.onboarding",
    "fin_messenger_auth.page",
    "fin_messenger_auth.sandbox",
    "fin_messenger_auth.testing",
]
DOCS = Path(__file__).parents[1] / "docs"
DIRECTIVE = re.compile(r"^\.\. (?:auto(?:class|function|data|exception)|py:\w+):: ([\w.]+)", re.MULTILINE)
WHOLE_MODULE = re.compile(r"^\.\. automodule:: ([\w.]+)\n   :members:", re.MULTILINE)


def documented() -> set[str]:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    whole = [f"{module}.{name}" for module in WHOLE_MODULE.findall(pages) for name in import_module(module).__all__]
    return {name.rpartition(".")[2] for name in [*DIRECTIVE.findall(pages), *whole]}


@pytest.mark.parametrize("module", PUBLIC)
def test_all_is_sorted_and_everything_in_it_is_documented(module: str) -> None:
    public = import_module(module).__all__

    assert list(public) == sorted(public)
    assert set(public) - documented() == set()
    values = {name: getattr(import_module(module), name) for name in public}
    assert [name for name, value in values.items() if callable(value) and not value.__doc__] == []


def test_the_table_of_public_modules_is_complete() -> None:
    source = DOCS.parent / "src"
    with_all = {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        for path in source.rglob("*.py")
        if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert with_all - {"fin_messenger_auth_pytest"} == set(PUBLIC)  # pytest --fixtures documents those
