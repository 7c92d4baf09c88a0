"""What remains to be done: the environment variables to set, and the steps in Salesforce's Setup."""

from __future__ import annotations

import shlex

from fin_messenger_auth.errors import ConfigurationError, masked
from fin_messenger_auth.json_values import configured_string
from fin_messenger_auth.salesforce import AUDIENCE_PLACEHOLDER, FIN_ISSUER, is_fin_issuer

from .key_directory import KeyDirectory

DEFAULT_ISSUER = "fin-messenger-auth"  # the default issuer. Any string will do: Salesforce only compares it
PASSWORD_PLACEHOLDER = "/path/to/the/password"  # noqa: S105 - a path, which does not exist
"""What is printed for the path of the password's file, to be replaced."""


def checked_issuer(issuer: object, name: str = "issuer") -> str:
    """Return the issuer of a new keyset, checked; ``name`` is what the error calls it."""
    plain = configured_string(issuer, name)
    if is_fin_issuer(plain):
        raise ConfigurationError(
            f"{name} is {FIN_ISSUER}, the issuer of the tokens that Fin makes with its own key; choose another.",
            "issuer-fin",
        )
    return plain


@masked
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


@masked
def salesforce_steps(directory: KeyDirectory, *, issuer: str = DEFAULT_ISSUER) -> list[str]:
    """Return the steps in Salesforce's Setup, in order, with the values filled in.

    Args:
        directory: The key.
        issuer: The keyset's issuer.
    """
    checked_issuer(issuer)
    add = f'add the key "{directory.kid}". In a rotation, add it to the existing keyset, and stop here'
    return [
        f"Setup > Enhanced Chat User Verification > New Key: upload {directory.jwk} and activate the key.",
        f'The same page > New Keyset: issuer "{issuer}", exactly so; type Keys; {add}.',
        "Setup > Messaging Settings > the channel's row > Edit: tick Add User Verification.",
        "Open the channel > User Verification Configuration > New: choose the keyset, tick Active.",
        "Setup > Embedded Service Deployments > the deployment (type Custom Client): Publish.",
        "Fin's setup page for Salesforce: press Verify.",
    ]
