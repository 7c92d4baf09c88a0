"""How many small changes of the core go unnoticed: ``nox -s mutants``, with cosmic-ray's operators.

Draws mutants of the core at random, runs on each the tests of its module and then the others, and prints those that
survive. Fails when fewer than 97 % of at least 100 are killed. ``--seconds`` is the time budget, ``--seed`` draws
others, ``--first`` leaves the other tests out, for a busy machine.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import itertools
import os
import random
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
ENOUGH = 0.97
LONGEST = 240  # seconds of processor time, or six times as many to wait: a mutant that takes longer has been noticed

# What a change of a module of the core is tried on first: the tests that are about it.
FIRST = {
    "errors": "environment users leaks",
    "_json_values": "users frozen settings minters one_rule_of_ids",
    "_keys": "keys signers leaks advisories",
    "_signers": "signers minters",
    "_processes": "deadline reloading",
    "_deadline": "deadline",
    "_jws": "jws diagnosis_of_tokens",
    "_verification": "verification onboarding",
    "_users": "users frozen",
    "_tokens": "minters",
    "_settings": "settings",
    "_outages": "outages",
    "_environment": "environment signers_by_name",
    "_builder": "pair settings async outages",
    "_reloading": "reloading",
}
# And what survives those, on all of these.
THEN = (
    "users frozen settings minters jws signers keys pair environment async outages package properties leaks advisories "
    "one_rule one_rule_of_ids onboarding signers_by_name testing diagnosis_of_tokens types_at_run_time reference"
)
SHARED = "pytest hypothesis django.db.models flask fastapi.testclient joserfc.jwt jwt werkzeug.local"
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]

# What these change cannot be told from the original: None is a singleton, and so are short strings and small integers.
EQUIVALENT = {f"ReplaceComparisonOperator_{each}" for each in ("Is_Eq", "IsNot_NotEq", "Eq_Is", "NotEq_IsNot")}
# The same, found by looking at survivors: the operator, and the line in question.
REVIEWED = {
    ("ReplaceFalseWithTrue", "@dataclass(frozen=True, slots=True, init=False)"),  # a class's own __init__ stays
}
FEWEST = 100  # mutants: a smaller sample, as of a busy machine, says too little to fail


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: an operator of cosmic-ray, applied at one of its places in a module."""

    module: str
    operator: str
    occurrence: int
    line: int

    def source(self) -> str:
        """Return the module with the change."""
        changed: str = mutate_code(source_of(self.module), get_operator(self.operator)(), self.occurrence)
        return changed

    def __str__(self) -> str:
        """Show the lines that differ."""
        pairs = difflib.ndiff(source_of(self.module).splitlines(), self.source().splitlines())
        changes = [each for each in pairs if each.startswith(("- ", "+ "))]
        return "\n".join([f"{self.module}.py:{self.line} {self.operator.partition('/')[2]}", *changes])


@cache
def source_of(module: str) -> str:
    return (ROOT / PACKAGE / f"{module}.py").read_text("utf-8")


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant outside of annotations and bare stars in signatures, which the type checkers hold."""
    source = source_of(module)
    notes = (
        note
        for node in ast.walk(ast.parse(source))
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if note is not None
    )
    annotated = {
        place
        for note in notes
        for place in itertools.product(
            range(note.lineno, note.end_lineno + 1), range(note.col_offset, note.end_col_offset)
        )
    }
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
                yield Mutant(module, name, occurrence, start[0])


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
        for names in groups:
            status = pytest.main([*OPTIONS, *(f"tests/test_{name}.py" for name in names)])
            if status:
                break
    finally:
        os._exit(status)  # whatever happens: only the parent goes on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="when to stop drawing (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() // 10**9 // 86_400, help="default: a new one each day"
    )
    parser.add_argument("--modules", nargs="*", default=list(FIRST), help="of the core (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    parser.add_argument("--first", action="store_true", help="run only the tests that are about the changed module")
    arguments = parser.parse_args()
    drawn = [mutant for module in arguments.modules for mutant in mutants_of(module)]
    print(f"{len(drawn)} mutants of {len(arguments.modules)} modules, seed {arguments.seed}", flush=True)
    random.Random(arguments.seed).shuffle(drawn)
    for module in SHARED.split():
        importlib.import_module(module)
    with TemporaryDirectory() as directory:
        free = [Path(directory, str(number)) for number in range(arguments.jobs)]
        for copy in free:
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build", "node_modules"))
        if start("_keys", source_of("_keys"), free[0], 0, [FIRST["_keys"].split()]) and os.wait()[1]:
            print((free[0] / "log").read_text("utf-8"))
            return 2
        end, running, judged, survivors, late = time.monotonic() + arguments.seconds, {}, 0, 0, 0
        for tick in itertools.count(1):
            while free and drawn and time.monotonic() < end:
                copy, mutant = free.pop(), drawn.pop()
                first = FIRST[mutant.module].split()
                groups = [first] if arguments.first else [first, [each for each in THEN.split() if each not in first]]
                running[start(mutant.module, mutant.source(), copy, tick, groups)] = copy, mutant
            if not running:
                break
            process, status = os.wait()
            copy, mutant = running.pop(process)
            (copy / PACKAGE / f"{mutant.module}.py").write_text(source_of(mutant.module), "utf-8")
            free.append(copy)
            judged += 1
            late += os.WIFSIGNALED(status)
            if status == 0:
                survivors += 1
                print(f"\nSURVIVES: {mutant}", flush=True)
            print(".", end="" if judged % 20 else f" {judged}\n", flush=True)
    killed = 1 - survivors / judged
    print(f"\n{judged} mutants, {survivors} survive: {killed:.1%} killed (at least {ENOUGH:.0%} expected)")
    print(f"{late} of them were stopped after {LONGEST} s of processor time, which counts as killed")
    if judged < FEWEST:
        print(f"TOO FEW to judge, at least {FEWEST} are: give it more --seconds, or a machine that does nothing else.")
    return int(judged >= FEWEST and killed < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
