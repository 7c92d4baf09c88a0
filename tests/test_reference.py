"""Everything public is in the reference: each name in the ``__all__`` of each public module."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PUBLIC = sorted(
    ".".join(path.relative_to(DOCS.parent / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (DOCS.parent / "src" / "fin_messenger_auth").rglob("*.py")
    if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
)
DIRECTIVE = re.compile(r"^\.\. auto(?:class|function|data|exception):: ([\w.]+)", re.MULTILINE)


@pytest.fixture(scope="session")
def generated() -> Any:
    """What writes the reference; it stands with the docs."""
    sys.path.append(str(DOCS))
    try:
        return import_module("generated")
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.parametrize("module", PUBLIC)
def test_all_is_sorted_and_everything_in_it_is_documented(generated: Any, module: str) -> None:
    public = import_module(module).__all__

    assert list(public) == sorted(public)
    pages = [
        generated.api_page(each, "") for each in generated.MODULES if each == module or each.startswith(f"{module}.")
    ]
    documented = {name.rpartition(".")[2] for page in pages for name in DIRECTIVE.findall(page)}
    assert set(public) - documented == set()
    values = {name: getattr(import_module(module), name) for name in public}
    assert [name for name, value in values.items() if callable(value) and not value.__doc__] == []


def test_every_module_with_public_names_has_a_page(generated: Any) -> None:
    assert sorted(generated.MODULES) == PUBLIC
