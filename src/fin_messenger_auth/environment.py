"""Environment variables to the builder's arguments; every mistake is a sentence that names the variable."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict, cast

from .errors import ConfigurationError, FinMessengerAuthError, FinMessengerAuthWarning
from .intercom import IntercomMinter
from .json_values import configured_text
from .jws import DEFAULT_LIFETIME
from .keys import EnvKeySource, FileKeySource, StringKeySource, read_key
from .salesforce import SalesforceMinter
from .settings import Region, api_base_of
from .signers import HMACSigner, RSASigner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .keys import KeySource

FIN_MANAGED = "fin-managed"
"""The value of ``SALESFORCE_IDENTITY`` that says that Fin makes the second token."""

INTERCOM_VARIABLES = ("INTERCOM_APP_ID", "INTERCOM_MESSENGER_SECRET")
"""What is always needed."""

SALESFORCE_VARIABLES = ("SALESFORCE_PRIVATE_KEY", "SALESFORCE_KEY_ID", "SALESFORCE_ISSUER", "SALESFORCE_AUDIENCE")
"""What goes together where the second token is made with your own key."""

IN_FILES = frozenset({"INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD"})
"""What may be given as ``…_FILE`` instead, the path of a file that holds it."""


_MAX_DIGITS = 10  # of a number of seconds: three centuries


class BuilderArguments(TypedDict):
    """What the environment says of a :class:`~fin_messenger_auth.TokenPairBuilder`."""

    app_id: str
    intercom: IntercomMinter
    salesforce: SalesforceMinter | None
    region: Region


class Environment:
    """The configuration, in environment variables. Its ``repr`` shows none of them.

    Args:
        environ: The variables; the process's own environment if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, prefix: str = "") -> None:
        self._environ = os.environ if environ is None else environ
        self._prefix = prefix

    def builder_arguments(self) -> BuilderArguments:
        """Read the whole configuration.

        Raises:
            ConfigurationError: A variable is missing, contradicts another or holds an unusable value.
            KeyUnavailableError: A file that a variable names cannot be read.

        Warns:
            FinMessengerAuthWarning: A value begins or ends with a blank or a quote.
        """
        if missing := self._missing(INTERCOM_VARIABLES):
            raise ConfigurationError(f"{self._names(missing)} must be set.")
        region = self._get("INTERCOM_REGION") or "us"
        with _naming("INTERCOM_REGION"):
            api_base_of(region)
        self._warn_of_wrapping()
        return {
            "app_id": self._text("INTERCOM_APP_ID"),
            "intercom": self._intercom(),
            "salesforce": None if self._fin_makes_the_token() else self._salesforce(),
            "region": cast("Region", region),
        }

    def _intercom(self) -> IntercomMinter:
        name, source = self.key("INTERCOM_MESSENGER_SECRET")
        with _naming(name):
            signer = HMACSigner(source)
        return IntercomMinter(signer, lifetime=self._lifetime("INTERCOM_TOKEN_LIFETIME"))

    def _salesforce(self) -> SalesforceMinter:
        name, source = self.key("SALESFORCE_PRIVATE_KEY")
        password = self._password()
        kid = self._text("SALESFORCE_KEY_ID")
        with _naming(name):
            signer = RSASigner(source, kid=kid, password=password)
        return SalesforceMinter(
            signer,
            issuer=self._text("SALESFORCE_ISSUER"),
            audience=self._text("SALESFORCE_AUDIENCE"),
            lifetime=self._lifetime("SALESFORCE_TOKEN_LIFETIME"),
        )

    def _password(self) -> KeySource | None:
        if not self._has("SALESFORCE_PRIVATE_KEY_PASSWORD"):
            return None
        name, source = self.key("SALESFORCE_PRIVATE_KEY_PASSWORD")
        with _naming(name):
            return StringKeySource(read_key(source))

    def _fin_makes_the_token(self) -> bool:
        """Decide by what is set; a variable lost on the way must never turn every chat into a guest's."""
        own = [name for name in SALESFORCE_VARIABLES if self._has(name)]
        identity = self._get("SALESFORCE_IDENTITY")
        if identity and identity != FIN_MANAGED:
            raise ConfigurationError(f"{self._names(['SALESFORCE_IDENTITY'])} can only be {FIN_MANAGED}.")
        if identity and own:
            raise ConfigurationError(
                f"{self._names(['SALESFORCE_IDENTITY'])}={FIN_MANAGED} says that Fin makes the Salesforce token, "
                f"and {self._names(own)} that you do: unset one or the other."
            )
        if not identity and not own:
            raise ConfigurationError(
                "Who makes the Salesforce token? "
                f"If Fin does, set {self._names(['SALESFORCE_IDENTITY'])}={FIN_MANAGED}; "
                f"if you do, with your own key, set {self._names(SALESFORCE_VARIABLES)}."
            )
        if own and (missing := self._missing(SALESFORCE_VARIABLES)):
            raise ConfigurationError(f"{self._names(missing)} must be set too, as all four go together.")
        return bool(identity)

    def _warn_of_wrapping(self) -> None:
        for name in (*INTERCOM_VARIABLES, *SALESFORCE_VARIABLES[1:]):
            value = self._get(name)
            if name in IN_FILES:
                value = value.removesuffix("\n").removesuffix("\r")  # as the signer does
            if value != value.strip() or value[:1] in ("'", '"'):
                warnings.warn(
                    f"{self._prefix}{name} begins or ends with a blank or a quote, which counts as a part of it.",
                    FinMessengerAuthWarning,
                    stacklevel=4,
                )

    def _lifetime(self, name: str) -> timedelta:
        text = self._get(name).strip()
        if not text:
            return DEFAULT_LIFETIME
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text)):
            raise ConfigurationError(f"{self._prefix}{name} must be a whole number of seconds over 0, such as 3600.")
        return timedelta(seconds=int(text))

    def key(self, name: str) -> tuple[str, KeySource]:
        """Return the variable that says where a key is, and the source to read it from.

        Args:
            name: One of :data:`IN_FILES`.

        Raises:
            ConfigurationError: Both the variable and its ``…_FILE`` are set.
        """
        variable = self._prefix + name
        path = self._get(f"{name}_FILE")
        if not path:
            return variable, EnvKeySource(variable, environ=self._environ)
        if self._get(name):
            raise ConfigurationError(f"{variable} and {variable}_FILE are both set; unset one.")
        with _naming(f"{variable}_FILE"):
            return f"{variable}_FILE", FileKeySource(path)

    def _text(self, name: str) -> str:
        return configured_text(self._get(name), self._prefix + name)

    def _get(self, name: str) -> str:
        value = self._environ.get(self._prefix + name, "")
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._prefix}{name} must be a str, not {type(value).__name__}.")
        return value if value.strip() else ""

    def _has(self, name: str) -> bool:
        return bool(self._get(name) or (name in IN_FILES and self._get(f"{name}_FILE")))

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self._has(name)]

    def _names(self, names: Sequence[str]) -> str:
        *others, last = [self._prefix + name for name in names]
        return f"{', '.join(others)} and {last}" if others else last


@contextmanager
def _naming(variable: str) -> Iterator[None]:
    """Say which variable an error comes from."""
    try:
        yield
    except FinMessengerAuthError as error:
        raise type(error)(f"{variable}: {error}") from error
