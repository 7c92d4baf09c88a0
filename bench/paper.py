"""What the figures mean for a site: reckoned on paper from what was measured, as sentences for the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from .measure import Figure, Section

PAGES_A_DAY = 1_000_000_000
SECONDS_A_DAY = 86_400
PEAK = 3
"""A day's busiest second against its mean: our own assumption."""

SPARE = 0.5
"""How much of a core's time signing may take: our own assumption."""

KMS_QUOTA = 1_000
"""Signatures a second: AWS's default for all RSA keys of an account and region together."""

VIEWS = 10
"""Views of one visit to a single-page application, which loads one page and signs once: our own assumption."""


def sentences(sections: Sequence[Section]) -> str:
    """Return the paragraphs, or as many of them as were measured."""
    seconds = {section.key: {figure.name: figure.median for figure in section.figures} for section in sections}
    added = {section.key: section.ratios for section in sections}
    pair, hs256 = seconds.get("pair_2048_small"), seconds.get("hs256_small")
    parts = []
    if pair and hs256:
        ours, floor = pair["this library, build"], pair["the floor: one HMAC, one RSA operation"]
        parts += [_per_core(ours, floor, hs256["this library, claims and jws.encode"]), _billion(ours)]
    parts.append(_kms())
    parts += [
        _page(name, added[key])
        for key, name in (("server_0_1", "Flask under gunicorn"), ("server_1_1", "FastAPI under uvicorn"))
        if key in added
    ]
    return "\n\n".join(parts) + "\n"


def _per_core(pair: float, floor: float, hs256: float) -> str:
    return (
        f"A pair takes {_ms(pair)} of one core, of which {_ms(floor)} are the two signatures themselves: "
        f"**about {_rounded(1 / pair)} pairs a second and core**. Where Fin makes the second token, the one that is "
        f"left takes {hs256 * 1e6:.1f} µs: about {_rounded(1 / hs256)} a second and core."
    )


def _billion(pair: float) -> str:
    mean = PAGES_A_DAY / SECONDS_A_DAY
    peak = mean * PEAK
    busy = peak * pair
    return (
        f"A billion page views a day are {_rounded(mean)} a second on average and, with a peak of {PEAK} times that, "
        f"{_rounded(peak)} a second. If each of them is signed with a local key, {ceil(busy)} cores sign at the peak "
        f"and do nothing else: **{ceil(busy / SPARE)} cores** if signing may take {SPARE:.0%} of a core's time, spread "
        f"over the machines that serve the pages anyway. With a KMS it would be {peak / KMS_QUOTA:.0f} times the "
        f"default quota. A single-page application with {VIEWS} views a visit signs a {VIEWS}th as often: "
        f"{ceil(busy / SPARE / VIEWS)} cores, or {peak / KMS_QUOTA / VIEWS:.1f} times the quota."
    )


def _kms() -> str:
    a_day = KMS_QUOTA * SECONDS_A_DAY / 1e6
    return (
        f"A quota of {KMS_QUOTA:,} signatures a second is {KMS_QUOTA:,} pages a second if every page signs: "
        f"{a_day:.0f} million a day if they came evenly, and {a_day / PEAK:.0f} million with a peak of {PEAK} times "
        "the mean."
    )


def _page(name: str, added: Mapping[str, Figure]) -> str:
    local, kms, down = (
        f"{_ms(added[f'added at the median, {kind}'].median)} at the median and "
        f"{_ms(added[f'added at p99, {kind}'].median)} at p99"
        for kind in ("local", "kms", "down")
    )
    return (
        f"{name}, one visitor at a time: a pair adds {local} with a local key; {kms} with a key 20 ms away; "
        f"{down} with one that refuses."
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _rounded(value: float) -> str:
    """Return two digits: more would promise too much."""
    return f"{int(float(f'{value:.2g}')):,}"
