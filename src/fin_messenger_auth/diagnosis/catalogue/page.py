"""What can be wrong with the settings of a page."""

from __future__ import annotations

from .addresses import INTERCOM_JWT
from .entry import DOCUMENTED, ERROR, WARNING, Entry

ENTRIES = (
    Entry(
        "settings-token-missing",
        "settings",
        ERROR,
        "There is a user_id and no intercom_user_jwt: anybody could write it.",
        "Send the token that belongs to the user, or neither of both to an anonymous visitor.",
        DOCUMENTED,
        INTERCOM_JWT,
    ),
    Entry(
        "settings-token-as-user-hash",
        "settings",
        ERROR,
        "A JWT stands under user_hash.",
        "Send it under intercom_user_jwt.",
        DOCUMENTED,
        INTERCOM_JWT,
    ),
    Entry(
        "settings-user-hash",
        "settings",
        WARNING,
        "A user_hash stands beside intercom_user_jwt; it is deprecated.",
        "Remove it.",
        DOCUMENTED,
        INTERCOM_JWT,
    ),
    Entry(
        "settings-signed-twice",
        "settings",
        WARNING,
        "{name} is signed, and stands beside the token in the clear, where the visitor can change it.",
        "Leave it out of the plain settings.",
        DOCUMENTED,
        INTERCOM_JWT,
    ),
)
"""The entries of this part."""
