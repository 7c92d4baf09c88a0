"""Reads variables, or the files that they name, into builder arguments or a list of problems."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ._keys import EnvKeySource, FileKeySource, MaskedBytes, StringKeySource, read_key
from ._material import configured_string, things_in
from ._outages import checked_policy
from ._settings import api_base_of
from ._signers import AsyncSigner, HMACSigner, RSASigner, Signer, check_signer_for, configured_secret
from ._tokens import (
    DEFAULT_LIFETIME,
    INTERCOM_TOKEN,
    SALESFORCE_ALGORITHMS,
    SALESFORCE_TOKEN,
    IntercomMinter,
    SalesforceMinter,
    checked_audience,
    checked_issuer,
    whole_seconds,
)
from .errors import (
    ConfigurationError,
    FinMessengerAuthError,
    KeyUnavailableError,
    Problem,
    attempt,
    collect_warnings,
    masked,
    raise_first,
)

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
    "SALESFORCE_SIGNER": "in place of the private key: the name of an installed signer: `aws-kms`, `google-cloud-kms`, "
    "`azure-key-vault`, `vault`, `pkcs11` or another",
    KEY_ID: "the `kid`, exactly as in the JWK that was uploaded to Salesforce",
    "SALESFORCE_ISSUER": "the keyset's JWT Issuer, byte for byte: case and a final slash count",
    "SALESFORCE_AUDIENCE": "`https://<subdomain>.my.salesforce-scrt.com`",
    PASSWORD: "the password of the private key, if it is encrypted",
    "SALESFORCE_TOKEN_LIFETIME": "how long `salesforce_identity_token` is valid, in seconds; default 3600",
    "MESSENGER_ON_SIGNING_ERROR": "what a page gets when a signer fails: `raise`, `anonymous` or `intercom-only`",
    "SALESFORCE_AWS_KMS_KEY_ID": "for `aws-kms`: the ID or ARN of the key; region and credentials are boto3's own",
    "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION": "for `google-cloud-kms`: `projects/…/cryptoKeyVersions/1`, the resource "
    "name of one version of the key; credentials are Google's default ones",
    "SALESFORCE_AZURE_KEY_VAULT_KEY_ID": "for `azure-key-vault`: the URL of the key with its version; credentials are "
    "those of `DefaultAzureCredential`",
    "SALESFORCE_VAULT_KEY": "for `vault`: the name of the key in the transit engine; address, namespace and token "
    "are those of Vault's own variables",
    "SALESFORCE_VAULT_KEY_VERSION": "for `vault`: the number of the key's version",
    "SALESFORCE_VAULT_MOUNT": "for `vault`: where the transit engine is mounted; default `transit`",
    "SALESFORCE_PKCS11_MODULE": "for `pkcs11`: the path of the HSM's module",
    "SALESFORCE_PKCS11_TOKEN": "for `pkcs11`: the label of the HSM's token",
    "SALESFORCE_PKCS11_KEY": "for `pkcs11`: the label of the key",
    "SALESFORCE_PKCS11_URI": "for `pkcs11`: the URI of the private key (RFC 7512), in place of token and key",
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
            self.note(f"{self.names(missing)} must be set{why}.", "variable-missing", missing[0])

    def key(self, name: str) -> tuple[str, MaskedBytes | None]:
        """Return the variable that holds or names a key, and the key as it was read."""
        variable, path = self.prefix + name, self.value(f"{name}_FILE")
        if path and self.value(name):
            self.note(f"{variable} and {variable}_FILE are both set; unset one.", "variable-and-file", name)
            return variable, None
        if not (path or self.value(name)):
            return variable, None
        if not path:
            return variable, self.attempt(lambda: read_key(EnvKeySource(variable, environ=self.environ)), variable)
        variable = f"{variable}_FILE"
        if wrong := _wrong_with_path(path):
            self.note(f"{variable} {wrong[0]}; set {self.prefix}{name} to the value itself.", wrong[1], f"{name}_FILE")
            return variable, None
        self.key_files[variable] = path
        return variable, self.attempt(lambda: read_key(FileKeySource(path)), variable)

    def attempt(self, make: Callable[[], _T], variable: str | None, *, says_it: bool = False) -> _T | None:
        """Call ``make``; note its error and its warnings, with the variable that is meant, unless they say it."""
        made, problems = attempt(make)
        said = {each.message.partition(" ")[2] for each in self.problems}
        for problem in problems:
            if problem.message.partition(" ")[2] in said:  # of the variable; now a signer says it of its argument
                continue
            is_said = says_it or variable is None or problem.variable is not None
            message = problem.message if is_said else f"{variable}: {problem.message}"
            named = type(problem)(message, problem.code, variable=problem.variable or variable)
            named.__cause__ = problem.__cause__
            self.problems.append(named)
        return made

    def note(self, message: str, code: str, name: str) -> None:
        """Add an error about the variable of this name."""
        self.problems.append(ConfigurationError(message, code, variable=self.prefix + name))

    @property
    def has_errors(self) -> bool:
        """Whether one of the problems is an error."""
        return any(isinstance(each, FinMessengerAuthError) for each in self.problems)

    def names(self, names: Sequence[str]) -> str:
        """Return the names of variables, with the prefix, as a phrase."""
        return phrase([self.prefix + name for name in names])


def _wrong_with_path(path: str) -> tuple[str, str] | None:
    """Return why the value of a variable that ends in _FILE cannot be a path, and the code of that finding."""
    if things_in(path.encode(errors="replace")):
        return "holds a key or a certificate, and must hold the path of a file", "value-credential"
    if path[0] == path[-1] and path[0] in "\"'`":
        return "has quotes around the path; remove them, or", "value-wrapped"
    return None


def phrase(names: Sequence[str], last_word: str = "and") -> str:
    """Return names as in a sentence: ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} {last_word} {last}" if others else last


IDENTITY = "SALESFORCE_IDENTITY"  # says who makes the Salesforce token, if it is not one's own key
FIN_MANAGED = "fin-managed"  # the value of SALESFORCE_IDENTITY that says that Fin makes the second token
INTERCOM_VARIABLES = ("INTERCOM_APP_ID", SECRET)  # what is always required
SIGNER = "SALESFORCE_SIGNER"  # names a signer, in place of SALESFORCE_PRIVATE_KEY
SIGNERS = "fin_messenger_auth.signers"  # the group of entry points that give a SignerFactory a name
_PLACE = ("SALESFORCE_ISSUER", "SALESFORCE_AUDIENCE")

SALESFORCE_VARIABLES = (KEY, KEY_ID, *_PLACE)  # what goes together where the second token is made with your own key
_MAX_DIGITS = 10  # of a number of seconds: three centuries


class SignerFactory(Protocol):
    """An entry point of the group ``fin_messenger_auth.signers``: it makes the signer of the Salesforce token."""

    def __call__(
        self, environ: Mapping[str, str], prefix: str, /, *, kid: str, alg: str, public_key: RSAPublicKey | None
    ) -> Signer | AsyncSigner:
        """Make the signer, and check here, at start-up, that it signs.

        Args:
            environ: The environment variables.
            prefix: What stands before each variable's name; a factory puts it before the names of its own.
            kid: The key ID, which the signer must have as its ``kid``.
            alg: ``RS256`` or ``RS512``, which the signer must have as its ``alg``.
            public_key: The key of the uploaded JWK, or ``None`` without one; a signer that is given it asks its service
                for none, and verifies each signature with it.

        Raises:
            ConfigurationError: A variable is missing or has an invalid value.
            KeyUnavailableError: The key cannot be used. Other errors become this one, without their message.
        """
        ...


def read_environment(
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    salesforce_signer: Signer | AsyncSigner | None = None,
) -> Reading:
    """Read the whole configuration. It raises nothing: every problem is in the result."""
    reading = Reading(environ, prefix)
    reading.read(salesforce_signer)
    return reading


@masked
def read_salesforce_signer(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> Signer | AsyncSigner:
    """Read what signs the Salesforce token, and raise the first error, for the commands that need no more."""
    reading = Reading(environ, prefix)
    reading.require(*((SIGNER, KEY_ID) if reading.value(SIGNER) else (KEY,)))
    signer = reading.read_salesforce_signer(None)
    raise_first(reading.problems)
    assert signer is not None  # noqa: S101 - there is no error
    return signer


class Reading(Variables):
    """What was read from the environment, and what is wrong with it. Its ``repr`` shows none of it."""

    def __init__(self, environ: Mapping[str, str] | None, prefix: str) -> None:
        super().__init__(environ, prefix)
        self.arguments: dict[str, Any] | None = None  # of the builder; each is None if it is missing or wrong
        self.secret: MaskedBytes | None = None
        self.password: MaskedBytes | None = None
        self.salesforce_signer: Signer | AsyncSigner | None = None
        self.kid: str | None = None

    def checked_arguments(self) -> dict[str, Any]:
        """Issue the warnings, raise the first error, or else return the builder's arguments."""
        raise_first(self.problems)
        assert self.arguments is not None  # noqa: S101 - there is no error
        return self.arguments

    @property
    def fin_managed(self) -> bool:
        """Whether Fin makes the Salesforce token."""
        return self.value(IDENTITY) == FIN_MANAGED

    def read(self, given: Signer | AsyncSigner | None) -> None:
        """Read all of it; ``given`` is what signs the Salesforce token, if no variable says so."""
        own = [name for name in (*SALESFORCE_VARIABLES, SIGNER) if self.is_set(name)]
        self._check_types()
        self._check_completeness(own, given)
        region = self.value("INTERCOM_REGION") or "us"
        self._checked("INTERCOM_REGION", lambda value, name: api_base_of(str(value), name=name))
        app_id = self._checked("INTERCOM_APP_ID", lambda value, name: configured_string(value, name, "app-id"))
        policy = self._checked("MESSENGER_ON_SIGNING_ERROR", checked_policy) or "raise"
        intercom = self._intercom()
        salesforce = self._salesforce(given) if own or given is not None else None
        if app_id is not None and intercom is not None and not self.has_errors:
            self.arguments = {
                "app_id": app_id,
                "intercom": intercom,
                "salesforce": salesforce,
                "region": region,
                "on_signing_error": policy,
            }

    def _check_types(self) -> None:
        for name in ALL_VARIABLES:
            value = self.environ.get(self.prefix + name, "")
            if not isinstance(value, str):
                self.note(f"{self.prefix}{name}: expected a str, got {type(value).__name__}.", "argument-invalid", name)

    def _check_completeness(self, own: Sequence[str], given: Signer | AsyncSigner | None) -> None:
        """Check what must be set together; a missing variable must never make every chat a guest's."""
        identity, identity_name = self.value(IDENTITY), self.prefix + IDENTITY
        argument = [] if given is None else ["salesforce_signer"]
        keys = [name for name in (KEY, SIGNER) if name in own]
        say_own = argument + [self.prefix + name for name in own]
        self.require(*INTERCOM_VARIABLES)
        if argument and not identity:
            self.require(*_PLACE, why=" too, as they go with salesforce_signer")
        elif own and not identity:
            self.require(*(keys or [KEY])[:1], KEY_ID, *_PLACE, why=" too, as all four go together")
        if len(say_what := argument + [self.prefix + name for name in keys]) > 1:
            self.note(
                f"{' and '.join(say_what)} each say what signs; set only one.", "salesforce-signer-ambiguous", SIGNER
            )
        if identity and identity != FIN_MANAGED:
            self.note(f"{identity_name}: expected {FIN_MANAGED}.", "salesforce-signer-ambiguous", IDENTITY)
        elif identity and say_own:
            self.note(
                f"{identity_name}={FIN_MANAGED} says that Fin makes the Salesforce token, and {phrase(say_own)} that "
                "you do; unset one or the other.",
                "salesforce-signer-ambiguous",
                IDENTITY,
            )
        elif not (identity or say_own):
            self.note(
                f"Who makes the Salesforce token? If Fin does, set {identity_name}={FIN_MANAGED}; "
                f"if you do, with your own key, set {self.names(SALESFORCE_VARIABLES)}, or {self.prefix}{SIGNER} in "
                f"place of {self.prefix}{KEY}.",
                "salesforce-signer-unset",
                IDENTITY,
            )

    def _intercom(self) -> IntercomMinter | None:
        lifetime = self._lifetime("INTERCOM_TOKEN_LIFETIME", INTERCOM_TOKEN)
        variable, raw = self.key(SECRET)
        secret = self.secret = None if raw is None else self.attempt(lambda: configured_secret(raw), variable)
        if secret is None:
            return None
        return _quietly(lambda: IntercomMinter(HMACSigner(StringKeySource(secret)), lifetime=lifetime))

    def _salesforce(self, given: Signer | AsyncSigner | None) -> SalesforceMinter | None:
        lifetime = self._lifetime("SALESFORCE_TOKEN_LIFETIME", SALESFORCE_TOKEN)
        issuer = self._checked("SALESFORCE_ISSUER", checked_issuer)
        audience = self._checked("SALESFORCE_AUDIENCE", checked_audience)
        signer = self.read_salesforce_signer(given)
        if signer is None or signer.kid is None or issuer is None or audience is None:
            return None
        return _quietly(lambda: SalesforceMinter(signer, issuer=issuer, audience=audience, lifetime=lifetime))

    def read_salesforce_signer(self, given: Signer | AsyncSigner | None) -> Signer | AsyncSigner | None:
        """Read the key ID and the key, or call the factory; ``given`` takes the place of both."""
        kid, name = self._key_id(), self.value(SIGNER)
        if given is not None:
            signer = self._fitting(given, None, kid)
        elif name:
            made = None if kid is None else self.attempt(lambda: self._made_by(name, kid), self.prefix + SIGNER)
            signer = None if made is None else self._fitting(made, self.prefix + SIGNER, kid)
        else:
            signer = self._rsa_signer(kid)
        self.salesforce_signer, self.kid = signer, kid if signer is None else signer.kid
        return signer

    def _key_id(self) -> str | None:
        if not self.value(f"{KEY_ID}_FILE"):
            return self._checked(KEY_ID, lambda value, name: configured_string(value, name, "kid"))
        variable, raw = self.key(KEY_ID)
        self.key_files.pop(variable, None)  # anyone may read it
        if raw is None:
            return None
        kid = raw.without_line_end().decode(errors="surrogateescape")
        return self.attempt(lambda: configured_string(kid, variable, "kid"), variable, says_it=True)

    def _rsa_signer(self, kid: str | None) -> RSASigner | None:
        (variable, key), (_, self.password) = self.key(KEY), self.key(PASSWORD)
        if key is None or (self.password is None and self.is_set(PASSWORD)):
            return None
        source, opener = StringKeySource(key), None if self.password is None else StringKeySource(self.password)
        return self.attempt(lambda: RSASigner(source, kid=kid, password=opener), variable)

    def _made_by(self, name: str, kid: str) -> Signer | AsyncSigner:
        """Return what the factory of that name makes."""
        from importlib.metadata import entry_points  # noqa: PLC0415 - 15 ms, for this one variable

        named = entry_points(group=SIGNERS)
        factories = {each.value: each for each in named if each.name == name}
        if len(factories) != 1:
            offered = phrase(sorted(named.names) or ["the name of an installed signer"], "or")
            how = "several installed packages offer this signer" if factories else f"expected {offered}"
            raise ConfigurationError(f"{how}.", "signer-invalid")
        [factory] = factories.values()
        try:
            signer: Signer | AsyncSigner = factory.load()(
                self.environ, self.prefix, kid=kid, alg="RS256", public_key=None
            )
        except (ConfigurationError, KeyUnavailableError):
            raise
        except Exception as error:
            raise KeyUnavailableError(f"the factory {factory.value} raised {type(error).__name__}.") from error
        return signer

    def _fitting(
        self, signer: Signer | AsyncSigner, variable: str | None, kid: str | None
    ) -> Signer | AsyncSigner | None:
        """Return the signer if it can sign this token, under the configured key ID where there is one."""

        def check() -> Signer | AsyncSigner:
            check_signer_for(SALESFORCE_TOKEN, signer, SALESFORCE_ALGORITHMS, kid_required=True)
            if kid not in (None, signer.kid):
                raise ConfigurationError(
                    f"The kid of the signer is not the one in {self.prefix}{KEY_ID}.", "signer-invalid"
                )
            return signer

        return self.attempt(check, variable)

    def _lifetime(self, name: str, token: str) -> timedelta:
        digits = self.value(name).strip()
        if not digits:
            return DEFAULT_LIFETIME
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
            self.note(
                f"{self.prefix}{name}: expected a whole number of seconds, such as 3600.", "lifetime-invalid", name
            )
            return DEFAULT_LIFETIME
        lifetime = timedelta(seconds=int(digits))
        valid = self.attempt(lambda: whole_seconds(lifetime, token), self.prefix + name)
        return lifetime if valid else DEFAULT_LIFETIME

    def _checked(self, name: str, check: Callable[[object, str], _T]) -> _T | None:
        value, variable = self.value(name), self.prefix + name
        return self.attempt(lambda: check(value, variable), variable, says_it=True) if value else None


def _quietly(make: Callable[[], _T]) -> _T:
    """Call ``make`` without its warnings, which were noted by the names of their variables."""
    with collect_warnings():
        return make()
