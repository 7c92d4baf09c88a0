"""What is wrong with ``window.intercomSettings`` beside the tokens themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .compact import INTERCOM, read_token
from .findings import finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .findings import Finding

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


def check_settings(settings: Mapping[str, object]) -> list[Finding]:
    """Say what is wrong with the settings of a page, but for the tokens, which have checks of their own.

    Args:
        settings: What the page carries, as ``build_settings`` returns it or as another program made it.
    """
    token, user_hash = settings.get(INTERCOM), settings.get("user_hash")
    findings = []
    if settings.get("user_id") is not None and not token:
        findings.append(finding("settings-token-missing"))
    if isinstance(user_hash, str) and _JWT.fullmatch(user_hash):
        findings.append(finding("settings-token-as-user-hash"))
    elif user_hash is not None and token:
        findings.append(finding("settings-user-hash"))
    read = read_token(token, INTERCOM)[0] if isinstance(token, str) else None
    if read is not None:
        twice = [name for name in settings if name in read.claims and name != "user_id"]
        findings += [finding("settings-signed-twice", name=repr(name)) for name in twice]
    return findings
