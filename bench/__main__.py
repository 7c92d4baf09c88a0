"""Run all of it: ``python -m bench``, from the root of the repository, with the wheel installed.

``--quick`` runs everything in about a minute, to try the bench itself: its figures mean little, and are written
only where ``--output`` says.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from . import asynchronous, cold_start, growth, hs256, memory, pages, pair, parts, server, threads
from .measure import FULL, QUICK, Section
from .neighbours import Neighbours
from .report import RESULTS, Report, machine, shown


def main() -> None:
    """Measure, print the bars, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, to try the bench itself")
    parser.add_argument(
        "--output", type=Path, help="where to write the summary (default: results.json, unless --quick)"
    )
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    about = machine()
    with Neighbours() as neighbours:
        steps: dict[str, Callable[[], list[Section]]] = {
            "cold start": lambda: cold_start.measure(effort),
            "pair": lambda: pair.measure(effort, neighbours),
            "hs256": lambda: hs256.measure(effort, neighbours),
            "parts": lambda: parts.measure(effort),
            "threads": lambda: threads.measure(effort),
            "async": lambda: asynchronous.measure(effort),
            "growth": lambda: growth.measure(effort),
            "memory": lambda: memory.measure(effort),
            "pages": lambda: pages.measure(effort),
            "server": lambda: server.measure(effort),
        }
        sections: list[Section] = []
        for name, step in steps.items():
            start = time.monotonic()
            sections += step()
            print(f"{name}: measured in {time.monotonic() - start:.0f} s", flush=True)
    report = Report(tuple(sections), tuple(neighbours.missing), about)
    _print(report)
    output = arguments.output or (None if arguments.quick else RESULTS)
    if output is not None:
        output.write_text(report.as_summary(), "utf-8")
        print(f"wrote {output}")


def _print(report: Report) -> None:
    for what in report.missing:
        print(f"MISSING: {what}")
    for verdict in report.verdicts:
        figure = verdict.figure
        got = "—" if figure is None else shown(figure.median, figure.unit)
        limit = f"{verdict.bar.limit:g}" if figure is None else shown(verdict.bar.limit, figure.unit)
        print(f"{verdict.word:12} {verdict.bar.measure:45} {got:>10}  (bar: {verdict.bar.sense} {limit})")


if __name__ == "__main__":
    main()
