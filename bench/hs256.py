"""What the token for Intercom costs alone: claims, compact form and HS256 signature."""

from __future__ import annotations

from . import peers
from .measure import Effort, Section, Slot, compare, timed
from .neighbours import Neighbours
from .pair import USERS
from .peers import Case

OURS = "this library, claims and jws.encode"
FLOOR = "the floor: one HMAC"


def measure(effort: Effort, neighbours: Neighbours) -> list[Section]:
    """Measure both users."""
    return [_section(effort, neighbours, Case(more=more), size) for size, more in USERS.items()]


def _section(effort: Effort, neighbours: Neighbours, case: Case, size: str) -> Section:
    signing = {name.removesuffix(peers.PARSED): each[0] for name, each in peers.peers(case, parsed=True).items()}
    peers.check_same(case, {name: (first(),) for name, first in signing.items()})
    theirs: dict[str, Slot] = {name: timed(first) for name, first in signing.items()}
    others = {name: slot for name, slot in neighbours.slots(case, "hs256").items() if "article" not in name}
    ours: dict[str, Slot] = {FLOOR: timed(peers.hmac_floor(case)), OURS: timed(peers.ours_hs256(case))}
    rounds = compare({**ours, **theirs}, rounds=effort.times(500), seconds=0.002)
    foreign = compare({OURS: ours[OURS], **others}, rounds=effort.times(50))
    return Section(
        key=f"hs256_{size}",
        title=f"HS256 alone, {'a user with an id alone' if size == 'small' else 'a user with 50 attributes'}",
        note="The token for Intercom without the one for Salesforce.",
        figures=(*rounds.figures(), *foreign.figures()[1:]),
        ratios={
            "HS256 ÷ best Python peer": rounds.ratio(OURS, rounds.best(list(theirs))),
            **{f"HS256 ÷ {name}": rounds.ratio(OURS, name) for name in (FLOOR, *theirs)},
            **{f"HS256 ÷ {name}": foreign.ratio(OURS, name) for name in others},
        },
    )
