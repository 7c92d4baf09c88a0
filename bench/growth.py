"""How the cost grows with what is signed: many attributes, and large ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fin_messenger_auth import MessengerUser
from fin_messenger_auth.errors import FinMessengerAuthWarning

from . import peers
from .measure import Effort, Figure, Section, compare, steepest, timed
from .peers import Case

COUNTS = (0, 125, 250, 500, 750, 1000)
KILOBYTES = (0, 8, 16, 32, 48, 64)


def measure(effort: Effort) -> list[Section]:
    """Measure by number and by size."""
    with warnings.catch_warnings():
        # Intercom holds 250 attributes of 255 characters; the library says so, and must not break beyond.
        warnings.simplefilter("ignore", FinMessengerAuthWarning)
        return [
            _section(
                effort,
                "growth_count",
                "Growth with the number of attributes",
                "attributes",
                {count: {f"attribute_{number}": number for number in range(count)} for count in COUNTS},
            ),
            _section(
                effort,
                "growth_size",
                "Growth with the size of one value",
                "KB",
                {size: {"note": "x" * (size * 1024)} for size in KILOBYTES},
            ),
        ]


def _section(effort: Effort, key: str, title: str, unit: str, sizes: Mapping[int, dict[str, Any]]) -> Section:
    cases = {size: Case(more=more) for size, more in sizes.items()}
    operations: dict[str, Callable[[int], Callable[[], object]]] = {
        "making the user": lambda size: partial(MessengerUser, "42", attributes=sizes[size]),
        "its token for Intercom": lambda size: peers.ours_hs256(cases[size]),
        "its pair": lambda size: partial(cases[size].builder.build, cases[size].user),
    }
    slots = {f"{what}, {size} {unit}": timed(make(size)) for what, make in operations.items() for size in sizes}
    rounds = compare(slots, rounds=effort.times(50), seconds=0.004)
    figures = {figure.name: figure for figure in rounds.figures()}
    steps = {}
    for what in operations:
        medians = {size: figures[f"{what}, {size} {unit}"].median for size in sizes}
        steepness = steepest(medians)
        steps[f"{what}: steepest step ÷ mean slope, {unit}"] = Figure(what, "×", steepness, steepness, steepness, 1)
    return Section(
        key=key,
        title=title,
        note="Where growth is linear, the steepest step has about the mean slope; at a cliff it has far more.",
        figures=tuple(figures.values()),
        ratios=steps,
    )
