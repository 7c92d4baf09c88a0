"""Makes small changes to the source, one at a time, and says which of them no test notices: ``nox -s mutants``.

The changes are those of cosmic-ray's operators, and a change of each string that is a name and no sentence: a cookie's
attribute, a header, a member, a directive. Of a random sample, the tests of the changed room must notice at least 97 %
in the core and 92 % elsewhere. A run that judges fewer than it has drawn fails, too.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import itertools
import math
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import parso
import pytest
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
PACKAGE = Path("src", "fin_messenger_auth")
BARS = {"core": 0.97, "elsewhere": 0.92}
LONGEST = 240  # seconds of processor time, or six times as many to wait: a mutant that takes longer has been noticed

# The tests that are about a module of the core, or about a room: names of files in tests/, or patterns.
FIRST = {
    "errors": "environment users leaks",
    "_json_values": "users frozen settings minters one_rule_of_ids",
    "_material": "material keys environment",
    "_uploaded": "environment start signers_by_name",
    "_late_signer": "start outages",
    "_keys": "keys leaks environment signers advisories",
    "_signers": "signers minters signers_by_name",
    "_jws": "jws diagnosis_of_tokens",
    "_verification": "verification onboarding diagnosis_of_keys",
    "_users": "users frozen",
    "_tokens": "minters",
    "_settings": "settings",
    "_environment": "environment signers_by_name",
    "_builder": "pair settings async outages",
    "_deadline": "deadline async",
    "_processes": "deadline pair environment",
    "_outages": "outages",
    "_reloading": "reloading rotation",
    "page": "page_* hostile contrib_*",
    "contrib": "contrib_* page_endpoint",
    "backends": "remote_* signers_by_name backends/*",
    "onboarding": "onboarding commands_for_keys",
    "diagnosis": "diagnosis_of_* catalogue_of_findings doctor* one_rule",
    "testing": "testing check_signer",
    "sandbox": "sandbox",
    "commands": "cli commands_for_keys doctor sandbox",
    "cli": "cli commands_for_keys",
}
# Those of the core go on to these.
THEN = (
    "users frozen settings minters jws signers keys pair environment async outages package properties leaks one_rule*"
)
SHARED = "pytest hypothesis django.db.models flask fastapi.testclient joserfc.jwt jwt werkzeug.local"
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]

# Changes that make no difference: None is a singleton, and so are short strings and small integers.
EQUIVALENT = {f"ReplaceComparisonOperator_{each}" for each in ("Is_Eq", "IsNot_NotEq", "Eq_Is", "NotEq_IsNot")}
# The same, found by looking at survivors: the operator, the line, and why.
REVIEWED = {
    ("ReplaceFalseWithTrue", "@dataclass(frozen=True, slots=True, init=False)"): "the class's own __init__ stays",
    (
        "ReplaceComparisonOperator_Lt_NotEq",
        "if sum(signs_async(minter.signer) for minter in self._minters) < 2:",
    ): "there are two minters at most",
}
_NAME = re.compile(r"[A-Za-z*+/][\w:;=*+./-]+")  # what a program reads; a person's sentence has spaces


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module: the changed source, and what made it."""

    module: str
    operator: str
    line: int
    occurrence: int | tuple[int, int]

    def source(self) -> str:
        """Return the module with the change."""
        if isinstance(self.occurrence, tuple):
            start, end = self.occurrence
            source = source_of(self.module)
            return f"{source[:start]}{ast.literal_eval(source[start:end]) + 'x'!r}{source[end:]}"
        changed: str = mutate_code(source_of(self.module), get_operator(self.operator)(), self.occurrence)
        return changed

    @property
    def where(self) -> str:
        """Return whether the module is of the core or elsewhere."""
        return "core" if "/" not in self.module and self.module != "cli" else "elsewhere"

    def tests(self) -> list[list[str]]:
        """Return the tests to run: those of the module, then the others of the core."""
        first = files_of(FIRST[self.module.partition("/")[0]])
        return [first, [each for each in files_of(THEN) if each not in first]] if self.where == "core" else [first]

    def __str__(self) -> str:
        """Show the lines that differ."""
        pairs = difflib.ndiff(source_of(self.module).splitlines(), self.source().splitlines())
        changes = [each for each in pairs if each.startswith(("- ", "+ "))]
        return "\n".join([f"{self.module}.py:{self.line} {self.operator.partition('/')[2]}", *changes])


@cache
def files_of(patterns: str) -> list[str]:
    """Return the paths of test files by their names or patterns; a name without a file is an error."""
    found = []
    for pattern in patterns.split():
        folder, _, name = pattern.rpartition("/")
        paths = sorted((ROOT / "tests" / folder).glob(f"test_{name}.py"))
        if not paths:
            raise FileNotFoundError(f"tests/{folder}/test_{name}.py")
        found += [str(path.relative_to(ROOT)) for path in paths]
    return found


@cache
def source_of(module: str) -> str:
    return (ROOT / PACKAGE / f"{module}.py").read_text("utf-8")


def modules() -> list[str]:
    """Return every module with code of its own."""
    paths = (path.relative_to(ROOT / PACKAGE).with_suffix("") for path in sorted((ROOT / PACKAGE).rglob("*.py")))
    return [path.as_posix() for path in paths if not path.name.startswith("__")]


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant outside of annotations and bare stars in signatures, which the type checkers hold."""
    source = source_of(module)
    tree = ast.parse(source)
    notes = [
        note
        for node in ast.walk(tree)
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if note is not None
    ]
    annotated = {
        place
        for note in notes
        for place in itertools.product(
            range(note.lineno, note.end_lineno + 1), range(note.col_offset, note.end_col_offset)
        )
    }
    yield from _changed_names(module, tree, annotated)
    nodes = list(ast_nodes(parso.parse(source)))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or name.partition("/")[2] in EQUIVALENT:
            continue
        places = ((node, start) for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, (node, start) in enumerate(places):
            line = source.splitlines()[start[0] - 1].partition("  #")[0].strip()
            reviewed = (name.partition("/")[2], line) in REVIEWED
            if not reviewed and start not in annotated and node.parent.type not in {"parameters", "param"}:
                yield Mutant(module, name, start[0], occurrence)


def _changed_names(module: str, tree: ast.Module, annotated: set[tuple[int, int]]) -> Iterator[Mutant]:
    """Every string that a program reads, with a letter more."""
    lines = source_of(module).splitlines(keepends=True)
    exported = {id(each) for node in ast.walk(tree) if _is_dunder(node) for each in ast.walk(node)}
    inside = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value)):
            continue
        if (
            id(node) in exported | inside
            or (node.lineno, node.col_offset) in annotated
            or node.lineno != node.end_lineno
        ):
            continue
        before = sum(map(len, lines[: node.lineno - 1]))
        text = lines[node.lineno - 1].encode()
        start, end = (before + len(text[:place].decode()) for place in (node.col_offset, node.end_col_offset or 0))
        if ("StringReplacer", lines[node.lineno - 1].strip()) not in REVIEWED:
            yield Mutant(module, "own/StringReplacer", node.lineno, (start, end))


def _is_dunder(node: ast.AST) -> bool:
    """Tell whether a node is ``__all__ = …`` or ``__slots__ = …``."""
    return isinstance(node, ast.Assign) and any(getattr(each, "id", "").startswith("__") for each in node.targets)


def start(module: str, source: str, copy: Path, tick: int, groups: list[list[str]]) -> int:
    """Run the tests on a changed module, in a process that has all that others wrote already; return its ID."""
    path = copy / PACKAGE / f"{module}.py"
    path.write_text(source, "utf-8")
    os.utime(path, (tick, tick))  # or the bytecode of a mutant of the same second and length would be taken for it
    if process := os.fork():
        return process
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST))
    signal.alarm(6 * LONGEST)
    status = 1
    try:
        os.chdir(copy)
        os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        sys.path.insert(0, str(copy / "src"))
        os.environ["PYTHONPATH"] = str(copy / "src")
        for paths in groups:
            status = pytest.main([*OPTIONS, *paths])
            if status:
                break
    finally:
        os._exit(status)  # whatever happens: only the parent goes on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many mutants to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one draws others (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="when to stop, and to fail (default: never)")
    parser.add_argument("--modules", nargs="*", default=[], help="or rooms, as `page` or `_users` (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    arguments = parser.parse_args()
    wanted = [
        each for each in modules() if not arguments.modules or {each, each.partition("/")[0]} & {*arguments.modules}
    ]
    everything = [mutant for module in wanted for mutant in mutants_of(module)]
    random.Random(arguments.seed).shuffle(everything)
    drawn = everything[: arguments.sample]
    print(f"{len(drawn)} of {len(everything)} mutants of {len(wanted)} modules, seed {arguments.seed}", flush=True)
    for module in SHARED.split():
        importlib.import_module(module)
    judged = dict.fromkeys(BARS, 0)
    survivors = dict.fromkeys(BARS, 0)
    late = 0
    with TemporaryDirectory() as directory:
        free = [Path(directory, str(number)) for number in range(arguments.jobs)]
        for copy in free:
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build", "node_modules"))
        if start("_users", source_of("_users"), free[0], 0, [files_of(FIRST["_users"])]) and os.wait()[1]:
            print((free[0] / "log").read_text("utf-8"))
            return 2
        end, running, waiting = time.monotonic() + arguments.seconds, {}, drawn[::-1]
        for tick in itertools.count(1):
            while free and waiting and time.monotonic() < end:
                copy, mutant = free.pop(), waiting.pop()
                running[start(mutant.module, mutant.source(), copy, tick, mutant.tests())] = copy, mutant
            if not running:
                break
            process, status = os.wait()
            copy, mutant = running.pop(process)
            (copy / PACKAGE / f"{mutant.module}.py").write_text(source_of(mutant.module), "utf-8")
            free.append(copy)
            judged[mutant.where] += 1
            late += os.WIFSIGNALED(status)
            if status == 0:
                survivors[mutant.where] += 1
                print(f"\nSURVIVES: {mutant}", flush=True)
            done = sum(judged.values())
            print(".", end="" if done % 20 else f" {done}\n", flush=True)
    print(f"\n{late} were stopped after {LONGEST} s of processor time, which counts as noticed.")
    passes = sum(judged.values()) == len(drawn)
    if not passes:
        print(f"FAILS: {sum(judged.values())} of {len(drawn)} were judged in time.")
    for where, bar in BARS.items():
        noticed = 1 - survivors[where] / (judged[where] or 1)
        enough = survivors[where] <= math.ceil(judged[where] * (1 - bar))  # of a small sample, one may survive
        print(
            f"{'' if enough else 'FAILS: '}{where}: {judged[where]} mutants, {survivors[where]} survive: "
            f"{noticed:.1%} noticed (at least {bar:.0%} expected)"
        )
        passes &= enough
    return int(not passes)


if __name__ == "__main__":
    sys.exit(main())
