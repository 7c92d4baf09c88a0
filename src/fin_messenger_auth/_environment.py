"""Reads variables, or the files that they name, into builder arguments or a list of problems."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ._keys import EnvKeySource, FileKeySource, MaskedBytes, StringKeySource, read_key
from ._late_signer import FirstChecked, LateSigner, made_by
from ._material import check_content, configured_string, things_in
from ._outages import OnSigningError, checked_policy
from ._settings import api_base_of
from ._signers import (
    AsyncSigner,
    HMACSigner,
    RSASigner,
    Signer,
    WantedKey,
    check_signer_for,
    configured_secret,
    public_key_of,
    signs_at_once,
)
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
    InvalidKeyError,
    KeyUnavailableError,
    Problem,
    attempt,
    collect_warnings,
    raise_first,
    warn,
)

_T = TypeVar("_T")
_Make = Callable[[str | None, str, RSAPublicKey | None], Signer | AsyncSigner]

WARN_DAYS_LEFT = 30  # of a certificate: time enough to upload another
_START_UP = b"start-up"  # what is signed to find the key that signs: without a dot, so it is no part of a token

SECRET, KEY, PASSWORD = "INTERCOM_MESSENGER_SECRET", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_PASSWORD"
KEY_ID, PIN = "SALESFORCE_KEY_ID", "SALESFORCE_PKCS11_PIN"
JWK_FILE, ALGORITHM = "SALESFORCE_JWK_FILE", "SALESFORCE_ALGORITHM"
ON_SIGNING_ERROR, START, ENABLED = "MESSENGER_ON_SIGNING_ERROR", "MESSENGER_START", "MESSENGER_ENABLED"

IN_FILES = (SECRET, KEY, PASSWORD, KEY_ID, PIN)
"""What may be given as ``…_FILE`` instead, the path of a file that holds it."""


MEANINGS = {
    "INTERCOM_APP_ID": "the ID of the Intercom workspace",
    SECRET: "the Messenger API Secret of the platform *web*: Intercom, Settings > Messenger > Security",
    "INTERCOM_REGION": "where Intercom keeps the workspace's data: `us` (default), `eu`, `ap` (also written `au`)",
    "INTERCOM_TOKEN_LIFETIME": "how long `intercom_user_jwt` is valid, in seconds; default 3600",
    "SALESFORCE_IDENTITY": "`fin-managed`: Fin makes the second token, and there is no Salesforce key here",
    KEY: "the RSA private key, in PEM, where newlines may be written as `\\n`; a file may be DER or PKCS#12, too",
    "SALESFORCE_SIGNER": "in place of the private key: the name of an installed signer: `aws-kms`, `google-cloud-kms`, "
    "`azure-key-vault`, `vault`, `pkcs11` or another",
    JWK_FILE: "the JWK that was uploaded to Salesforce, or the JWKS that is served: it gives `kid` and `alg`, and the "
    "key that signs must be its key",
    KEY_ID: "in place of the JWK: its `kid`, exactly; beside a JWKS, the `kid` of the key that signs",
    ALGORITHM: "in place of the JWK: RS256 (default) or RS512",
    "SALESFORCE_ISSUER": "the keyset's JWT Issuer, byte for byte: case and a final slash count",
    "SALESFORCE_AUDIENCE": "`https://<subdomain>.my.salesforce-scrt.com`",
    PASSWORD: "the password of the private key, if it is encrypted",
    "SALESFORCE_TOKEN_LIFETIME": "how long `salesforce_identity_token` is valid, in seconds; default 3600",
    ON_SIGNING_ERROR: "what a page gets when a signer fails: `raise`, `anonymous` or `intercom-only`",
    START: "`strict`: a remote key that cannot be used stops the start, whatever pages get when a signer fails",
    ENABLED: "0 removes the Messenger from the integrations' pages; no other variable is then read",
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
    """The variables of one configuration, and the problems that were found. Set but blank counts as missing."""

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
        if self.attempt(lambda: _checked_path(path, variable), variable, says_it=True) is None:
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


def _checked_path(path: str, variable: str) -> str:
    """Return the value of a variable that ends in _FILE, unless it is plainly something else than a path."""
    value = path.encode(errors="replace")
    if things_in(value):
        raise ConfigurationError(
            f"{variable} holds a key or a certificate, and must hold the path of a file; set "
            f"{variable.removesuffix('_FILE')} to the value itself.",
            "value-credential",
        )
    if path[0] == path[-1] and path[0] in "\"'`":
        raise ConfigurationError(f"{variable} has quotes around the path; remove them.", "value-wrapped")
    check_content(value, variable, "path")
    return path


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
_TRUTH = {"0": False, "false": False, "no": False, "off": False, "1": True, "true": True, "yes": True, "on": True}
_MAX_DIGITS = 10  # of a number of seconds: three centuries


SignerFactory = Callable[..., Signer | AsyncSigner]
"""An entry point: ``factory(environ, prefix, *, kid, alg, public_key)``, as :doc:`/operate/keys-elsewhere` says."""


def read_environment(
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    salesforce_signer: Signer | AsyncSigner | None = None,
    on_signing_error: OnSigningError | None = None,
    may_start_late: bool = False,
) -> Reading:
    """Read the whole configuration. It raises nothing: every problem is in the result.

    With ``may_start_late``, a remote key that cannot be used yet is no problem where pages do without its token.
    """
    reading = Reading(environ, prefix)
    reading.read(salesforce_signer, on_signing_error, may_start_late=may_start_late)
    return reading


def messenger_enabled(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> bool:
    """Tell whether ``MESSENGER_ENABLED`` lets pages have the Messenger; no other variable is read.

    Raises:
        ConfigurationError: It is set to something else than a truth value.
    """
    variables = Variables(environ, prefix)
    return _truth(variables.value(ENABLED) or "1", prefix + ENABLED)


def _truth(value: object, name: str) -> bool:
    plain = str(value).strip().lower()
    if plain not in _TRUTH:
        raise ConfigurationError(f"{name}: expected 0 or 1.", variable=name)
    return _TRUTH[plain]


def _strict(value: object, name: str) -> bool:
    if value != "strict":
        raise ConfigurationError(f"{name}: expected strict, or leave it out.", variable=name)
    return True


def _algorithm(value: object, name: str) -> str:
    if value not in SALESFORCE_ALGORITHMS:
        expected = " or ".join(SALESFORCE_ALGORITHMS)
        raise ConfigurationError(f"{name}: expected {expected}.", "salesforce-algorithm", variable=name)
    return str(value)


def read_salesforce_signer(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> Signer | AsyncSigner:
    """Read what signs the Salesforce token, and raise the first error, for the commands that need no more."""
    reading = Reading(environ, prefix)
    by_name = reading.value(SIGNER) and not reading.value(JWK_FILE)
    reading.require(*((SIGNER, KEY_ID) if by_name else (KEY,) if not reading.value(SIGNER) else ()))
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
        self.may_start_late: bool = False

    def checked_arguments(self) -> dict[str, Any]:
        """Issue the warnings, raise the first error, or else return the builder's arguments."""
        raise_first(self.problems)
        assert self.arguments is not None  # noqa: S101 - there is no error
        return self.arguments

    @property
    def fin_managed(self) -> bool:
        """Whether Fin makes the Salesforce token."""
        return self.value(IDENTITY) == FIN_MANAGED

    def read(self, given: Signer | AsyncSigner | None, policy: OnSigningError | None, *, may_start_late: bool) -> None:
        """Read all of it, as :func:`read_environment` says."""
        own = [name for name in (*SALESFORCE_VARIABLES, JWK_FILE, SIGNER) if self.is_set(name)]
        self._check_types()
        self._check_completeness(own, given)
        region = self.value("INTERCOM_REGION") or "us"
        self._checked("INTERCOM_REGION", lambda value, name: api_base_of(str(value), name=name))
        app_id = self._checked("INTERCOM_APP_ID", lambda value, name: configured_string(value, name, "app-id"))
        policy = policy or self._checked(ON_SIGNING_ERROR, checked_policy) or "raise"
        self._checked(ENABLED, _truth)
        is_strict = self._checked(START, _strict) is True
        self.may_start_late = may_start_late and policy != "raise" and not is_strict
        intercom = self._intercom()
        for name in ("INTERCOM_APP_ID", KEY_ID, *_PLACE):
            if self.secret and self.value(name).encode(errors="replace") == self.secret:
                message = f"{self.prefix}{name} is the Messenger API Secret, which pages or tokens would show."
                self.note(message, "value-credential", name)
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
        """Check what must be set together; a missing variable must never turn every visitor into a guest."""
        identity, identity_name = self.value(IDENTITY), self.prefix + IDENTITY
        argument = [] if given is None else ["salesforce_signer"]
        keys = [name for name in (KEY, SIGNER) if name in own]
        say_own = argument + [self.prefix + name for name in own]
        self.require(*INTERCOM_VARIABLES)
        if argument and not identity:
            self.require(*_PLACE, why=" too, as they go with salesforce_signer")
        elif own and not identity:
            which = [] if self.is_set(JWK_FILE) else [KEY_ID]
            self.require(*(keys or [KEY])[:1], *which, *_PLACE, why=" too, as all four go together")
        if len(say_what := argument + [self.prefix + name for name in keys]) > 1:
            self.note(
                f"{' and '.join(say_what)} each name a signer; set only one.", "salesforce-signer-ambiguous", SIGNER
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
        if signer is None or issuer is None or audience is None or (signer.kid is None and given is None):
            return None
        make = partial(SalesforceMinter, signer, issuer=issuer, audience=audience, lifetime=lifetime)
        return self.attempt(lambda: _quietly(make), None)

    def read_salesforce_signer(self, given: Signer | AsyncSigner | None) -> Signer | AsyncSigner | None:
        """Read what the signer must be, and the key or the factory; ``given`` takes the place of these two."""
        wanted, name = self._wanted(given), self.value(SIGNER)
        if given is not None:
            signer = self._made(None, lambda _kid, _alg, _key: given, wanted)
        elif name:
            signer = self._made_by(name, wanted)
        else:
            signer = self._rsa_signer(wanted)
        self.salesforce_signer = signer
        self.kid = signer.kid if signer is not None else wanted[0].kid if wanted else None
        return signer

    def _wanted(self, given: Signer | AsyncSigner | None) -> list[WantedKey]:
        """Return what the signer must be, one for each key of the JWKS that it may have; none if that is wrong."""
        kid, alg, path = self._key_id(), self._checked(ALGORITHM, _algorithm), self.value(JWK_FILE)
        variable = self.prefix + JWK_FILE
        if not path:
            own: Any = getattr(given, "alg", SALESFORCE_ALGORITHMS[0])
            return [WantedKey(kid, alg or own)]
        from ._uploaded import read_uploaded  # noqa: PLC0415 - 20 ms, with X.509 and joserfc, for this one variable

        keys = self.attempt(lambda: read_uploaded(read_key(FileKeySource(path))), variable) or []
        fitting = [each for each in keys if kid in (None, each.kid)]
        if keys and not fitting:
            is_ = f"{self.prefix}{KEY_ID} is {kid!r}, and the kid in {variable} is {_kids(keys)}"
            message = f"{is_}; unset {self.prefix}{KEY_ID}, or name the JWK of the key that signs."
            self.note(message, "kid-differs", KEY_ID)
        of_alg = [each for each in fitting if alg in (None, each.alg)]
        if fitting and not of_alg:
            message = f"{self.prefix}{ALGORITHM} is {alg}, and alg in {variable} is {fitting[0].alg}; unset the first."
            self.note(message, "algorithm-differs", ALGORITHM)
        return of_alg

    def _key_id(self) -> str | None:
        if not self.value(f"{KEY_ID}_FILE"):
            return self._checked(KEY_ID, lambda value, name: configured_string(value, name, "kid"))
        variable, raw = self.key(KEY_ID)
        self.key_files.pop(variable, None)  # anyone may read it
        if raw is None:
            return None
        kid = raw.without_line_end().decode(errors="surrogateescape")
        return self.attempt(lambda: configured_string(kid, variable, "kid"), variable, says_it=True)

    def _rsa_signer(self, wanted: list[WantedKey]) -> Signer | AsyncSigner | None:
        (variable, key), (of_password, self.password) = self.key(KEY), self.key(PASSWORD)
        if key is None or (self.password is None and self.is_set(PASSWORD)):
            return None
        source, opener = StringKeySource(key), None if self.password is None else StringKeySource(self.password)

        def make(kid: str | None, alg: Any, _public_key: object) -> RSASigner:  # noqa: ANN401 - one of two literals
            try:
                return RSASigner(source, kid=kid, alg=alg, password=opener)
            except InvalidKeyError:
                raise
            except ConfigurationError as error:
                raise ConfigurationError(f"{of_password}: {error.message}", error.code, variable=of_password) from None

        if wanted:
            return self._made(variable, make, wanted)
        self.attempt(lambda: make(None, "RS256", None), variable)  # what is wrong with the key is said all the same
        return None

    def _made_by(self, name: str, wanted: list[WantedKey]) -> Signer | AsyncSigner | None:
        """Return what the factory of that name makes, or what stands in for it until it can."""
        factory = self.attempt(lambda: _factory(name), self.prefix + SIGNER)
        if factory is None or not wanted or wanted[0].kid is None:
            return None

        def make(kid: str | None, alg: str, public_key: RSAPublicKey | None) -> Signer | AsyncSigner:
            try:
                made = factory(self.environ, self.prefix, kid=str(kid), alg=alg, public_key=public_key)
            except (ConfigurationError, KeyUnavailableError):
                raise
            except Exception as error:  # noqa: BLE001 - its text may hold anything
                said = f"the factory of {name} raised {type(error).__name__}."
                raise KeyUnavailableError(said).with_traceback(error.__traceback__) from None
            return made

        return self._made(self.prefix + SIGNER, make, wanted)

    def _made(self, variable: str | None, make: _Make, wanted: list[WantedKey]) -> Signer | AsyncSigner | None:
        """Return the signer that fits, or what stands in for it while its service cannot be used."""
        if not wanted:
            return None

        def made() -> Signer | AsyncSigner:
            try:
                return self._fitting(make, wanted)
            except KeyUnavailableError as trouble:
                if not self.may_start_late or trouble.variable is not None:  # of a variable: a local mistake
                    raise
                return LateSigner(lambda: self._fitting(make, wanted), trouble, wanted[0])

        signer = self.attempt(made, variable)
        ends = next((each.ends for each in wanted if signer is not None and signer.kid == each.kid), None)
        if ends is not None:
            self.attempt(partial(_warn_of_end, ends), self.prefix + JWK_FILE)
        return signer

    def _fitting(self, make: _Make, wanted: list[WantedKey]) -> Signer | AsyncSigner:
        """Return the signer, checked to be what is wanted; of several keys, the one that signs."""
        first, jwk = wanted[0], self.prefix + JWK_FILE
        signer = make(first.kid, first.alg, first.public_key if len(wanted) == 1 else None)
        check_signer_for(SALESFORCE_TOKEN, signer, SALESFORCE_ALGORITHMS, kid_required=first.kid is not None)
        chosen = first
        if first.public_key is not None:
            found = self._signing_keys(signer, wanted)
            if len(found) != 1:
                has = "contains the signing key twice" if found else "is of another key than the one that signs"
                raise InvalidKeyError(
                    f"{jwk} {has} (kid {_kids(wanted)}). Configure the private key that the JWK was made from, or make "
                    "the JWK of the key that signs with `jwk` and upload it.",
                    "key-differs",
                )
            [chosen] = found
            if chosen is not first:
                signer = make(chosen.kid, chosen.alg, chosen.public_key)
        if chosen.kid not in (None, signer.kid):
            where = f"{self.prefix}{KEY_ID}" if chosen.public_key is None else jwk
            message = f"the kid of the signer is {signer.kid!r}, and in {where} {chosen.kid!r}."
            raise ConfigurationError(message, "kid-differs")
        if signer.alg != chosen.alg:
            message = f"the alg of the signer is {signer.alg}, and {chosen.alg} is configured."
            raise ConfigurationError(message, "algorithm-differs")
        if chosen.public_key is not None and public_key_of(signer) is None:
            return FirstChecked(signer, chosen.public_key)
        return signer

    def _signing_keys(self, signer: Signer | AsyncSigner, wanted: list[WantedKey]) -> list[WantedKey]:
        """Return the keys that may be the signer's: by its public key, or by a signature where there are several."""
        own, name = public_key_of(signer), type(signer).__name__
        if own is not None:
            return [each for each in wanted if each.public_key == own]
        if len(wanted) == 1:
            return wanted
        if not signs_at_once(signer):
            message = f"{name} has neither public_key nor sign to tell which key signs; set {self.prefix}{KEY_ID}."
            raise ConfigurationError(message, "salesforce-kid-missing")
        try:
            signature = signer.sign(_START_UP)
        except Exception as error:  # noqa: BLE001 - its text may hold anything
            said = f"{name} raised {type(error).__name__} at its first signature."
            raise KeyUnavailableError(said).with_traceback(error.__traceback__) from None
        return [each for each in wanted if made_by(each.public_key, signature, _START_UP, signer.alg)]

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


def _factory(name: str) -> SignerFactory:
    """Return the factory that an installed package offers under a signer's name."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 15 ms, for this one variable

    named = entry_points(group=SIGNERS)
    factories = {each.value: each for each in named if each.name == name}
    if len(factories) != 1:
        offered = phrase(sorted(named.names) or ["the name of an installed signer"], "or")
        how = "several installed packages offer this signer" if factories else f"expected {offered}"
        raise ConfigurationError(f"{how}.", "signer-invalid")
    [factory] = factories.values()
    try:
        loaded: SignerFactory = factory.load()
    except Exception as error:  # noqa: BLE001 - whatever an import raises
        said = f"the factory {factory.value} cannot be imported: {type(error).__name__}."
        raise ConfigurationError(said, "signer-invalid").with_traceback(error.__traceback__) from None
    return loaded


def _kids(keys: Sequence[WantedKey]) -> str:
    return phrase([repr(each.kid) for each in keys], "or")


def _warn_of_end(ends: datetime) -> None:
    """Warn if the certificate of an uploaded JWK ends soon."""
    now = datetime.now(UTC)
    if ends - now < timedelta(days=WARN_DAYS_LEFT):
        end = f"{'ended' if ends < now else 'ends'} on {ends.date()}"
        warn(
            f"the certificate in the JWK {end}; make a new one from the same key with `certificate`, a JWK of it with "
            "`jwk`, and upload that.",
            "certificate-renew",
        )
