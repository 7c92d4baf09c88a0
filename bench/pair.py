"""What a pair of tokens costs: against the floor, and against what people would use instead."""

from __future__ import annotations

from functools import partial

from . import peers
from .measure import Effort, Figure, Section, Slot, compare, timed
from .neighbours import ARTICLE, Neighbours
from .peers import Case

OURS = "this library, build"
SETTINGS = "this library, build_settings"
FLOOR = "the floor: one HMAC, one RSA operation"
USERS = {"small": peers.SMALL, "large": peers.LARGE}


def measure(effort: Effort, neighbours: Neighbours) -> list[Section]:
    """Measure each key size with each user."""
    return [
        _section(effort, neighbours, Case(bits, more), size) for bits in effort.bits for size, more in USERS.items()
    ]


def _section(effort: Effort, neighbours: Neighbours, case: Case, size: str) -> Section:
    ours, parsed, pem = _ours(case), peers.peers(case, parsed=True), peers.peers(case, parsed=False)
    peers.check_same(case, {name: (first(), second()) for name, (first, second) in {**parsed, **pem}.items()})
    first = {name: timed(peers.both(signing)) for name, signing in parsed.items()}
    others = neighbours.slots(case, "pair")
    # The bars are about a few per cent: short turns, so that neighbours in time are compared, and many of them.
    turns = 1000 if case.bits == 2048 and size == "small" else 100  # noqa: PLR2004 - the case of the bars
    close = compare({**ours, **first}, rounds=effort.times(turns), seconds=0.003)
    foreign = compare({OURS: ours[OURS], **others}, rounds=effort.times(50))
    slow: dict[str, Slot] = {name: timed(peers.both(signing)) for name, signing in pem.items()}
    far = compare({OURS: ours[OURS], **slow}, rounds=effort.times(20 if case.bits == 2048 else 8))  # noqa: PLR2004

    best = close.best(list(first))
    ratios: dict[str, Figure] = {
        "build ÷ floor": close.ratio(OURS, FLOOR),
        "build_settings ÷ floor": close.ratio(SETTINGS, FLOOR),
        "pair ÷ best Python peer, key parsed": close.ratio(OURS, best),
        **{f"pair ÷ {name}": close.ratio(OURS, name) for name in first},
        **{f"pair ÷ {name}": foreign.ratio(OURS, name) for name in others},
        **{f"pair ÷ {name}": far.ratio(OURS, name) for name in slow},
    }
    if ARTICLE in others:
        ratios["pair ÷ the article's Ruby"] = foreign.ratio(OURS, ARTICLE)
    by_name = {figure.name: figure for rounds in (far, foreign, close) for figure in rounds.figures()}
    return Section(
        key=f"pair_{case.bits}_{size}",
        title=f"A pair, RSA {case.bits} bits, {_described(size)}",
        note="Both tokens. PEM on each call: the private key parsed anew for each page, as commonly written.",
        figures=tuple(by_name[name] for name in (*ours, *first, *others, *slow)),
        ratios=ratios,
    )


def _ours(case: Case) -> dict[str, Slot]:
    build, settings, user = case.builder.build, case.builder.build_settings, case.user
    return {
        FLOOR: timed(peers.floor(case)),
        OURS: timed(partial(build, user)),
        SETTINGS: timed(partial(settings, user)),
    }


def _described(size: str) -> str:
    return "a user with an id alone" if size == "small" else "a user with 50 attributes and a company"
