"""What is wrong with the environment variables: everything at once, where the builder stops at the first."""

from __future__ import annotations

import os
import string
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth.environment import FIN_MANAGED, INTERCOM_VARIABLES, SALESFORCE_VARIABLES
from fin_messenger_auth.errors import FinMessengerAuthError, FinMessengerAuthWarning
from fin_messenger_auth.jws import RECOMMENDED_LIFETIME
from fin_messenger_auth.keys import EnvKeySource, FileKeySource, read_key
from fin_messenger_auth.onboarding.steps import AUDIENCE_PLACEHOLDER, PASSWORD_PLACEHOLDER
from fin_messenger_auth.pair import TokenPairBuilder
from fin_messenger_auth.salesforce import AUDIENCE_PATTERN, FIN_ISSUER
from fin_messenger_auth.settings import API_BASES

from .findings import Finding, finding, has_errors
from .key_checks import check_private_key, check_secret, mode_for_others

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fin_messenger_auth.keys import KeySource

SECRET, KEY, PASSWORD = "INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD"

_VERBATIM = ("INTERCOM_APP_ID", "SALESFORCE_KEY_ID", "SALESFORCE_ISSUER", "SALESFORCE_AUDIENCE")
_QUOTES = "\"'`"
_BLANKS_AND_QUOTES = string.whitespace + _QUOTES
_PLACEHOLDERS = {
    "SALESFORCE_AUDIENCE": AUDIENCE_PLACEHOLDER,
    "SALESFORCE_PRIVATE_KEY_PASSWORD_FILE": PASSWORD_PLACEHOLDER,
}


def check_environment(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> list[Finding]:
    """Say what is wrong with the environment variables that ``TokenPairBuilder.from_env`` reads.

    Args:
        environ: The variables; the process's own if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """
    variables = Variables(environ, prefix)
    findings = [
        *variables.check_completeness(),
        *variables.check_values(),
        *variables.check_secret(),
        *variables.check_key(),
        *variables.check_permissions(),
    ]
    if not has_errors(findings):
        findings += _refusal(environ, prefix)
    return findings


class Variables:
    """The environment, as the checks look at it.

    Args:
        environ: The variables; the process's own if left out.
        prefix: What stands before each variable's name.
    """

    def __init__(self, environ: Mapping[str, str] | None, prefix: str = "") -> None:
        self._environ = os.environ if environ is None else environ
        self._prefix = prefix

    def get(self, name: str) -> str:
        """Return a variable's value; an empty text if it is missing or blank."""
        value = self._environ.get(self._prefix + name, "")
        return value if value.strip() else ""

    def read(self, name: str) -> bytes | None:
        """Return what a variable or the file of its ``…_FILE`` holds, or ``None``."""
        path = self.get(f"{name}_FILE")
        if not (path or self.get(name)):
            return None
        try:
            source: KeySource = (
                FileKeySource(path) if path else EnvKeySource(self._prefix + name, environ=self._environ)
            )
            return read_key(source)
        except FinMessengerAuthError:
            return None

    @property
    def fin_managed(self) -> bool:
        """Whether Fin makes the Salesforce token."""
        return self.get("SALESFORCE_IDENTITY") == FIN_MANAGED

    def check_completeness(self) -> list[Finding]:
        """Say what is missing, and what contradicts what."""
        own = [name for name in SALESFORCE_VARIABLES if self._has(name)]
        identity = self.get("SALESFORCE_IDENTITY")
        wanted = [*INTERCOM_VARIABLES, *(SALESFORCE_VARIABLES if own and not identity else ())]
        missing = [name for name in wanted if not self._has(name)]
        findings = []
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            findings.append(finding("environment-incomplete", names=f"{self._names(missing)} {verb}"))
        if identity and identity != FIN_MANAGED:
            findings.append(finding("environment-identity"))
        if identity == FIN_MANAGED and own:
            findings.append(finding("environment-both-sign", names=self._names(own)))
        if not identity and not own:
            findings.append(finding("environment-nobody-signs"))
        return findings

    def check_values(self) -> list[Finding]:
        """Say which plain values are not what they must be."""
        findings = [
            finding("environment-blanks", name=self._prefix + name, what=what)
            for name in _VERBATIM
            for what in _around(self.get(name))
        ]
        findings += [
            finding("environment-placeholder", name=self._prefix + name)
            for name, placeholder in _PLACEHOLDERS.items()
            if self.get(name) == placeholder
        ]
        if self.get("INTERCOM_REGION") not in ("", *API_BASES):
            findings.append(finding("environment-region"))
        if self.get("SALESFORCE_ISSUER").strip().lower() == FIN_ISSUER:
            findings.append(finding("environment-issuer-fin"))
        audience = self.get("SALESFORCE_AUDIENCE").strip(_BLANKS_AND_QUOTES)
        if audience and not AUDIENCE_PATTERN.fullmatch(audience):
            findings.append(finding("environment-audience"))
        for name in ("INTERCOM_TOKEN_LIFETIME", "SALESFORCE_TOKEN_LIFETIME"):
            findings += self._check_lifetime(name)
        return findings

    def check_secret(self) -> list[Finding]:
        """Say what is wrong with the Messenger API Secret."""
        findings = self._check_source(SECRET)
        secret = self.read(SECRET)
        return findings if secret is None or findings else check_secret(secret)

    def check_key(self) -> list[Finding]:
        """Say what is wrong with the Salesforce key and its password."""
        findings = [*self._check_source(KEY), *self._check_source(PASSWORD)]
        key = self.read(KEY)
        return findings if key is None or findings else check_private_key(key, password=self.read(PASSWORD))

    def _check_source(self, name: str) -> list[Finding]:
        if not self.get(f"{name}_FILE"):
            return []
        if self.get(name):
            return [finding("environment-key-twice", name=self._prefix + name)]
        if self.read(name) is None:
            return [finding("environment-file", name=f"{self._prefix}{name}_FILE")]
        return []

    def check_permissions(self) -> list[Finding]:
        """Say which files of keys others on this machine can open."""
        paths = {name: Path(self.get(name)) for name in (f"{SECRET}_FILE", f"{KEY}_FILE") if self.get(name)}
        modes = {name: mode_for_others(path) for name, path in paths.items() if path.is_file()}
        return [
            finding("environment-permissions", name=self._prefix + name, mode=mode)
            for name, mode in modes.items()
            if mode is not None
        ]

    def _check_lifetime(self, name: str) -> list[Finding]:
        text = self.get(name)
        if not text:
            return []
        try:
            seconds = int(text)
        except ValueError:
            seconds = 0
        if seconds < 1:
            return [finding("environment-lifetime", name=self._prefix + name)]
        if seconds < RECOMMENDED_LIFETIME.total_seconds():
            return [finding("environment-lifetime-short", name=self._prefix + name)]
        return []

    def _has(self, name: str) -> bool:
        return bool(self.get(name) or (name in (SECRET, KEY) and self.get(f"{name}_FILE")))

    def _names(self, names: Sequence[str]) -> str:
        *others, last = [self._prefix + name for name in names]
        return f"{', '.join(others)} and {last}" if others else last


def _around(value: str) -> list[str]:
    """Say what stands around a value and is none of its own."""
    bare = value.strip()
    quoted = len(bare) > 1 and bare[0] == bare[-1] and bare[0] in _QUOTES
    return [*(["blanks or a line end"] if bare != value else []), *(["quotes"] if quoted else [])]


def _refusal(environ: Mapping[str, str] | None, prefix: str) -> list[Finding]:
    """Ask the builder itself, in case it knows of something that no check here does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FinMessengerAuthWarning)  # the checks have said so already
            TokenPairBuilder.from_env(environ, prefix=prefix)
    except FinMessengerAuthError as error:
        return [finding("environment-refused", why=error)]
    return []
