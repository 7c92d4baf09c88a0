"""What was measured, as JSON, as tables in Markdown and as sentences: no figure in the docs is written by hand."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import chart, paper
from .bars import verdicts

if TYPE_CHECKING:
    from .bars import Verdict
    from .measure import Figure, Section

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

    def as_json(self) -> dict[str, Any]:
        """Return everything, in SI units."""
        return {
            "machine": self.machine,
            "missing": list(self.missing),
            "bars": [
                {**asdict(each.bar), "figure": asdict(each.figure) if each.figure else None, "verdict": each.word}
                for each in self.verdicts
            ],
            "sections": [asdict(section) for section in self.sections],
        }

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

    def write(self, root: Path) -> list[Path]:
        """Write the results, the tables, the sentences and the chart under ``root``; return the files."""
        main = next((section for section in self.sections if section.key == "pair_2048_small"), None)
        files = {
            "bench/results.json": json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n",
            "docs/_generated/performance_tables.md": self.as_markdown(),
            "docs/_generated/performance_on_paper.md": paper.sentences(self.sections),
        }
        if main is not None:
            shown = [each for each in main.figures if "PEM on each call" not in each.name]
            title = "A pair for a small user, RSA 2048 bits: milliseconds, median and quartiles"
            ours = [each.name for each in shown if each.name.startswith("this library")]
            files["docs/_static/performance.svg"] = chart.draw(title, shown, ours=ours)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [root / name for name in files]


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
