"""Environment variables to everything that is wrong with them, or to the builder's arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypedDict, TypeVar, cast

from .errors import ConfigurationError, FinMessengerAuthError, Problem, collect_warnings, problems_of, raise_first
from .intercom import TOKEN as INTERCOM_TOKEN
from .intercom import IntercomMinter
from .json_values import configured_string
from .jws import DEFAULT_LIFETIME, whole_seconds
from .keys import EnvKeySource, FileKeySource, MaskedBytes, StringKeySource, read_key
from .salesforce import TOKEN as SALESFORCE_TOKEN
from .salesforce import SalesforceMinter, checked_audience, checked_issuer
from .settings import Region, api_base_of
from .signers import HMACSigner, RSASigner, configured_secret

FIN_MANAGED = "fin-managed"
"""The value of ``SALESFORCE_IDENTITY`` that says that Fin makes the second token."""

SECRET, KEY, PASSWORD = "INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD"

INTERCOM_VARIABLES = ("INTERCOM_APP_ID", SECRET)
"""What is always required."""

SALESFORCE_VARIABLES = (KEY, "SALESFORCE_KEY_ID", "SALESFORCE_ISSUER", "SALESFORCE_AUDIENCE")
"""What goes together where the second token is made with your own key."""

IN_FILES = (SECRET, KEY, PASSWORD)
"""What may be given as ``…_FILE`` instead, the path of a file that holds it."""

_ALL_VARIABLES = (
    *INTERCOM_VARIABLES,
    *SALESFORCE_VARIABLES,
    *(f"{name}_FILE" for name in IN_FILES),
    *("INTERCOM_REGION", "INTERCOM_TOKEN_LIFETIME"),
    *("SALESFORCE_IDENTITY", "SALESFORCE_TOKEN_LIFETIME", PASSWORD),
)

_MAX_DIGITS = 10  # of a number of seconds: three centuries


_T = TypeVar("_T")


class BuilderArguments(TypedDict):
    """What the environment says of a :class:`~fin_messenger_auth.TokenPairBuilder`."""

    app_id: str
    intercom: IntercomMinter
    salesforce: SalesforceMinter | None
    region: Region


def read_environment(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> Reading:
    """Read the whole configuration. It raises nothing: every problem is in the result.

    Args:
        environ: The variables; the process's own environment if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """
    return Reading(os.environ if environ is None else environ, prefix)


class Reading:
    """What was read from the environment. Its ``repr`` shows none of it.

    Attributes:
        problems: What is wrong, in the order of reading. The builder raises the first error.
        arguments: The builder's arguments; ``None`` if there is an error.
        secret: The Messenger API Secret; ``None`` if it is missing or cannot be used.
        password: The password of the private key; ``None`` likewise.
        salesforce_signer: What signs the second token; ``None`` if Fin makes it or the key cannot be used.
        key_files: The files that hold a secret or a key, by the variable that names them.
    """

    def __init__(self, environ: Mapping[str, str], prefix: str) -> None:
        self._environ, self._prefix = environ, prefix
        self.problems: list[Problem] = []
        self.secret: MaskedBytes | None = None
        self.password: MaskedBytes | None = None
        self.salesforce_signer: RSASigner | None = None
        self.key_files: dict[str, str] = {}
        self.arguments: BuilderArguments | None = self._read()

    def checked_arguments(self) -> BuilderArguments:
        """Return the builder's arguments, after issuing the warnings.

        Raises:
            ConfigurationError: A variable is missing, contradicts another or has an invalid value; the first error.
            KeyUnavailableError: A file that a variable names cannot be read.
        """
        raise_first(self.problems)
        assert self.arguments is not None  # noqa: S101 - there is no error
        return self.arguments

    @property
    def fin_managed(self) -> bool:
        """Whether Fin makes the Salesforce token."""
        return self.value("SALESFORCE_IDENTITY") == FIN_MANAGED

    def value(self, name: str) -> str:
        """Return the value of a variable; an empty string if it is missing, blank or not a string."""
        value = self._environ.get(self._prefix + name, "")
        return value if isinstance(value, str) and value.strip() else ""

    def _read(self) -> BuilderArguments | None:
        own = [name for name in SALESFORCE_VARIABLES if self._is_set(name)]
        self._check_types()
        self._check_completeness(own)
        region = self.value("INTERCOM_REGION") or "us"
        self._attempt(lambda: api_base_of(region, name=self._prefix + "INTERCOM_REGION"))
        app_id = self._checked("INTERCOM_APP_ID", configured_string)
        intercom = self._intercom()
        salesforce = self._salesforce() if own else None
        if app_id is None or intercom is None or any(isinstance(each, FinMessengerAuthError) for each in self.problems):
            return None
        return {
            "app_id": app_id,
            "intercom": intercom,
            "salesforce": salesforce,
            "region": cast("Region", region),
        }

    def _check_types(self) -> None:
        for name in _ALL_VARIABLES:
            value = self._environ.get(self._prefix + name, "")
            if not isinstance(value, str):
                self._note(f"{self._prefix}{name}: expected a str, got {type(value).__name__}.", "argument-invalid")

    def _check_completeness(self, own: Sequence[str]) -> None:
        """Check what must be set together; a lost variable must never turn every chat into a guest's."""
        identity, identity_name = self.value("SALESFORCE_IDENTITY"), self._prefix + "SALESFORCE_IDENTITY"
        if missing := [name for name in INTERCOM_VARIABLES if not self._is_set(name)]:
            self._note(f"{self._names(missing)} must be set.", "variable-missing")
        if own and not identity and len(own) < len(SALESFORCE_VARIABLES):
            missing = [name for name in SALESFORCE_VARIABLES if name not in own]
            self._note(f"{self._names(missing)} must be set too, as all four go together.", "variable-missing")
        if identity and identity != FIN_MANAGED:
            self._note(f"{identity_name}: expected {FIN_MANAGED}.", "salesforce-signer-ambiguous")
        elif identity and own:
            self._note(
                f"{identity_name}={FIN_MANAGED} says that Fin makes the Salesforce token, and {self._names(own)} that "
                "you do; unset one or the other.",
                "salesforce-signer-ambiguous",
            )
        elif not (identity or own):
            self._note(
                f"Who makes the Salesforce token? If Fin does, set {identity_name}={FIN_MANAGED}; "
                f"if you do, with your own key, set {self._names(SALESFORCE_VARIABLES)}.",
                "salesforce-signer-unset",
            )

    def _intercom(self) -> IntercomMinter | None:
        lifetime = self._lifetime("INTERCOM_TOKEN_LIFETIME", INTERCOM_TOKEN)
        variable, raw = self._key(SECRET)
        secret = self.secret = None if raw is None else self._attempt(lambda: configured_secret(raw), variable)
        if secret is None:
            return None
        return _quietly(lambda: IntercomMinter(HMACSigner(StringKeySource(secret)), lifetime=lifetime))

    def _salesforce(self) -> SalesforceMinter | None:
        lifetime = self._lifetime("SALESFORCE_TOKEN_LIFETIME", SALESFORCE_TOKEN)
        kid = self._checked("SALESFORCE_KEY_ID", configured_string)
        issuer = self._checked("SALESFORCE_ISSUER", checked_issuer)
        audience = self._checked("SALESFORCE_AUDIENCE", checked_audience)
        signer = self.salesforce_signer = self._rsa_signer(kid)
        if kid is None or issuer is None or audience is None or signer is None:
            return None
        return _quietly(lambda: SalesforceMinter(signer, issuer=issuer, audience=audience, lifetime=lifetime))

    def _rsa_signer(self, kid: str | None) -> RSASigner | None:
        (variable, key), (_, self.password) = self._key(KEY), self._key(PASSWORD)
        if key is None or (self.password is None and self._is_set(PASSWORD)):
            return None
        source, opener = StringKeySource(key), None if self.password is None else StringKeySource(self.password)
        return self._attempt(lambda: RSASigner(source, kid=kid, password=opener), variable)

    def _key(self, name: str) -> tuple[str, MaskedBytes | None]:
        """Return the variable that holds or names a key, and the key as it was read."""
        variable, path = self._prefix + name, self.value(f"{name}_FILE")
        if path and self.value(name):
            self._note(f"{variable} and {variable}_FILE are both set; unset one.", "variable-and-file")
            return variable, None
        if not self._is_set(name):
            return variable, None
        if not path:
            return variable, self._attempt(lambda: read_key(EnvKeySource(variable, environ=self._environ)))
        variable = f"{variable}_FILE"
        self.key_files[variable] = path
        return variable, self._attempt(lambda: read_key(FileKeySource(path)), variable)

    def _lifetime(self, name: str, token: str) -> timedelta:
        digits = self.value(name).strip()
        if not digits:
            return DEFAULT_LIFETIME
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
            self._note(f"{self._prefix}{name}: expected a whole number of seconds, such as 3600.", "lifetime-invalid")
            return DEFAULT_LIFETIME
        lifetime = timedelta(seconds=int(digits))
        valid = self._attempt(lambda: whole_seconds(lifetime, token), self._prefix + name)
        return lifetime if valid else DEFAULT_LIFETIME

    def _checked(self, name: str, check: Callable[[object, str], str]) -> str | None:
        value = self.value(name)
        return self._attempt(lambda: check(value, self._prefix + name)) if value else None

    def _attempt(self, make: Callable[[], _T], variable: str = "") -> _T | None:
        """Call ``make``; note its error and its warnings, with the name of the variable where they lack it."""
        made: list[_T] = []
        for problem in problems_of(lambda: made.append(make())):
            named = type(problem)(f"{variable}: {problem.message}", problem.code) if variable else problem
            named.__cause__ = problem.__cause__
            self.problems.append(named)
        return made[0] if made else None

    def _note(self, message: str, code: str) -> None:
        self.problems.append(ConfigurationError(message, code))

    def _is_set(self, name: str) -> bool:
        return bool(self.value(name) or (name in IN_FILES and self.value(f"{name}_FILE")))

    def _names(self, names: Sequence[str]) -> str:
        *others, last = [self._prefix + name for name in names]
        return f"{', '.join(others)} and {last}" if others else last


def _quietly(make: Callable[[], _T]) -> _T:
    """Call ``make`` without its warnings, which were noted by the names of their variables."""
    with collect_warnings():
        return make()
