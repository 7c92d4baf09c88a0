"""Pairs from async code, with signers that are far away.

The far signers sleep on the event loop and return a ready-made signature: what is left over is the library's
own cost and its manners. A real KMS client adds its own, and its network.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from statistics import quantiles

from fin_messenger_auth import IntercomMinter, SalesforceMinter, TokenPairBuilder

from . import peers
from .measure import Effort, Figure, Section, in_rounds
from .peers import Case

DELAYS = (0.005, 0.020, 0.050)
CONCURRENT = 200
TICK = 0.001


class FarSigner:
    """Stands for a KMS: takes its time without holding the event loop.

    Args:
        alg: ``HS256`` or ``RS256``.
        seconds: How long a signature takes.
    """

    def __init__(self, alg: str, seconds: float) -> None:
        self.alg = alg
        self.kid = peers.KID if alg == "RS256" else None
        self.seconds = seconds

    async def asign(self, _signing_input: bytes, /) -> bytes:
        """Return bytes of a signature's size: nobody verifies them."""
        await asyncio.sleep(self.seconds)
        return bytes(256 if self.alg == "RS256" else 32)


def far_builder(case: Case, seconds: float, *, both: bool) -> TokenPairBuilder:
    """Return a builder whose Salesforce key, or ``both`` keys, are ``seconds`` away."""
    far = SalesforceMinter(FarSigner("RS256", seconds), issuer=peers.ISSUER, audience=peers.AUDIENCE)
    intercom = IntercomMinter(FarSigner("HS256", seconds)) if both else case.builder.intercom
    return replace(case.builder, intercom=intercom, salesforce=far)


def measure(effort: Effort) -> list[Section]:
    """Measure what a pair adds to the wait, and to the delay of everybody else's work."""
    case = Case()
    return [_latency(effort, case), _loop_delay(effort, case)]


def _latency(effort: Effort, case: Case) -> Section:
    with asyncio.Runner() as runner:

        def turn(action: Callable[[], Awaitable[object]]) -> float:
            async def timed() -> float:
                start = time.perf_counter()
                await action()
                return time.perf_counter() - start

            return runner.run(timed())

        turns: dict[str, Callable[[], float]] = {}
        for seconds in DELAYS:
            shown = f"{seconds * 1000:.0f} ms"
            one, both = (far_builder(case, seconds, both=both) for both in (False, True))
            turns[f"a bare sleep of {shown}"] = partial(turn, partial(asyncio.sleep, seconds))
            turns[f"a pair, Salesforce's key {shown} away"] = partial(turn, partial(one.abuild, case.user))
            turns[f"a pair, both keys {shown} away"] = partial(turn, partial(both.abuild, case.user))
        turns["a pair, local keys, abuild"] = partial(turn, partial(case.builder.abuild, case.user))
        rounds = in_rounds(turns, effort.times(100))
    ratios = {}
    for seconds in DELAYS:
        shown = f"{seconds * 1000:.0f} ms"
        ratios[f"far pair ÷ bare sleep, {shown}"] = rounds.ratio(
            f"a pair, Salesforce's key {shown} away", f"a bare sleep of {shown}"
        )
        ratios[f"far pair, both keys ÷ bare sleep, {shown}"] = rounds.ratio(
            f"a pair, both keys {shown} away", f"a bare sleep of {shown}"
        )
    return Section(
        key="async_latency",
        title="Async: one pair with keys that are far away",
        note="The far signers are doubles that sleep on the event loop. Two far keys are asked at the same time.",
        figures=rounds.figures(),
        ratios=ratios,
    )


def _loop_delay(effort: Effort, case: Case) -> Section:
    kinds: dict[str, Callable[[], Awaitable[object]]] = {"bare sleeps of 20 ms": partial(asyncio.sleep, 0.020)}
    one, both = (far_builder(case, 0.020, both=both) for both in (False, True))
    kinds["pairs, Salesforce's key 20 ms away"] = partial(one.abuild, case.user)
    kinds["pairs, both keys 20 ms away"] = partial(both.abuild, case.user)
    kinds["pairs, local keys"] = partial(case.builder.abuild, case.user)
    delays: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(effort.times(10)):
        for name, action in kinds.items():
            delays[name] += asyncio.run(_late_ticks(action, 0.5))
    figures = []
    for name, values in delays.items():
        centiles = quantiles(values, n=100, method="inclusive")
        figures.append(
            Figure(f"{CONCURRENT} {name}: median", "s", centiles[49], centiles[24], centiles[74], len(values))
        )
        figures.append(Figure(f"{CONCURRENT} {name}: p99", "s", centiles[98], centiles[97], max(values), len(values)))
    latest = {name: quantiles(values, n=100, method="inclusive")[98] for name, values in delays.items()}
    bare, *pairs = latest
    return Section(
        key="async_delay",
        title="Async: how late the event loop is for everybody else",
        note=f"A task that wants to wake every millisecond, while {CONCURRENT} tasks make one pair after another. "
        "Rows of p99 show p98 and the latest of all as their spread. Local keys sign on the event loop: their rows "
        "are what a server shows that has more work than its core can do.",
        figures=tuple(figures),
        ratios={f"{name} ÷ {bare}: p99": _alone(name, latest[name] / latest[bare]) for name in pairs},
    )


def _alone(name: str, ratio: float) -> Figure:
    """Return a ratio of two centiles, which has no spread."""
    return Figure(name, "×", ratio, ratio, ratio, 1)


async def _late_ticks(action: Callable[[], Awaitable[object]], seconds: float) -> list[float]:
    end = time.perf_counter() + seconds

    async def work() -> None:
        while time.perf_counter() < end:
            await action()
            await asyncio.sleep(0)

    late = []
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENT):
            group.create_task(work())
        while (now := time.perf_counter()) < end:
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - now - TICK)
    return late
