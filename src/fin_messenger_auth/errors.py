"""Every error of this library, under one root.

.. code-block:: text

    FinMessengerAuthError
    ├── ConfigurationError (ValueError)   the application is wired up wrongly
    │   └── InvalidKeyError               the key is there and is no good
    ├── KeyUnavailableError               the key cannot be read
    ├── InvalidClaimError (ValueError)    a value cannot stand in a token or in the settings
    └── SigningError                      the signer failed

    FinMessengerAuthWarning (UserWarning) allowed, and probably not what you want

A message names the thing and the mend. It never holds a secret, a token or personal data.
"""

from __future__ import annotations


class FinMessengerAuthError(Exception):
    """The root of every error that this library raises on purpose."""


class ConfigurationError(FinMessengerAuthError, ValueError):
    """The application is wired up wrongly; no user and no request can change that."""


class InvalidKeyError(ConfigurationError):
    """A key or secret was read, and signing with it would be unsafe or certain to fail."""


class KeyUnavailableError(FinMessengerAuthError):
    """A key or secret cannot be read: a variable that is not set, a file that is not there."""


class InvalidClaimError(FinMessengerAuthError, ValueError):
    """A value cannot stand in a token or in the settings.

    Args:
        claim: The name of the claim, attribute or setting at fault.
        message: What is wrong and how to mend it, without the value.

    Attributes:
        claim: The name of the claim, attribute or setting at fault.
    """

    claim: str

    def __init__(self, claim: str, message: str) -> None:
        super().__init__(claim, message)
        self.claim = claim

    def __str__(self) -> str:
        """Name the claim first, then what is wrong with it."""
        return f"{self.claim}: {self.args[1]}"


class SigningError(FinMessengerAuthError):
    """A signer failed or returned something that is no signature; its own error is the cause."""


class FinMessengerAuthWarning(UserWarning):
    """Something is allowed and probably not what you want."""
