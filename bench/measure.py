"""How everything here is measured: in rounds, the contestants in random order, each round one figure a contestant.

A ratio is taken within each round, between neighbours in time, and its median over the rounds: what disturbs
the machine for longer than a round disturbs both sides of it. No figure is a mean and none is a best case.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from statistics import median, quantiles

Slot = Callable[[int], float]
"""Does a number of operations and returns how many seconds they took, by its own clock."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Args:
        share: Of the rounds of a full run.
        least: The fewest rounds of anything.
        bits: The sizes of RSA keys.
    """

    share: float = 1.0
    least: int = 5
    bits: tuple[int, ...] = (2048, 3072, 4096)

    def times(self, full: int) -> int:
        """Return how often to do what a full run does ``full`` times."""
        return max(min(self.least, full), round(full * self.share))


FULL = Effort()
QUICK = Effort(share=0.04, least=3, bits=(2048,))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the median, and the quartiles as its spread.

    Args:
        name: What was measured.
        unit: ``s``, ``bytes``, ``×`` for a ratio, or ``1/s``.
        median: The middle one of all rounds.
        low: A quarter of the rounds lie below.
        high: A quarter of the rounds lie above.
        rounds: How many values there were.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, name: str, values: Sequence[float], unit: str = "s") -> Figure:
        """Sum up the values of all rounds."""
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
        return cls(name, unit, median(values), low, high, len(values))


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the report.

    Args:
        key: Its short name.
        title: Its heading.
        note: What a reader must know to read it.
        figures: Its rows.
        ratios: Ratios within a round, by a key that the bars use.
    """

    key: str
    title: str
    note: str
    figures: tuple[Figure, ...]
    ratios: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rounds:
    """The seconds an operation took, a value for each round, by contestant."""

    seconds: Mapping[str, Sequence[float]]

    def figures(self, unit: str = "s") -> tuple[Figure, ...]:
        """Return one figure a contestant, in the order in which they were entered."""
        return tuple(Figure.of(name, values, unit) for name, values in self.seconds.items())

    def best(self, names: Sequence[str]) -> str:
        """Return which of ``names`` has the smallest median."""
        return min(names, key=lambda name: median(self.seconds[name]))

    def ratio(self, name: str, other: str) -> Figure:
        """Return ``name`` ÷ ``other``, taken in each round."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return Figure.of(f"{name} ÷ {other}", [own / their for own, their in pairs], "×")


def timed(operation: Callable[[], object]) -> Slot:
    """Return ``operation`` as a slot that this process times itself."""

    def slot(count: int) -> float:
        turns = range(count)
        start = time.perf_counter()
        for _ in turns:
            operation()
        return time.perf_counter() - start

    return slot


def compare(slots: Mapping[str, Slot], *, rounds: int, seconds: float = 0.01) -> Rounds:
    """Let the contestants take turns.

    Args:
        slots: The contestants by name.
        rounds: How many turns each has.
        seconds: About how long a turn takes; an operation that is longer is done once a turn.
    """
    counts = {name: _operations(slot, seconds) for name, slot in slots.items()}
    gc.collect()

    def turn(name: str) -> float:
        return slots[name](counts[name]) / counts[name]

    return in_rounds({name: partial(turn, name) for name in slots}, rounds)


def in_rounds(turns: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Take every turn once a round, in an order that is drawn anew for each round."""
    values: dict[str, list[float]] = {name: [] for name in turns}
    order = list(turns)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            values[name].append(turns[name]())
    return Rounds(values)


def steepest(medians: Mapping[int, float]) -> float:
    """Return the slope of the steepest step, divided by the slope from the first to the last."""
    sizes = list(medians)
    mean = (medians[sizes[-1]] - medians[sizes[0]]) / (sizes[-1] - sizes[0])
    slopes = ((medians[end] - medians[start]) / (end - start) for start, end in pairwise(sizes))
    return max(slopes) / mean


def _operations(slot: Slot, seconds: float) -> int:
    """Warm up, and find how many operations fill a turn."""
    slot(1)
    count = 1
    while (taken := slot(count)) < seconds / 2:
        count = count * 2 if taken <= 0 else max(count + 1, min(count * 10, int(count * seconds / taken)))
    return max(1, round(count * seconds / taken))
