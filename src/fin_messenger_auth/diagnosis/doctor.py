"""Everything that can be known from here: the environment, the key directory, a pair made and verified, the clock."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth.errors import FinMessengerAuthError, FinMessengerAuthWarning
from fin_messenger_auth.keys import MaskedBytes
from fin_messenger_auth.onboarding.key_directory import JWK
from fin_messenger_auth.pair import TokenPair, TokenPairBuilder
from fin_messenger_auth.pem import read_private_key

from .directory import check_key_directory, keys_in_directory, without_repetition
from .environment import PASSWORD, SECRET, Variables, check_environment
from .findings import finding
from .intercom_token import check_intercom_token
from .salesforce_token import check_pair, check_salesforce_token, compare_issuers
from .verifying_key import VerifyingKey

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

    from .findings import Finding

USER_ID = "fin-messenger-auth-doctor"
"""The user whom the doctor makes tokens for."""

_SAID_OF_THE_VARIABLE = {"salesforce-issuer-fin", "salesforce-audience-shape", "token-lifetime-short"}

_CLOCK = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))  # when this may run


def examine(  # noqa: PLR0913 - one for each choice, all but the first by name
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    key_directory: str | os.PathLike[str] | None = None,
    issuer: str | None = None,
    attributes: Collection[str] = (),
    now: float | None = None,
) -> list[Finding]:
    """Examine a set-up without leaving the machine.

    Args:
        environ: The variables that ``TokenPairBuilder.from_env`` reads; the process's own if left out.
        prefix: What stands before each variable's name.
        key_directory: Where ``keygen`` wrote the key.
        issuer: The keyset's issuer, to be compared with ``SALESFORCE_ISSUER``.
        attributes: The names of the attributes that the application signs, to be reminded of them.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, and at the end, as ``unchecked``, what can only be seen elsewhere.
    """
    moment = time.time() if now is None else now
    variables = Variables(environ, prefix)
    findings = [*_check_clock(moment), *check_environment(environ, prefix=prefix)]
    if issuer is not None and variables.get("SALESFORCE_ISSUER") not in ("", issuer):
        findings.append(compare_issuers(variables.get("SALESFORCE_ISSUER"), issuer))
    if key_directory is not None:
        findings += check_key_directory(key_directory, password=variables.read(PASSWORD), now=moment)
    findings += _check_pair(environ, prefix, key_directory, moment)
    findings += _not_compared(variables, key_directory=key_directory, issuer=issuer)
    return [*without_repetition(findings), *out_of_sight(variables, attributes)]


def make_pair(environ: Mapping[str, str] | None = None, *, prefix: str = "", now: float | None = None) -> TokenPair:
    """Make the two tokens for the doctor's own user, from the environment.

    Args:
        environ: The variables; the process's own if left out.
        prefix: What stands before each variable's name.
        now: The time, in Unix seconds; the machine's if left out.

    Raises:
        FinMessengerAuthError: They cannot be made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FinMessengerAuthWarning)  # the checks say it
        builder = TokenPairBuilder.from_env(environ, prefix=prefix, clock=time.time if now is None else lambda: now)
    pair = builder.build(USER_ID)
    assert pair is not None  # noqa: S101 - there is a user
    return pair


def out_of_sight(variables: Variables, attributes: Collection[str] = ()) -> list[Finding]:
    """Say what cannot be seen from here, and where to look.

    Args:
        variables: The environment.
        attributes: The names of the attributes that the application signs.
    """
    signed = ", ".join(sorted(attributes)) or "email, name, phone, company and your own"
    findings = [
        finding("unknown-secret"),
        finding("unknown-enforcement"),
        finding("unknown-verified-updates", attributes=signed),
        finding("unknown-trusted-domains"),
    ]
    if not variables.fin_managed:
        findings.append(finding("unknown-keyset"))
    return [*findings, finding("unknown-fin")]


def _not_compared(
    variables: Variables, *, key_directory: str | os.PathLike[str] | None, issuer: str | None
) -> list[Finding]:
    if variables.fin_managed or (key_directory is not None and issuer is not None):
        return []
    if key_directory is not None:
        return [finding("configuration-unchecked", what="The issuer was", how="--issuer")]
    if issuer is not None:
        return [finding("configuration-unchecked", what="Key and kid were", how="KEY_DIRECTORY")]
    return [finding("configuration-unchecked", what="Key, kid and issuer were", how="KEY_DIRECTORY and --issuer")]


def _check_clock(now: float) -> list[Finding]:
    earliest, latest = _CLOCK
    if earliest.timestamp() <= now < latest.timestamp():
        return []
    return [finding("clock-implausible", date=time.strftime("%Y-%m-%d", time.gmtime(now)))]


def _check_pair(
    environ: Mapping[str, str] | None, prefix: str, key_directory: str | os.PathLike[str] | None, now: float
) -> list[Finding]:
    variables = Variables(environ, prefix)
    try:
        pair = make_pair(environ, prefix=prefix, now=now)
    except FinMessengerAuthError:
        return []  # check_environment has said why
    secret = MaskedBytes(variables.read(SECRET) or b"").without_line_end()
    findings = check_intercom_token(pair.intercom_user_jwt, secret=secret, user_id=USER_ID, now=now)
    if pair.salesforce_identity_token is None:
        return findings
    keys = [] if key_directory is None else keys_in_directory(key_directory)
    findings += check_salesforce_token(
        pair.salesforce_identity_token,
        keys=keys or [_own_key(variables)],
        issuer=variables.get("SALESFORCE_ISSUER"),
        audience=variables.get("SALESFORCE_AUDIENCE"),
        now=now,
    )
    findings += check_pair(pair.intercom_user_jwt, pair.salesforce_identity_token)
    findings = [each for each in findings if each.code not in _SAID_OF_THE_VARIABLE]
    if key_directory is None:
        return findings
    message = f"{prefix}SALESFORCE_PRIVATE_KEY is not the key of {Path(key_directory) / JWK}."
    return [replace(each, message=message) if each.code == "salesforce-signature" else each for each in findings]


def _own_key(variables: Variables) -> VerifyingKey:
    key = read_private_key(variables.read("SALESFORCE_PRIVATE_KEY") or b"", variables.read(PASSWORD))
    return VerifyingKey(key.public_key(), kid=variables.get("SALESFORCE_KEY_ID"))
