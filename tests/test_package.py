"""What is installed, and what importing it costs."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from collections import Counter
from dataclasses import is_dataclass
from graphlib import TopologicalSorter
from importlib.metadata import metadata, requires
from importlib.resources import files
from pathlib import Path

import pytest

import fin_messenger_auth
from fin_messenger_auth import errors
from fin_messenger_auth.errors import FinMessengerAuthError, InvalidClaimError

SOURCE = Path(str(files(fin_messenger_auth)))
CHECKS = ("configured_string", "_string", "_unix_seconds")  # their second argument is what an error calls the first


def test_the_public_names_are_sorted_and_there() -> None:
    assert fin_messenger_auth.__all__ == sorted(fin_messenger_auth.__all__)
    for name in fin_messenger_auth.__all__:
        assert getattr(fin_messenger_auth, name).__module__.startswith("fin_messenger_auth.")


def test_two_runtime_dependencies_and_nothing_else() -> None:
    needed = {line.partition(">")[0] for line in requires("fin-messenger-auth") or [] if "extra ==" not in line}

    assert needed == {"cryptography", "joserfc"}
    assert (SOURCE / "py.typed").is_file()
    assert metadata("fin-messenger-auth")["License-Expression"] == "MIT"


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, fin_messenger_auth; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "fin_messenger_auth._builder" in loaded
    heavy = {
        *(
            "argparse",
            "asyncio",
            "http",
            "importlib.metadata",
            "joserfc",
            "pytest",
            "socket",
            "ssl",
            "tomllib",
            "urllib.request",
        ),
    }
    assert heavy.isdisjoint(loaded)


def test_every_error_has_one_root() -> None:
    public = [each for name, each in vars(errors).items() if not name.startswith("_")]
    kinds = [each for each in public if isinstance(each, type) and issubclass(each, Exception)]

    assert {each.__name__ for each in kinds if not issubclass(each, FinMessengerAuthError)} == {
        "FinMessengerAuthWarning"
    }
    for kind in kinds:
        assert kind.__name__ in (errors.__doc__ or "")


def test_errors_survive_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(InvalidClaimError("exp", "is wrong.")))

    assert (error.claim, str(error)) == ("exp", "exp: is wrong.")


# The floors of the house, from the ground up: a file imports only from floors below its own, or from its own folder.
FLOORS = [
    *(
        "errors",
        "_json_values",
        "_material",
        "_keys",
        "_signers",
        "_processes",
        "_outages",
        "_late_signer",
        "_deadline",
        "_jws",
        "_verification",
        "_uploaded",
        "_users",
        "_tokens",
        "_settings",
    ),
    *("_environment", "_builder", "_reloading"),
    *("page", "backends", "onboarding", "diagnosis", "testing", "contrib", "sandbox", "commands", "cli"),
]
ROOMS = [path for path in sorted(SOURCE.rglob("*.py")) if path.name != "__main__.py" and path != SOURCE / "__init__.py"]


def floor_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[Path]:
    """The files of the library that a file imports from, wherever in it the import stands."""
    package = ["fin_messenger_auth", *path.relative_to(SOURCE).parent.parts]
    imported: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        start = package[: len(package) - node.level + 1] if node.level else []
        module = [*start, *(node.module.split(".") if node.module else [])]
        if module[0] == "fin_messenger_auth":
            for name in node.names:
                places = (SOURCE.joinpath(*module[1:], name.name), SOURCE.joinpath(*module[1:]))
                found = [file for each in places for file in (each.with_suffix(".py"), each / "__init__.py")]
                imported.add(next(file for file in found if file.is_file()))
    return imported


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_import_points_down(path: Path) -> None:
    floor = floor_of(path)

    assert {floor_of(each) for each in imports_of(path)} - {floor} <= set(FLOORS[: FLOORS.index(floor)])


def test_no_imports_go_round_in_a_circle() -> None:
    TopologicalSorter({path: imports_of(path) for path in ROOMS}).prepare()  # or it raises CycleError


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_an_error_calls_an_argument_by_its_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=check), args=[ast.Name(id=given), ast.Constant(value=str(name)), *_]):
                assert check not in CHECKS or not name.isidentifier() or name == given


def test_there_is_one_logger() -> None:
    names = [re.findall(r"getLogger\((.*?)\)", path.read_text("utf-8")) for path in SOURCE.rglob("*.py")]
    assert {name for each in names for name in each} == {'"fin_messenger_auth"'}


def test_values_are_frozen_and_slotted() -> None:
    others = set()
    for path in SOURCE.rglob("*.py"):
        classes = [each for each in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(each, ast.ClassDef)]
        for node in classes:
            for decorator in node.decorator_list:
                said = ast.unparse(decorator)
                if said.startswith("dataclass") and not ("frozen=True" in said and "slots=True" in said):
                    others.add(f"{path.stem}.{node.name}")
    assert others == {
        *(
            "_deadline._Call",
            "_jws.Unsigned",
            "_page_reader.Page",
            "_remote.RemoteKey",
            "_visit.Framework",
            "_visit.Site",
            "_visit.Visit",
        ),
        *("fastapi.FinMessenger", "flask.FinMessenger", "pkcs11._Session", "vault._Login"),
    }


def test_no_module_has_the_name_of_another() -> None:
    names = Counter(path.stem.strip("_") for path in ROOMS if path.name != "__init__.py")

    assert [name for name, number in names.items() if number > 1] == []


def test_no_file_holds_the_marks_of_a_merge_conflict() -> None:
    if not (Path(__file__).parents[1] / ".git").exists():
        pytest.skip("git knows which files are the project's, and this is no clone")
    marks = ["-e", "^<<<<<<< ", "-e", "^>>>>>>> ", "-e", "^=======$"]
    found = subprocess.run(
        ["git", "grep", "-lI", *marks], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout) == (1, ""), found.stderr


PUBLIC_VALUES = [name for name in fin_messenger_auth.__all__ if is_dataclass(getattr(fin_messenger_auth, name))]


@pytest.mark.parametrize("name", PUBLIC_VALUES)
def test_public_values_take_no_further_attributes(name: str) -> None:
    assert "__slots__" in vars(getattr(fin_messenger_auth, name))


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_in_a_sentence_what_it_does(path: Path) -> None:
    first_line = path.read_text("utf-8").partition("\n")[0].removesuffix('"""')

    assert re.match(r'"""[A-Z][a-z]+s [^.]', first_line), "It begins with a verb: Reads, Makes, Checks."
    assert first_line.endswith(".")
