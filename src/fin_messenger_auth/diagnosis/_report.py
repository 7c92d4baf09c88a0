"""Writes findings as a person reads them, on a terminal or in a file, and as a machine does."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ._findings import Finding, Level

MARKS = {Level.ERROR: "✗", Level.WARNING: "!", Level.UNCHECKED: "?"}
"""What stands before a finding, most serious first. ``✓`` stands before a check that found nothing."""

_COLOURS = {Level.ERROR: "bold red", Level.WARNING: "bold yellow", Level.UNCHECKED: "bold cyan"}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return errors first, then warnings, then what could not be checked; each in the order of the checks."""
    return sorted(findings, key=lambda each: list(MARKS).index(each.level))


def report(findings: Iterable[Finding]) -> str:
    """Return findings in the form for files and other programs: three lines each."""
    return "\n".join(
        f"{MARKS[each.level]} {each.check}: {each.message}\n    → {each.fix}\n"
        f"    {each.level}: {each.code} ({each.evidence}{f': {each.url}' if each.url else ''})"
        for each in ordered(findings)
    )


def is_clean(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is wrong, though something may be unchecked."""
    return all(each.level is Level.UNCHECKED for each in findings)


def print_report(findings: Sequence[Finding], *, before: str = "", after: str = "") -> None:
    """Print findings between two texts: as blocks on a terminal, in colour if rich is there, else as :func:`report`."""
    if not sys.stdout.isatty():
        said = "\n".join(filter(None, [before, report(findings)]))
        print(*filter(None, [said, after]), sep="\n\n")  # noqa: T201 - what a command says
        return
    text = "\n\n".join(filter(None, [before, *_blocks(findings), after]))
    try:
        _print_in_colour(text)
    except ImportError:
        print("\n".join(map(_wrapped, text.splitlines())))  # noqa: T201 - likewise


def summary(findings: Iterable[Finding]) -> str:
    """Return in one line how many findings there are of each level."""
    count = Counter(each.level for each in findings)
    shown = [f"{count[each]} {each}{'' if count[each] == 1 else 's'}" for each in (Level.ERROR, Level.WARNING)]
    return f"{', '.join(shown)}, {count[Level.UNCHECKED]} unchecked"


def as_json(findings: Iterable[Finding], **beside: Any) -> str:  # noqa: ANN401 - any JSON
    """Return findings as a JSON document: counted by level in ``summary``, and with every field of each."""
    found = [asdict(each) for each in findings]
    count = Counter(each["level"] for each in found)
    return json.dumps({**beside, "summary": {level: count[level] for level in Level}, "findings": found}, indent=2)


def _blocks(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a block for each finding: what is wrong, the fix, the code; then one list of what was not checked."""
    for each in ordered(findings):
        if each.level is not Level.UNCHECKED:
            code = f"{each.code} ({each.evidence})"
            yield f"{MARKS[each.level]} {each.check}: {each.message}\n    → {each.fix}\n    {code}"
    if unchecked := [each for each in findings if each.level is Level.UNCHECKED]:
        lines = [f"  {MARKS[each.level]} {each.message} {each.fix}" for each in unchecked]
        yield "\n".join(["Not checked from here:", *lines])
    links = dict.fromkeys(each.url for each in ordered(findings) if each.url and each.level is not Level.UNCHECKED)
    if links:
        yield "\n".join(["Read:", *(f"  {link}" for link in links)])


def _wrapped(line: str) -> str:
    """Wrap a line at the terminal's width, under its own first word."""
    text = line.lstrip(" →✗✓!?")
    start = line[: len(line) - len(text)]
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=" " * len(start), **options)


def _print_in_colour(text: str) -> None:
    from rich.console import Console  # noqa: PLC0415 - of the extra `doctor`
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    for line in text.splitlines():
        shown = Text(_wrapped(line))
        for level, mark in MARKS.items():
            shown.highlight_regex(rf"^ *{'[' + mark + ']'}", _COLOURS[level])
        shown.highlight_regex("^✓", "bold green")
        shown.highlight_regex("`[^`]+`", "cyan")
        shown.highlight_regex(r"^ +(→)", "bold")
        console.print(shown)
