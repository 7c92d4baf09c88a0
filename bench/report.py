"""What was measured: a summary in JSON, and from it the tables, sentences and chart of the docs."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from . import chart, paper
from .bars import Verdict, verdicts
from .measure import Figure, Section

RESULTS = Path(__file__).with_name("results.json")
PACKAGES = (
    "fin-messenger-auth",
    "cryptography",
    "joserfc",
    "pyjwt",
    "jwcrypto",
    "python-jose",
    "flask",
    "gunicorn",
    "fastapi",
    "uvicorn",
)


@dataclass(frozen=True, slots=True)
class Report:
    """One run.

    Args:
        sections: What was measured.
        missing: What could not be, and why.
        machine: Where, when and with which versions.
    """

    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    machine: dict[str, str]

    @property
    def verdicts(self) -> list[Verdict]:
        """Whether each bar is met."""
        return verdicts(self.sections)

    def as_summary(self) -> str:
        """Return every figure as JSON, a line each, in SI units to five digits.

        Sections with the same rows are columns of one table. A cell is a figure's median, quartiles and rounds, and its
        unit where that is not seconds (or × for a ratio).
        """
        tables = []
        for _, group in groupby(self.sections, lambda each: [*(row.name for row in each.figures), *each.ratios]):
            columns = list(group)
            heads = _lines(_json([each.key, each.title, each.note]) for each in columns)
            rows = zip(*(each.figures for each in columns), strict=True)
            figures = _members({row[0].name: [_cell(each, "s") for each in row] for row in rows})
            keys = columns[0].ratios
            ratios = _members({key: [_cell(each.ratios[key], "×") for each in columns] for key in keys})
            tables.append(f'{{"sections": [{heads}],\n"figures": {{{figures}}},\n"ratios": {{{ratios}}}}}')
        head = f'"machine": {_json(self.machine)},\n"missing": {_json(self.missing)}'
        return f'{{{head},\n"tables": [{_lines(tables)}]}}\n'

    @classmethod
    def from_summary(cls, summary: str) -> Report:
        """Read what `as_summary` returned."""
        found = json.loads(summary)
        sections = tuple(
            Section(
                key,
                title,
                note,
                tuple(_figure(name, "s", *cells[column]) for name, cells in table["figures"].items()),
                {name: _figure(name, "×", *cells[column]) for name, cells in table["ratios"].items()},
            )
            for table in found["tables"]
            for column, (key, title, note) in enumerate(table["sections"])
        )
        return cls(sections, tuple(found["missing"]), found["machine"])

    def as_markdown(self) -> str:
        """Return the tables."""
        about = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        lines = [f"Measured on: {about}.", ""]
        lines += [f"**Missing here:** {what}.\n" for what in self.missing]
        lines += [
            "### What must hold",
            "",
            "| measure | bar | measured | quartiles | verdict |",
            "|---|---|---|---|---|",
        ]
        lines += [_bar_row(each) for each in self.verdicts]
        for section in self.sections:
            lines += ["", f"### {section.title}", "", section.note, "", *_table(section)]
        return "\n".join(line for line in lines) + "\n"

    def pages(self) -> dict[str, str]:
        """Return what the docs show: the tables, the sentences and the chart, by file name."""
        pages = {"performance_tables.md": self.as_markdown(), "performance_on_paper.md": paper.sentences(self.sections)}
        main = next((section for section in self.sections if section.key == "pair_2048_small"), None)
        if main is not None:
            shown = [each for each in main.figures if "PEM on each call" not in each.name]
            title = "A pair for a small user, RSA 2048 bits: milliseconds, median and quartiles"
            ours = [each.name for each in shown if each.name.startswith("this library")]
            pages["performance.svg"] = chart.draw(title, shown, ours=ours)
        return pages


def machine() -> dict[str, str]:
    """Describe where and with what this runs, naming neither the machine nor its owner."""
    about = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load at the start": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            about[package] = "missing"
    return about


def shown(value: float, unit: str) -> str:
    """Return a value to three digits, in the unit that suits it."""
    if unit == "×":
        return f"{value:.3f}"
    if unit == "1/s":
        return f"{value:,.0f}/s"
    for factor, name in (
        ((1024 * 1024, "MB"), (1024, "KB")) if unit == "bytes" else ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))
    ):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value:.0f} bytes" if unit == "bytes" else f"{value * 1e6:.2g} µs"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(values: Iterable[str]) -> str:
    return ",\n".join(values)


def _members(rows: Mapping[str, object]) -> str:
    return _lines(f"{_json(name)}: {_json(value)}" for name, value in rows.items())


def _cell(figure: Figure, usual: str) -> list[object]:
    """Return a figure as a list, from which `_figure` makes it again."""
    cell: list[object] = [float(f"{value:.5g}") for value in (figure.median, figure.low, figure.high)]
    return [*cell, figure.rounds, *([figure.unit] if figure.unit != usual else [])]


def _figure(name: str, usual: str, *cell: Any) -> Figure:  # noqa: ANN401 - what `_cell` returned
    median, low, high, rounds, *unit = cell
    return Figure(name, unit[0] if unit else usual, median, low, high, rounds)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _table(section: Section) -> list[str]:
    """Return the rows; where the section has ratios, they follow."""
    rows = ["| | median | quartiles | rounds |", "|---|---:|---:|---:|"]
    rows += [_row(figure.name, figure) for figure in section.figures]
    if section.ratios and section.key != "memory":
        rows += ["", "| within one round | median | quartiles | rounds |", "|---|---:|---:|---:|"]
        rows += [_row(name, figure) for name, figure in section.ratios.items()]
    return rows


def _row(name: str, figure: Figure) -> str:
    return f"| {name} | {shown(figure.median, figure.unit)} | {_spread(figure)} | {figure.rounds} |"


def _spread(figure: Figure) -> str:
    if figure.low == figure.high:
        return "—"
    return f"{shown(figure.low, figure.unit)} to {shown(figure.high, figure.unit)}"


def _bar_row(verdict: Verdict) -> str:
    bar, figure = verdict.bar, verdict.figure
    limit = (
        f"{bar.sense} {bar.limit:.2f}"
        if figure is None or figure.unit == "×"
        else f"{bar.sense} {shown(bar.limit, figure.unit)}"
    )
    if figure is None:
        return f"| {bar.measure} | {limit} | — | — | **{verdict.word}** |"
    word = verdict.word if verdict.met else f"**{verdict.word}**"
    return f"| {bar.measure} | {limit} | {shown(figure.median, figure.unit)} | {_spread(figure)} | {word} |"
