"""How pairs scale over threads and processes of one machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

from . import peers
from .measure import Effort, Section, in_rounds
from .peers import Case

SECONDS = 0.25


def measure(effort: Effort) -> list[Section]:
    """Measure one and two threads, one and two processes, and the floor's threads beside ours."""
    _operations()
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, get_context("spawn"), _operations) as processes:
        list(processes.map(_rate, ["build"] * 4))
        turns = {
            "this library, 1 thread": partial(_together, threads, "build", 1),
            "this library, 2 threads": partial(_together, threads, "build", 2),
            "the floor, 1 thread": partial(_together, threads, "floor", 1),
            "the floor, 2 threads": partial(_together, threads, "floor", 2),
            "this library, 1 process": partial(_together, processes, "build", 1),
            "this library, 2 processes": partial(_together, processes, "build", 2),
        }
        rates = in_rounds(turns, effort.times(20))
    return [
        Section(
            key="threads",
            title="Threads and processes: pairs a second",
            note="RSA 2048 bits. The floor's threads show how much of the limit is the machine's.",
            figures=rates.figures("1/s"),
            ratios={
                "two threads ÷ one": rates.ratio("this library, 2 threads", "this library, 1 thread"),
                "two threads ÷ one, the floor": rates.ratio("the floor, 2 threads", "the floor, 1 thread"),
                "two processes ÷ one": rates.ratio("this library, 2 processes", "this library, 1 process"),
            },
        )
    ]


@cache
def _operations() -> dict[str, Callable[[], object]]:
    case = Case()
    return {"build": partial(case.builder.build, case.user), "floor": peers.floor(case)}


def _rate(name: str) -> float:
    operation = _operations()[name]
    count, end = 0, time.perf_counter() + SECONDS
    start = time.perf_counter()
    while time.perf_counter() < end:
        operation()
        count += 1
    return count / (time.perf_counter() - start)


def _together(pool: Executor, name: str, count: int) -> float:
    return sum(pool.map(_rate, [name] * count))
