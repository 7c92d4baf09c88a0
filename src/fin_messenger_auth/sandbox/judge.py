"""The judge: whom each platform would take the visitor of a page for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fin_messenger_auth.diagnosis import (
    Finding,
    Level,
    VerifyingKey,
    check_intercom_token,
    check_pair,
    check_salesforce_token,
)
from fin_messenger_auth.environment import read_environment
from fin_messenger_auth.errors import ConfigurationError, masked, masked_class
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import fill
from fin_messenger_auth.keys import MaskedBytes
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.signers import public_key_of
from fin_messenger_auth.token_parser import parse_token


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the two platforms would make of one page.

    Attributes:
        user_id: The user that Intercom would identify; ``None`` for a lead.
        intercom: The same in words, with the reason.
        salesforce: The user that Salesforce would identify, in words, with the reason.
    """

    user_id: str | None
    intercom: str
    salesforce: str


@masked_class
@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What the stand-in verifies with.

    Args:
        secret: The Messenger API Secret.
        keys: The public keys of the keyset; empty where Fin makes the Salesforce token.
        issuer: The keyset's issuer.
        audience: The audience of the Salesforce token.
        clock: The time in Unix seconds.
    """

    secret: bytes = field(repr=False)
    keys: Sequence[VerifyingKey] = ()
    issuer: str | None = None
    audience: str | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Mask the secret where error trackers show it."""
        fill(self, "secret", MaskedBytes(self.secret))

    def verdict(self, settings: Mapping[str, Any]) -> Verdict:
        """Judge the settings of a page.

        Args:
            settings: ``window.intercomSettings``, as the page sent it.
        """
        now = self.clock()
        user_id, token, identity = (settings.get(name) for name in ("user_id", INTERCOM, SALESFORCE))
        if user_id is None and token is None and identity is None:
            return Verdict(None, "Lead: an anonymous visitor", "Guest: an anonymous visitor")
        jwt, expected = str(token or ""), None if user_id is None else str(user_id)
        error = _first_error(check_intercom_token(jwt, secret=self.secret, user_id=expected, now=now))
        salesforce = self._salesforce(jwt, identity, now)
        if error:
            return Verdict(None, f"Not verified: {error}", salesforce)
        verified = str(parse_token(jwt).claims["user_id"])
        return Verdict(verified, f"Verified as {verified}", salesforce)

    def _salesforce(self, intercom_user_jwt: str, identity: object, now: float) -> str:
        if not self.keys:
            return "Not checked: Fin makes this token"
        if identity is None:
            return f"Guest: there is no {SALESFORCE}"
        token = str(identity)
        findings = check_salesforce_token(token, keys=self.keys, issuer=self.issuer, audience=self.audience, now=now)
        error = _first_error([*findings, *check_pair(intercom_user_jwt, token)])
        return f"Guest: {error}" if error else f"Verified as {parse_token(token).claims['sub']}"


@masked
def sandbox_from_env(
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    kid: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> Sandbox:
    """Return a sandbox that verifies with the keys of the application's own configuration.

    Args:
        environ: The variables, as for ``TokenPairBuilder.from_env``; the process's own if left out.
        prefix: What stands before each variable's name.
        kid: The ``kid`` of the JWK in Salesforce, if it may differ from the configuration's.
        issuer: The keyset's issuer in Salesforce, likewise.
        audience: The expected audience, likewise.

    Raises:
        ConfigurationError: A variable is missing, contradicts another or has an invalid value.
        KeyUnavailableError: A file that a variable names cannot be read.
    """
    reading = read_environment(environ, prefix=prefix)
    salesforce, signer = reading.checked_arguments()["salesforce"], reading.salesforce_signer
    secret = (reading.secret or MaskedBytes()).without_line_end()
    if salesforce is None or signer is None:
        return Sandbox(secret=secret)
    public_key = public_key_of(signer)
    if public_key is None:
        raise ConfigurationError("The sandbox verifies with the public_key of the signer, which it does not have.")
    return Sandbox(
        secret=secret,
        keys=[VerifyingKey(public_key, kid or signer.kid, signer.alg)],
        issuer=issuer or salesforce.issuer,
        audience=audience or salesforce.audience,
    )


def _first_error(findings: Sequence[Finding]) -> str | None:
    return next((each.message for each in findings if each.level is Level.ERROR), None)
