"""The texts that are typed into Salesforce and repeated in every token, byte for byte."""

from __future__ import annotations

from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.json_values import configured_string
from fin_messenger_auth.salesforce import FIN_ISSUER


def checked_kid(kid: object, name: str = "kid") -> str:
    """Return a new key's id.

    Args:
        kid: The key id.
        name: What to call it in the error.

    Raises:
        ConfigurationError: It is no text, blank, or has blanks at an end, where nobody sees them.
    """
    text = configured_string(kid, name)
    if text != text.strip():
        raise ConfigurationError(f"{name} has blanks or a line end around it, and they would count; take them off.")
    return text


def checked_issuer(issuer: object, name: str = "issuer") -> str:
    """Return a new keyset's issuer.

    Args:
        issuer: The issuer.
        name: What to call it in the error.

    Raises:
        ConfigurationError: It is no text, blank, has blanks at an end, or is Fin's own.
    """
    text = checked_kid(issuer, name)
    if text.lower() == FIN_ISSUER:
        raise ConfigurationError(
            f"{name} is {FIN_ISSUER}, which belongs to tokens that Fin makes with its own key; choose one of your own."
        )
    return text
