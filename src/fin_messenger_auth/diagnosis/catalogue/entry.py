"""A kind of finding, and short names for what the tables repeat."""

from __future__ import annotations

from dataclasses import dataclass

from fin_messenger_auth.diagnosis.findings import Evidence, Finding, Level

ERROR, WARNING, UNCHECKED = Level.ERROR, Level.WARNING, Level.UNCHECKED

DOCUMENTED, SOURCE, REPORT, INFERENCE = Evidence.DOCUMENTED, Evidence.SOURCE, Evidence.REPORT, Evidence.INFERENCE


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of finding, as the catalogue lists it.

    Attributes:
        code: What it is, for machines.
        check: The check that it belongs to, as ``inspect`` and ``doctor`` show it.
        level: How much it weighs.
        message: What is wrong, with ``{names}`` for what differs from case to case.
        mend: What to do about it, with the same names.
        evidence: On whose word it rests.
        address: Where that can be read, or ``None``.
    """

    code: str
    check: str
    level: Level
    message: str
    mend: str
    evidence: Evidence
    address: str | None = None

    def finding(self, details: dict[str, object]) -> Finding:
        """Return the finding for one case.

        Args:
            details: What the names in message and mend stand for.
        """
        return Finding(
            code=self.code,
            check=self.check,
            level=self.level,
            message=self.message.format(**details),
            mend=self.mend.format(**details),
            evidence=self.evidence,
            address=self.address,
        )
