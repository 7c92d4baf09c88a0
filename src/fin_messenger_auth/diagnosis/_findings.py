"""Makes findings: a stable code, what is wrong, the fix, and the evidence for it.

The texts are data, in the TOML files of ``catalogue/``; only this module reads them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from typing import Any

from fin_messenger_auth.errors import FinMessengerAuthWarning, Problem

_PARTS = ("tokens", "keys", "page", "setup")


class Level(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    """It will not work, or it is unsafe."""

    WARNING = "warning"
    """It works, but perhaps not for long, or it is probably a mistake."""

    UNCHECKED = "unchecked"
    """It could not be checked from here; the fix says where to look."""


class Evidence(StrEnum):
    """What a finding rests on."""

    DOCUMENTED = "documented"
    """A vendor's documentation or a standard."""

    SOURCE = "vendor source"
    """Code that a vendor published."""

    REPORT = "field report"
    """Somebody has seen it happen."""

    INFERENCE = "our inference"
    """It follows from the rest, but is not documented."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem that a check has found, or an entry of the catalogue of all of them.

    A healthy configuration has no error and no warning. No finding holds a key, a secret, a token or personal data.

    Attributes:
        code: What it is, for machines; it keeps its meaning from version to version.
        check: Which check found it.
        level: How serious it is.
        message: What is wrong. In the catalogue, ``{placeholders}`` stand for what differs from case to case.
        fix: What to do about it, with the same placeholders.
        evidence: What it rests on.
        url: Where that can be read, or ``None``.
    """

    code: str
    check: str
    level: Level
    message: str
    fix: str
    evidence: Evidence
    url: str | None


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether one of ``findings`` is an error."""
    return any(each.level is Level.ERROR for each in findings)


def finding(code: str, /, *, check: str | None = None, **details: object) -> Finding:
    """Return the finding of ``code`` for one case, with the values of the placeholders in its message and fix."""
    entry = CATALOGUE[code]
    message, fix = (each.format(**details) for each in (entry.message, entry.fix))
    return replace(entry, check=check or entry.check, message=message, fix=fix)


def finding_of(problem: Problem) -> Finding:
    """Return the finding that says the same as an error or a warning of this library, in its words.

    What is an error in one place may be only a warning in another.
    """
    level = Level.WARNING if isinstance(problem, FinMessengerAuthWarning) else Level.ERROR
    return replace(CATALOGUE[problem.code], message=problem.message, level=level)


def _read(part: str) -> dict[str, Any]:
    return tomllib.loads(files("fin_messenger_auth.diagnosis").joinpath(f"catalogue/{part}.toml").read_text("utf-8"))


def _entries() -> Iterable[Finding]:
    urls: dict[Any, Any] = {None: None, **_read("sources")}
    for entry in [each for part in _PARTS for each in _read(part)["finding"]]:
        url = urls[entry.pop("source", None)]
        yield Finding(**{**entry, "level": Level(entry["level"]), "evidence": Evidence(entry["evidence"])}, url=url)


CATALOGUE: dict[str, Finding] = {entry.code: entry for entry in _entries()}
"""Every entry, by its code."""
