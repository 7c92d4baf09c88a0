"""Everything public is in the reference: names, commands, options, variables, findings, errors and their codes."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fin_messenger_auth import Reloading, _deadline, _late_signer, _outages, errors
from fin_messenger_auth._environment import ALL_VARIABLES
from fin_messenger_auth.backends import _remote
from fin_messenger_auth.diagnosis import CATALOGUE
from fin_messenger_auth.errors import collect_warnings
from tests.test_catalogue_of_findings import CORE

DOCS = Path(__file__).parents[1] / "docs"
SOURCE = DOCS.parent / "src"
PUBLIC = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "fin_messenger_auth").rglob("*.py")
    if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
)
PLUGIN = "fin_messenger_auth_pytest"
REFERENCE = DOCS / "reference"
VARIABLE = re.compile(r"\b(?:(?:INTERCOM|SALESFORCE)_[A-Z0-9_]*[A-Z0-9]|MESSENGER_ON_\w+|FIN_MESSENGER_WIDGET_BASE)\b")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module that writes the reference, which stands with the docs; it writes into a copy in ``.DOCS``."""
    sys.path.append(str(DOCS))
    try:
        module: Any = import_module("generated")
    finally:
        sys.path.remove(str(DOCS))
    module.DOCS = Path(
        shutil.copytree(DOCS, tmp_path_factory.mktemp("docs") / "docs", ignore=shutil.ignore_patterns("_build"))
    )
    module.write_pages()
    return module


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="argparse wraps usage lines otherwise since Python 3.14")
def test_what_is_generated_is_committed_and_current(generated: Any) -> None:
    """The session ``docs`` writes it: commit what it changes."""
    written = {
        path.relative_to(generated.DOCS): path.read_bytes() for path in generated.DOCS.rglob("*") if path.is_file()
    }
    committed = {path: (DOCS / path).read_bytes() for path in written if (DOCS / path).is_file()}

    assert [str(path) for path in written if written[path] != committed.get(path)] == []
    assert {path.name for path in (DOCS / "reference" / "api").iterdir()} == {
        path.name for path in written if path.parent.name == "api"
    }


def section(page: str, name: str) -> str:
    """Return what is generated into a page."""
    text = (REFERENCE / page).read_text("utf-8")
    return text.partition(f"<!-- generated: {name} -->")[2].partition("<!-- end -->")[0]


@pytest.mark.parametrize("module", [*PUBLIC, PLUGIN])
def test_all_is_sorted_and_everything_in_it_is_documented(module: str) -> None:
    public = import_module(module).__all__
    page = (REFERENCE / "api" / f"{module}.md").read_text("utf-8")

    assert list(public) == sorted(public)
    values = {name: getattr(import_module(module), name) for name in public}
    homes = dict(re.findall(r"\[`(\w+)`\]\(([\w.]*)#\w+\)", page))
    assert [name for name in public if name not in homes] == []
    for name, home in homes.items():
        if name in values and home:  # it stands on another page, where it must be the same object
            assert getattr(import_module(home.removesuffix(".md")), name) is values[name]
    assert [name for name, value in values.items() if callable(value) and not value.__doc__] == []


def test_the_reference_says_what_a_function_takes_and_returns() -> None:
    page = (REFERENCE / "api" / "fin_messenger_auth.md").read_text("utf-8")

    assert "user_id: str | int | UUID,\n" in page
    assert re.search(r"^def build_settings\($.*?^\) -> dict\[str, Any\]$", page, re.MULTILINE | re.DOTALL)
    assert "| `horizontal_padding` | `int` | pixels |" in page
    assert "| `TokenPair \\| None` | The tokens; `None` for an anonymous visitor. |" in page


def test_every_module_with_public_names_is_in_the_list() -> None:
    assert sorted(re.findall(r"\(api/([\w.]+)\.md\)", section("api.md", "api"))) == [*PUBLIC, PLUGIN]


def test_every_command_with_every_option_is_documented(generated: Any) -> None:
    _, *sections = re.split(r"^## ", section("variables-and-commands.md", "commands"), flags=re.MULTILINE)
    by_command = {section.partition("\n")[0]: section for section in sections}

    assert sorted(by_command) == sorted(generated.commands())
    for name, parser in generated.commands().items():
        actions = [each for each in parser._actions if each.dest != "help"]
        for action in actions:
            for option in action.option_strings or [action.metavar]:
                assert re.search(rf"^\|.*`{re.escape(option)}[` ].*\| .+ \|$", by_command[name], re.MULTILINE), option
            assert action.help not in {None, "", argparse.SUPPRESS}


def test_every_variable_that_the_source_names_is_documented() -> None:
    literals = {
        node.value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value)
    }
    documented = set(re.findall(r"`([A-Z0-9_]+)`", section("variables-and-commands.md", "variables")))

    assert literals - documented == set()
    assert set(ALL_VARIABLES) == documented


@pytest.mark.parametrize("page", [*DOCS.glob("*/*.md"), DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_no_page_imports_what_is_private(page: Path) -> None:
    imports = re.findall(
        r"^\s*(?:from|import) (fin_messenger_auth\S*)(?: import (.+))?", page.read_text("utf-8"), re.MULTILINE
    )

    assert [each for each in imports if re.search(r"\b_", " ".join(each))] == []


def test_the_seconds_in_the_docs_are_the_constants() -> None:
    page = (DOCS / "operate" / "production.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|", page.partition("## Time-outs")[2], re.MULTILINE))
    pauses = f"{_deadline.FIRST_PAUSE:g}, doubled up to {_deadline.LONGEST_PAUSE:g};"
    expected = {
        "one signature in all": inspect.signature(_deadline.with_deadline).parameters["timeout"].default,
        "connecting to AWS": _remote.TIMEOUT,
        "between two attempts to use a key": _late_signer.PAUSE,
        "the probe after a pause": _deadline.PROBE,
        "after a change of key files": inspect.signature(Reloading).parameters["every"].default,
        "between two records in the log": _outages.INTERVAL,
        "without a failure": _outages.QUIET,
    }

    for beginning, seconds in expected.items():
        [said] = [said for what, said in rows.items() if what.startswith(beginning)]
        assert re.match(rf"{seconds:g}\b(?!\.)", said), beginning
    assert any(said.startswith(pauses) for said in rows.values())
    assert _deadline.FAILURES == 5
    assert any(what.startswith("the pause after five failed") for what in rows)


def test_every_finding_is_documented() -> None:
    assert sorted(re.findall(r"^### (.+)$", section("findings-and-errors.md", "findings"), re.MULTILINE)) == sorted(
        CATALOGUE
    )


def test_every_error_is_documented() -> None:
    assert (
        sorted(re.findall(r"^### (\w+)$", section("findings-and-errors.md", "errors"), re.MULTILINE)) == errors.__all__
    )
    drawn = set(re.findall(r"^[│├└─ ]*(\w+(?:Error|Warning))\b", str(errors.__doc__), re.MULTILINE))
    assert drawn == set(errors.__all__)


@pytest.mark.parametrize("code", CORE)
def test_the_codes_of_each_class_are_those_that_it_carries(code: str) -> None:
    problems: list[Exception] = []
    with collect_warnings() as warned:
        try:
            CORE[code]()
        except errors.FinMessengerAuthError as error:
            problems.append(error)
    problem = next(iter((*problems, *warned)))

    _, _, of_class = section("findings-and-errors.md", "errors").partition(f"### {type(problem).__name__}\n")
    assert f"[`{code}`]" in of_class.partition("### ")[0]
