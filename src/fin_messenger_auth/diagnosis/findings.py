"""What a check finds: a code that stays, what is wrong, the fix, and on whose word it rests.

The texts are data, in the TOML files of ``catalogue/``; this module is their only reader.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, KeyUnavailableError

_PARTS = ("tokens", "keys", "setup")


class Level(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    """It will not work, or it is unsafe."""

    WARNING = "warning"
    """It works, but perhaps not for long, or it is probably a mistake."""

    UNCHECKED = "unchecked"
    """It could not be checked from here; the fix says where to look."""


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
    """One problem that a check has found, or an entry of the catalogue of all of them.

    A healthy set-up has no error and no warning. No finding holds a key, a secret, a token or personal data.

    Attributes:
        code: What it is, for machines: it stays the same from version to version.
        check: Which check found it.
        level: How serious it is.
        message: What is wrong. In the catalogue, ``{names}`` stand for what differs from case to case.
        fix: What to do about it, with the same names.
        evidence: On whose word it rests.
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


def finding(code: str, /, **details: object) -> Finding:
    """Return the finding of ``code`` for one case.

    Args:
        code: Which entry of the catalogue.
        **details: What the names in its message and fix stand for.
    """
    entry = CATALOGUE[code]
    return replace(entry, message=entry.message.format(**details), fix=entry.fix.format(**details))


def finding_of(problem: ConfigurationError | KeyUnavailableError | FinMessengerAuthWarning) -> Finding:
    """Return the finding that says the same as an error or a warning of this library.

    Args:
        problem: The error or the warning; its message becomes the finding's.
    """
    return replace(CATALOGUE[problem.code], message=problem.message)


def _read(part: str) -> dict[str, Any]:
    return tomllib.loads(files("fin_messenger_auth.diagnosis").joinpath(f"catalogue/{part}.toml").read_text("utf-8"))


def _entries() -> Iterable[Finding]:
    sources = _read("sources")
    for part in _PARTS:
        for entry in _read(part)["finding"]:
            yield Finding(
                code=entry["code"],
                check=entry["check"],
                level=Level(entry["level"]),
                message=entry["message"],
                fix=entry["fix"],
                evidence=Evidence(entry["evidence"]),
                url=sources[entry["source"]] if "source" in entry else None,
            )


CATALOGUE: dict[str, Finding] = {entry.code: entry for entry in _entries()}
"""Every entry by its code, in the order of the documentation."""
