"""Prints findings, for a person and for a machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN

from ._findings import Finding, Level

MARKS = {Level.ERROR: "✗", Level.WARNING: "!", Level.UNCHECKED: "?"}
"""What stands before a finding, most serious first. ``✓`` stands before a check that found nothing."""

_FIRST_CHECKS = ("form", "wrapping", "algorithm", "signature")
TOKEN_CHECKS: dict[str, tuple[str, ...]] = {
    INTERCOM_TOKEN: (*_FIRST_CHECKS, "user", "times", "attributes"),
    SALESFORCE_TOKEN: (*_FIRST_CHECKS, "key id", "issuer", "user", "times", "audience"),
}
"""The checks of each token, in the order in which they are shown."""

# If the check on the left found something, those on the right did not run, or not to the end.
_ENDED_BY = {
    "form": {check for checks in TOKEN_CHECKS.values() for check in checks},
    "algorithm": {"signature", "key id"},
    "signature": {"key id"},
}


def token_report(name: str, findings: Sequence[Finding]) -> str:
    """Return what the platform would say of a token, check by check, including the checks that it passed."""
    found = {each.check for each in findings}
    skipped = {each for check in found for each in _ENDED_BY.get(check, ())}
    lines: list[str] = []
    for check in TOKEN_CHECKS[name]:
        if check in found:
            lines += [line for each in findings if each.check == check for line in _lines(each)]
        elif check not in skipped:
            lines.append(f"✓ {check}")
    return "\n".join(lines)


def report(findings: Iterable[Finding]) -> str:
    """Return findings as lines: errors first, then warnings, then what could not be checked."""
    ordered = sorted(findings, key=lambda each: list(MARKS).index(each.level))
    return "\n".join(line for each in ordered for line in _lines(each))


def summary(findings: Iterable[Finding]) -> str:
    """Return in one line how many findings there are of each level."""
    count = Counter(each.level for each in findings)
    errors, warnings = (
        f"{count[level]} {level}{'' if count[level] == 1 else 's'}" for level in (Level.ERROR, Level.WARNING)
    )
    return f"{errors}, {warnings}, {count[Level.UNCHECKED]} unchecked"


def as_json(findings: Iterable[Finding], **beside: Any) -> str:  # noqa: ANN401 - any JSON
    """Return findings as a JSON document: counted by level in ``summary``, and with every field of each."""
    found = [asdict(each) for each in findings]
    count = Counter(each["level"] for each in found)
    return json.dumps({**beside, "summary": {level: count[level] for level in Level}, "findings": found}, indent=2)


def _lines(finding: Finding) -> list[str]:
    source = f"{finding.evidence}: {finding.url}" if finding.url else str(finding.evidence)
    return [
        f"{MARKS[finding.level]} {finding.check}: {finding.message}",
        f"    → {finding.fix}",
        f"    {finding.level}: {finding.code} ({source})",
    ]
