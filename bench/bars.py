"""What must hold, and whether it does: checked and printed, never asserted in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .measure import Figure, Section


class Bar(NamedTuple):
    """One promise: what is measured in which section, under which key, and the limit."""

    measure: str
    section: str
    ratio: str
    sense: Literal["≤", "≥"]
    limit: float


class Verdict(NamedTuple):
    """Whether a promise holds; ``figure`` is ``None`` where nothing was measured."""

    bar: Bar
    figure: Figure | None

    @property
    def met(self) -> bool | None:
        """Whether it holds; ``None`` where it was not measured."""
        if self.figure is None:
            return None
        below = self.figure.median <= self.bar.limit
        return below if self.bar.sense == "≤" else self.figure.median >= self.bar.limit

    @property
    def word(self) -> str:
        """The verdict, as it is printed."""
        return {True: "met", False: "NOT met", None: "NOT MEASURED"}[self.met]


MEGABYTE = 1024 * 1024

BARS = (
    Bar("build(user) ÷ floor", "pair_2048_small", "build ÷ floor", "≤", 1.05),
    Bar("build_settings(user) ÷ floor", "pair_2048_small", "build_settings ÷ floor", "≤", 1.05),
    Bar(
        "pair ÷ best Python peer with a parsed key", "pair_2048_small", "pair ÷ best Python peer, key parsed", "≤", 0.96
    ),
    Bar("pair ÷ the article's Ruby", "pair_2048_small", "pair ÷ the article's Ruby", "≤", 0.25),
    Bar("HS256 ÷ best Python peer", "hs256_small", "HS256 ÷ best Python peer", "≤", 0.36),
    Bar("cold start ÷ floor's, CPU time", "cold_start_cpu", "cold start ÷ the floor", "≤", 1.10),
    Bar("cold start ÷ PyJWT's, CPU time", "cold_start_cpu", "cold start ÷ PyJWT", "≤", 0.75),
    Bar("cold start ÷ joserfc's, CPU time", "cold_start_cpu", "cold start ÷ joserfc", "≤", 0.75),
    Bar("cold start ÷ floor's, by the clock", "cold_start_wall", "cold start ÷ the floor", "≤", 1.10),
    Bar("cold start ÷ PyJWT's, by the clock", "cold_start_wall", "cold start ÷ PyJWT", "≤", 0.75),
    Bar("cold start ÷ joserfc's, by the clock", "cold_start_wall", "cold start ÷ joserfc", "≤", 0.75),
    Bar("two threads ÷ one", "threads", "two threads ÷ one", "≥", 1.85),
    Bar("resident growth over 100,000 pairs", "memory", "resident growth over the pairs", "≤", MEGABYTE),
)


def verdicts(sections: Sequence[Section]) -> list[Verdict]:
    """Hold what was measured against every bar."""
    by_key = {section.key: section.ratios for section in sections}
    return [Verdict(bar, by_key.get(bar.section, {}).get(bar.ratio)) for bar in BARS]
