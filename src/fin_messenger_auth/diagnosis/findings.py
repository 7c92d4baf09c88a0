"""What a check finds: a code that stays, a sentence, the mend, and on whose word it rests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """It will not work, or it is unsafe."""

    WARNING = "warning"
    """It works, perhaps not for long, or is probably not what was meant."""

    UNCHECKED = "unchecked"
    """It could not be looked at from here; the mend says where to look."""


class Evidence(StrEnum):
    """On whose word a finding rests."""

    DOCUMENTED = "documented"
    """A vendor's documentation or a standard."""

    SOURCE = "vendor source"
    """Code that a vendor published."""

    REPORT = "field report"
    """Somebody saw it happen."""

    INFERENCE = "our inference"
    """It follows from the rest, and nobody has written it down."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found. No healthy set-up has an error or a warning.

    No finding holds a key, a secret, a token or personal data.

    Attributes:
        code: What it is, for machines: it stays the same from version to version.
        check: Which check found it.
        level: How much it weighs.
        message: What is wrong, in a sentence.
        mend: What to do about it.
        evidence: On whose word it rests.
        address: Where that can be read, or ``None``.
    """

    code: str
    check: str
    level: Level
    message: str
    mend: str
    evidence: Evidence
    address: str | None


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether one of ``findings`` is an error."""
    return any(each.level is Level.ERROR for each in findings)
