"""Environment variables, or the files that they name, to values and a list of what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .errors import ConfigurationError, FinMessengerAuthError, Problem, attempt
from .keys import EnvKeySource, FileKeySource, MaskedBytes, read_key

_T = TypeVar("_T")

SECRET, KEY, PASSWORD = "INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD"
KEY_ID, PIN = "SALESFORCE_KEY_ID", "SALESFORCE_PKCS11_PIN"

IN_FILES = (SECRET, KEY, PASSWORD, KEY_ID, PIN)
"""What may be given as ``…_FILE`` instead, the path of a file that holds it."""


MEANINGS = {
    "INTERCOM_APP_ID": "the ID of the Intercom workspace",
    SECRET: "the Messenger API Secret of the platform *web*: Intercom, Settings > Messenger > Security",
    "INTERCOM_REGION": "where Intercom keeps the workspace's data: `us` (default), `eu`, `ap` (also written `au`)",
    "INTERCOM_TOKEN_LIFETIME": "how long `intercom_user_jwt` is valid, in seconds; default 3600",
    "SALESFORCE_IDENTITY": "`fin-managed`: Fin makes the second token, and there is no Salesforce key here",
    KEY: "the RSA private key, as PEM; newlines may be written as `\\n`",
    "SALESFORCE_SIGNER": "in place of the private key: the name of an installed signer, `aws-kms`, `pkcs11` or another",
    KEY_ID: "the `kid`, exactly as in the JWK that was uploaded to Salesforce",
    "SALESFORCE_ISSUER": "the keyset's JWT Issuer, byte for byte: case and a final slash count",
    "SALESFORCE_AUDIENCE": "`https://<subdomain>.my.salesforce-scrt.com`",
    PASSWORD: "the password of the private key, if it is encrypted",
    "SALESFORCE_TOKEN_LIFETIME": "how long `salesforce_identity_token` is valid, in seconds; default 3600",
    "MESSENGER_ON_SIGNING_ERROR": "what a page gets when a signer fails: `raise`, `anonymous` or `intercom-only`",
    "SALESFORCE_AWS_KMS_KEY_ID": "for `aws-kms`: the ID or ARN of the key; region and credentials are boto3's own",
    "SALESFORCE_PKCS11_MODULE": "for `pkcs11`: the path of the HSM's module",
    "SALESFORCE_PKCS11_TOKEN": "for `pkcs11`: the label of the HSM's token",
    "SALESFORCE_PKCS11_KEY": "for `pkcs11`: the label of the key",
    PIN: "for `pkcs11`: the user PIN",
    "FIN_MESSENGER_WIDGET_BASE": "for development: loads the widget from the sandbox on this machine; takes no prefix",
}
"""Every variable that this library reads, and what it means, in Markdown. The docs show it."""

ALL_VARIABLES = (*MEANINGS, *(f"{name}_FILE" for name in IN_FILES))  # the names of all of them


class Variables:
    """The variables of one configuration, and the problems that were found. Its ``repr`` shows none of them.

    Args:
        environ: The variables; the process's own environment if ``None``. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """

    def __init__(self, environ: Mapping[str, str] | None, prefix: str) -> None:
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.prefix: str = prefix
        self.problems: list[Problem] = []  # in the order of reading
        self.key_files: dict[str, str] = {}  # files that hold a secret or a key, by the variable that names them

    def value(self, name: str) -> str:
        """Return the value of a variable; an empty string if it is missing, blank or not a string."""
        value = self.environ.get(self.prefix + name, "")
        return value if isinstance(value, str) and value.strip() else ""

    def is_set(self, name: str) -> bool:
        """Tell whether the variable is set, or the one that names its file."""
        return bool(self.value(name) or (name in IN_FILES and self.value(f"{name}_FILE")))

    @property
    def is_empty(self) -> bool:
        """Whether none of the variables is set."""
        return not any(map(self.is_set, MEANINGS))

    def require(self, *names: str, why: str = "") -> None:
        """Note which of the variables are missing."""
        if missing := [name for name in names if not self.is_set(name)]:
            self.note(f"{self.names(missing)} must be set{why}.", "variable-missing")

    def key(self, name: str) -> tuple[str, MaskedBytes | None]:
        """Return the variable that holds or names a key, and the key as it was read."""
        variable, path = self.prefix + name, self.value(f"{name}_FILE")
        if path and self.value(name):
            self.note(f"{variable} and {variable}_FILE are both set; unset one.", "variable-and-file")
            return variable, None
        if not (path or self.value(name)):
            return variable, None
        if not path:
            return variable, self.attempt(lambda: read_key(EnvKeySource(variable, environ=self.environ)))
        variable = f"{variable}_FILE"
        self.key_files[variable] = path
        return variable, self.attempt(lambda: read_key(FileKeySource(path)), variable)

    def attempt(self, make: Callable[[], _T], variable: str = "") -> _T | None:
        """Call ``make``; note its error and its warnings, with the name of the variable where they lack it."""
        made, problems = attempt(make)
        for problem in problems:
            named = type(problem)(f"{variable}: {problem.message}", problem.code) if variable else problem
            named.__cause__ = problem.__cause__
            self.problems.append(named)
        return made

    def note(self, message: str, code: str) -> None:
        """Add an error."""
        self.problems.append(ConfigurationError(message, code))

    @property
    def has_errors(self) -> bool:
        """Whether one of the problems is an error."""
        return any(isinstance(each, FinMessengerAuthError) for each in self.problems)

    def names(self, names: Sequence[str]) -> str:
        """Return the names of variables, with the prefix, as a phrase."""
        return phrase([self.prefix + name for name in names])


def phrase(names: Sequence[str], last_word: str = "and") -> str:
    """Return names as in a sentence: ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} {last_word} {last}" if others else last
