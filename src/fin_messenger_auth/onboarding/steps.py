"""What is left to do by hand: the environment variables to set, and the way through Salesforce's Setup."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .texts import checked_issuer

if TYPE_CHECKING:
    from .directory import KeyDirectory

DEFAULT_ISSUER = "fin-messenger-auth"
"""The issuer that is suggested. Any text will do: Salesforce only compares it."""

AUDIENCE_PLACEHOLDER = "https://YOUR-SUBDOMAIN.my.salesforce-scrt.com"
"""What stands for the audience until it is replaced; ``doctor`` complains of it."""

PASSWORD_PLACEHOLDER = "/path/to/the/password"  # noqa: S105 - a path, and none that exists
"""What stands for the path of the password's file until it is replaced."""


def environment_lines(directory: KeyDirectory, *, issuer: str = DEFAULT_ISSUER) -> list[str]:
    """Return the Salesforce half of the environment, one ``NAME=value`` a line, quoted for a shell.

    Args:
        directory: The key.
        issuer: The keyset's issuer.
    """
    path = directory.private_key.absolute()
    variables = {
        "SALESFORCE_KEY_ID": directory.kid,
        "SALESFORCE_ISSUER": checked_issuer(issuer),
        "SALESFORCE_AUDIENCE": AUDIENCE_PLACEHOLDER,
        "SALESFORCE_PRIVATE_KEY_FILE": str(path),
    }
    if directory.encrypted:
        variables["SALESFORCE_PRIVATE_KEY_PASSWORD_FILE"] = PASSWORD_PLACEHOLDER
    return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]


def salesforce_steps(directory: KeyDirectory, *, issuer: str = DEFAULT_ISSUER) -> list[str]:
    """Return the steps in Salesforce's Setup, in order, with the values filled in.

    Args:
        directory: The key.
        issuer: The keyset's issuer.
    """
    checked_issuer(issuer)
    return [
        f"Setup > Enhanced Chat User Verification > New Key: upload {directory.jwk} and activate the key.",
        f'The same page > New Keyset: issuer "{issuer}", exactly so; type Keys; add the key "{directory.kid}".',
        "Setup > Messaging Settings > the channel's row > Edit: tick Add User Verification.",
        "Open the channel > User Verification Configuration > New: choose the keyset, tick Active.",
        "Setup > Embedded Service Deployments > the deployment (type Custom Client): Publish.",
        "Fin's setup page for Salesforce: press Verify.",
    ]
