"""Every code that a check can return, in the order of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import intercom, salesforce, tokens

if TYPE_CHECKING:
    from fin_messenger_auth.diagnosis.findings import Finding

    from .entry import Entry

CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in (*tokens.ENTRIES, *intercom.ENTRIES, *salesforce.ENTRIES)}
"""The entries by their code."""


def finding(code: str, /, **details: object) -> Finding:
    """Return the finding of ``code`` for one case.

    Args:
        code: Which entry of the catalogue.
        **details: What the names in its message and mend stand for.
    """
    return CATALOGUE[code].finding(details)
