"""What is wrong with ``window.intercomSettings`` beside the tokens themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fin_messenger_auth.intercom import TOKEN as INTERCOM

from .findings import Finding, finding
from .token_checks import check_form

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Check the settings of a page, except for the tokens, which have checks of their own.

    Args:
        settings: The settings of the page, from ``build_settings`` or from another program.
    """
    token, user_hash = settings.get(INTERCOM), settings.get("user_hash")
    findings = []
    if settings.get("user_id") is not None and not token:
        findings.append(finding("settings-token-missing"))
    if isinstance(user_hash, str) and _JWT.fullmatch(user_hash):
        findings.append(finding("settings-token-as-user-hash"))
    elif user_hash is not None and token:
        findings.append(finding("settings-user-hash"))
    parsed = check_form(token, INTERCOM)[0] if isinstance(token, str) else None
    if parsed is not None:
        twice = [name for name in settings if name in parsed.claims and name != "user_id"]
        findings += [finding("settings-signed-twice", name=repr(name)) for name in twice]
    return findings
