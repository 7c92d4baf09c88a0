"""Makes small changes to the source, one at a time, and says which of them no test notices: ``nox -s mutants``.

The changes are those of cosmic-ray's operators, and a change of each string that is a name and no sentence: a cookie's
attribute, a header, a member, a directive. Of a sample, the tests must notice at least 97 % in the core and 92 %
elsewhere: first those that reach the changed line, as coverage has recorded them, then those about the room.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import itertools
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import parso
import pytest
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT = Path(__file__).parent.parent
PACKAGE = Path("src", "fin_messenger_auth")
BARS = {"core": 0.97, "elsewhere": 0.92}
FEWEST = 12  # a run that has judged fewer has shown nothing
LONGEST = 30  # seconds of processor time for each of the two groups of tests: what no test has noticed by then survives
HANGS = 4 * LONGEST  # seconds of processor time, or four times as many to wait: an endless loop is noticed

# What coverage has recorded, with the tests of each line, and of which tests. The sessions `coverage` and `backends`
# leave these files; they are made here where they are missing or older than the source.
RECORDS = {
    ".coverage-fast": [
        f"--ignore=tests/{each}" for each in "backends bench browser frameworks interoperability".split()
    ],
    ".coverage-backends": ["tests/backends"],
}

# The tests that are about a module of the core, or about a room: names of files in tests/, or patterns. They come
# second: for what is reached in another process only, and for what happens while a module is imported.
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
    "_environment": "environment signers_by_name reference",
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
    "commands": "cli commands_for_keys doctor sandbox reference",
    "cli": "cli commands_for_keys reference",
}
OF_ALL = "catalogue_of_findings package"  # they read the source of every module
SHARED = """pytest hypothesis django.db.models django.test flask fastapi.testclient joserfc.jwt jwt werkzeug.local
    coverage urllib3 selectolax quickjs rich.console sentry_sdk structlog cryptography.x509"""
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
    (
        "NumberReplacer",
        'sequence = next((content for tag, content in islice(_elements(_first(der)), 2) if tag == _SEQUENCE), b"")',
    ): "the third element of such a key is no sequence",
    ("NumberReplacer", "_quoted = lru_cache(maxsize=8)(script_json)"): "a cache may be larger or smaller",
    (
        "ReplaceComparisonOperator_Eq_GtE",
        'if listed is None or (name == "script-src" and "\'strict-dynamic\'" in listed):',
    ): "the other directive is connect-src",
    (
        "ReplaceComparisonOperator_Eq_LtE",
        'if kinds[0].code == "key-damaged" or (found is not None and not _kind_of(found.data)):',
    ): "what has a code before it holds a private key, and is refused above",
    (
        "ReplaceComparisonOperator_NotEq_Lt",
        'lasting = tuple(getattr(self.client, str(name)) for name in PKCS11Signer.reasons if name != "NoSuchToken")',
    ): "a refused PIN is remembered, and is not tried again in either way",
    (
        "ReplaceComparisonOperator_Lt_LtE",
        "if self.failed_at is None or now - self.failed_at < QUIET:",
    ): "no two readings of the clock are just so far apart",
    (
        "ReplaceComparisonOperator_GtE_Eq",
        "if self._hanging >= self._threads + PROBES:",
    ): "no more threads than these are started",
    ("NumberReplacer", 'return "", 0'): "the number is not used without a mistake",
    ("NumberReplacer", "_MAX_LENGTH = 24"): "a token that is shown may be cut a little later",
    ("RemoveDecorator", "@lru_cache(maxsize=256)"): "without a cache it is only slower",
    ("NumberReplacer", "@lru_cache(maxsize=256)"): "a cache may be larger or smaller",
    ("NumberReplacer", "CPU_SECONDS = 3.0"): "a page may take a second more or less",
    ("NumberReplacer", "WALL_SECONDS = 10.0"): "the same",
    ("NumberReplacer", 'if page.settings[0].source == "token":'): "an answer that is a token has no other settings",
    (
        "ReplaceBinaryOperator_BitOr_BitXor",
        "descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)",
    ): "the flags have no bit in common",
    (
        "ReplaceTrueWithFalse",
        "head, claims, signature = (_decode(part, name) for part, name in zip(parts, _PARTS, strict=True))",
    ): "that there are three parts was checked before",
}
_NAME = re.compile(r"[A-Za-z*+/][\w:;=*+./-]+")  # what a program reads; a person's sentence has spaces


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module: the changed source, and what made it."""

    module: str
    operator: str
    line: int
    occurrence: int | tuple[int, int]
    nth: int  # of its operator on its line

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

    @property
    def key(self) -> str:
        """Return what stays the same when other lines change, so that a sample does, too."""
        lines = [line.strip() for line in source_of(self.module).splitlines()[: self.line]]
        return f"{self.module} {self.operator} {lines[-1]} {lines.count(lines[-1])} {self.nth}"

    def about(self) -> list[str]:
        """Return the files of the tests about the room, and of those that use the constants changed."""
        files = files_of(f"{OF_ALL} {FIRST[self.module.partition('/')[0]]}")
        if names := constants_of(self.module, self.line):
            words = re.compile(rf"\b({'|'.join(names)})\b")
            using = (each for each in files_of("*") if words.search((ROOT / each).read_text("utf-8")))
            files = list(dict.fromkeys([*files, *using]))
        return files

    def reaching(self) -> set[str]:
        """Return the IDs of the tests that reach the line."""
        places = places_of(self.module, self.line)
        return {test for module, line in places for test in tests_of(module).get(line, ())}

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


@cache
def statements_of(module: str) -> list[ast.stmt]:
    tree = ast.parse(source_of(module))
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]


@cache
def constants_of(module: str, line: int) -> set[str]:
    """Return the names that a module's own statement gives a value, and those that are made of them."""
    names: set[str] = set()
    for node in ast.parse(source_of(module)).body:
        targets = {each.id for part in _targets(node) for each in ast.walk(part) if isinstance(each, ast.Name)}
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if targets and (node.lineno <= line <= (node.end_lineno or 0) or used & names):
            names |= targets
    return names


def places_of(module: str, line: int) -> set[tuple[str, int]]:
    """Return the lines that run when this one matters: its statement, or what uses the names that it gives a value."""
    if names := constants_of(module, line):
        words = re.compile(rf"\b({'|'.join(names)})\b")
        return {
            (each, number)
            for each in modules()
            for number, text in enumerate(source_of(each).splitlines(), 1)
            if words.search(text)
        }
    around = [node for node in statements_of(module) if _first(node) <= line <= (node.end_lineno or 0)]
    around.sort(key=lambda node: (node.end_lineno or 0) - _first(node))
    functions: list[ast.stmt] = [each for each in around if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    if functions and around[0] is not functions[0]:  # in a body: of a compound statement, what stands before its own
        body = getattr(around[0], "body", None)
        end = body[0].lineno if body else (around[0].end_lineno or 0) + 1
        return {(module, each) for each in range(around[0].lineno, end)}
    whole = functions or [each for each in around if isinstance(each, ast.ClassDef)]
    return {(module, each) for node in whole[:1] for each in range(_first(node), (node.end_lineno or 0) + 1)}


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _targets(node: ast.stmt) -> list[ast.expr]:
    return getattr(node, "targets", None) or [each for each in [getattr(node, "target", None)] if each]


@cache
def tests_of(module: str) -> dict[int, set[str]]:
    """Return the tests that reach each line of a module."""
    found: dict[int, set[str]] = {}
    for name in RECORDS if module.startswith("backends/") else [".coverage-fast"]:
        data = CoverageData(str(ROOT / name))
        data.read()
        for path in data.measured_files():
            if path.endswith(f"{PACKAGE.name}/{module}.py"):
                for line, contexts in data.contexts_by_lineno(path).items():
                    found.setdefault(line, set()).update(each.rpartition("|")[0] for each in contexts if each)
    return found


def record(name: str) -> None:
    """Run tests under coverage, unless that has been done since the source was changed."""
    newest = max(path.stat().st_mtime for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py"))
    path = ROOT / name
    if path.exists() and path.stat().st_mtime > newest:
        return
    print(f"{name} is made", flush=True)
    options = "-q -n auto --dist loadfile -p no:cacheprovider --cov --cov-context=test --cov-report= --cov-fail-under=0"
    command = [sys.executable, "-m", "pytest", *options.split(), *RECORDS[name]]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "COVERAGE_FILE": name}, stdout=sys.stderr, check=True)


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
    lines = [line.partition("  #")[0].strip() for line in source.splitlines()]
    parse: Any = parso.parse  # it has types only in part
    nodes = list(ast_nodes(parse(source)))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or name.partition("/")[2] in EQUIVALENT:
            continue
        places = ((node, start) for node in nodes for start, _ in operator().mutation_positions(node))
        seen: Counter[int] = Counter()
        for occurrence, (node, start) in enumerate(places):
            seen[start[0]] += 1
            reviewed = (name.partition("/")[2], lines[start[0] - 1]) in REVIEWED
            if not reviewed and start not in annotated and node.parent.type not in {"parameters", "param"}:
                yield Mutant(module, name, start[0], occurrence, seen[start[0]])


def _changed_names(module: str, tree: ast.Module, annotated: set[tuple[int, int]]) -> Iterator[Mutant]:
    """Every string that a program reads, with a letter more."""
    lines = source_of(module).splitlines(keepends=True)
    exported = {id(each) for node in ast.walk(tree) if _is_dunder(node) for each in ast.walk(node)}
    inside = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in ast.walk(node)}
    inside |= {id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_cast(node)}
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
            yield Mutant(module, "own/StringReplacer", node.lineno, (start, end), node.col_offset)


def _is_cast(node: ast.Call) -> bool:
    """Tell whether a call is one of ``typing.cast``, whose type is for the type checkers alone."""
    return isinstance(node.func, ast.Name) and node.func.id == "cast"


def _is_dunder(node: ast.AST) -> bool:
    """Tell whether a node is ``__all__ = …`` or ``__slots__ = …``."""
    return isinstance(node, ast.Assign) and any(getattr(each, "id", "").startswith("__") for each in node.targets)


class Only:
    """Lets pytest run the chosen tests, until it has taken long enough."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._end = sum(os.times()[:4]) + LONGEST
        self.late = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._wanted(item.nodeid)]

    @pytest.hookimpl
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if sum(os.times()[:4]) > self._end:
            self.late = True
            item.session.shouldstop = "nothing was noticed in time"


def notices(mutant: Mutant) -> bool:
    """Run the tests that reach the line, then the others about the room, until one fails."""
    reaching, about = mutant.reaching(), mutant.about()
    files = sorted({each.partition("::")[0] for each in reaching}, key=lambda path: (path not in about, path))
    for paths, only in ((files, Only(reaching.__contains__)), (about, Only(lambda test: test not in reaching))):
        status = pytest.main([*OPTIONS, *paths], plugins=[only]) if paths else pytest.ExitCode.OK
        if not only.late and status not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            return True
    return False


def start(mutant: Mutant, source: str, copy: Path, tick: int, seconds: float = 4 * HANGS) -> int:
    """Try a mutant, in a process that has all that others wrote already; return its ID."""
    path = copy / PACKAGE / f"{mutant.module}.py"
    path.write_text(source, "utf-8")
    os.utime(path, (tick, tick))  # or the bytecode of a mutant of the same second and length would be taken for it
    if process := os.fork():
        return process
    resource.setrlimit(resource.RLIMIT_CPU, (HANGS, HANGS))
    signal.alarm(math.ceil(min(seconds, 4 * HANGS)))
    noticed = True
    try:
        os.setsid()
        os.chdir(copy)
        os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        sys.path.insert(0, str(copy / "src"))
        os.environ["PYTHONPATH"] = str(copy / "src")
        noticed = notices(mutant)
    finally:
        os._exit(noticed)  # whatever happens: only the parent goes on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many mutants to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one draws others (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="when to stop and judge (default: at the end)")
    parser.add_argument("--modules", nargs="*", default=[], help="or rooms, as `page` or `_users` (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    arguments = parser.parse_args()
    wanted = [
        each for each in modules() if not arguments.modules or {each, each.partition("/")[0]} & {*arguments.modules}
    ]
    everything = [mutant for module in wanted for mutant in mutants_of(module)]
    everything.sort(key=lambda mutant: sha256(f"{arguments.seed} {mutant.key}".encode()).digest())
    drawn = everything[: arguments.sample]
    print(f"{len(drawn)} of {len(everything)} mutants of {len(wanted)} modules, seed {arguments.seed}", flush=True)
    for name in RECORDS:
        record(name)
    for module in modules():
        tests_of(module)
    for module in SHARED.split():
        importlib.import_module(module)
    judged = dict.fromkeys(BARS, 0)
    survivors = dict.fromkeys(BARS, 0)
    late = 0
    with TemporaryDirectory() as directory:
        free = [Path(directory, str(number)) for number in range(arguments.jobs)]
        for copy in free:
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build", "node_modules"))
        if start(next(mutants_of("_jws")), source_of("_jws"), free[0], 0) and os.wait()[1]:
            print((free[0] / "log").read_text("utf-8"))
            return 2
        end, running, waiting = time.monotonic() + arguments.seconds, {}, drawn[::-1]
        for tick in itertools.count(1):
            while free and waiting and time.monotonic() < end:
                copy, mutant = free.pop(), waiting.pop()
                running[start(mutant, mutant.source(), copy, tick, end + 30 - time.monotonic())] = copy, mutant
            if not running:
                break
            process, status = os.wait()
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)  # what tests have left behind
            copy, mutant = running.pop(process)
            (copy / PACKAGE / f"{mutant.module}.py").write_text(source_of(mutant.module), "utf-8")
            free.append(copy)
            ended = os.WIFSIGNALED(status)
            known = not (ended and time.monotonic() > end)  # else nobody knows whether it would have been noticed
            judged[mutant.where] += known
            late += ended and known
            if status == 0:
                survivors[mutant.where] += 1
                print(f"\nSURVIVES: {mutant}", flush=True)
            done = sum(judged.values())
            print(".", end="" if done % 20 else f" {done}\n", flush=True)
    print(f"\n{late} were stopped after {HANGS} s of processor time, which counts as noticed.")
    return judge(judged, survivors, min(FEWEST, len(drawn)))


def judge(judged: dict[str, int], survivors: dict[str, int], fewest: int) -> int:
    """Print the rates, and return the exit status."""
    passes = sum(judged.values()) >= fewest
    if not passes:
        print(f"FAILS: {sum(judged.values())} were judged, and at least {fewest} must be.")
    for where, bar in BARS.items():
        allowed = math.ceil(judged[where] * (1 - bar))  # of a small sample, one may survive
        passes &= survivors[where] <= allowed
        verdict = "" if survivors[where] <= allowed else "FAILS: "
        noticed = 1 - survivors[where] / (judged[where] or 1)
        print(f"{verdict}{where}: {survivors[where]} of {judged[where]} survive, {noticed:.1%} noticed of {bar:.0%}")
    return int(not passes)


if __name__ == "__main__":
    sys.exit(main())
