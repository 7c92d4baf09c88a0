"""All checks at once: the environment, the key directory, a pair made and verified, the clock, and the org if asked."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fin_messenger_auth.environment import Reading, read_environment
from fin_messenger_auth.errors import KeyUnavailableError, SigningError
from fin_messenger_auth.onboarding.key_directory import JWK
from fin_messenger_auth.pair import TokenPair, TokenPairBuilder
from fin_messenger_auth.signers import public_key_of, signs_at_once

from .directory import check_key_directory, keys_in_directory
from .environment import check_reading
from .findings import Finding, finding, finding_of
from .http_client import Client
from .intercom_token import check_intercom_token
from .online import Org, check_org, check_published_jwks
from .salesforce_token import check_pair, check_salesforce_token, compare_issuers
from .verifying_key import VerifyingKey

USER_ID = "fin-messenger-auth-doctor"
"""The user ID in the tokens that the doctor makes."""

_CLOCK = (datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp())


def run_checks(  # noqa: PLR0913 - one for each choice, all but the first by name
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    key_directory: str | os.PathLike[str] | None = None,
    issuer: str | None = None,
    attributes: Collection[str] = (),
    org: Org | None = None,
    jwks_url: str | None = None,
    client: Client | None = None,
    now: float | None = None,
) -> list[Finding]:
    """Check a whole configuration. Without ``org`` and ``jwks_url`` nothing leaves the machine.

    Args:
        environ: The variables that ``TokenPairBuilder.from_env`` reads; the process's own if left out.
        prefix: What stands before each variable's name.
        key_directory: The directory that ``keygen`` wrote.
        issuer: The keyset's issuer, to be compared with ``SALESFORCE_ISSUER``.
        attributes: The names of the attributes that the application signs, to be named in the result.
        org: The deployment to send a token to.
        jwks_url: The *Endpoint URL* of the keyset.
        client: What sends the requests; keep it to read its transcript.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, and at the end, as ``unchecked``, what only the platforms can tell.
    """
    moment = time.time() if now is None else now
    reading = read_environment(environ, prefix=prefix)
    pair, findings = _make_pair(reading, moment)
    if org is not None:
        token = None if pair is None else pair.salesforce_identity_token
        findings += check_org(org, token, client=client, now=now)
    if jwks_url is not None:
        findings += check_published_jwks(jwks_url, kid=reading.kid, client=client, now=now)
    findings += [*_check_clock(moment), *check_reading(reading)]
    configured = reading.value("SALESFORCE_ISSUER")
    if issuer is not None and configured not in ("", issuer):
        findings.append(compare_issuers(configured, issuer))
    if key_directory is not None:
        findings += check_key_directory(key_directory, password=reading.password, now=moment)
    if pair is not None:
        said = {each.code for each in reading.problems}
        findings += [each for each in _check_pair(pair, reading, key_directory, moment) if each.code not in said]
    if not reading.fin_managed:
        findings += _not_compared(key_directory=key_directory, issuer=issuer)
    return [*dict.fromkeys(findings), *manual_checks(fin_managed=reading.fin_managed, attributes=attributes)]


def manual_checks(*, fin_managed: bool = False, attributes: Collection[str] = ()) -> list[Finding]:
    """List what only the platforms can tell, and where to look.

    Args:
        fin_managed: Whether Fin makes the Salesforce token, so that there is no keyset of yours.
        attributes: The names of the attributes that the application signs.
    """
    signed = ", ".join(sorted(attributes)) or "email, name, phone, company and your own"
    return [
        finding("unknown-secret"),
        finding("unknown-enforcement"),
        finding("unknown-verified-updates", attributes=signed),
        *([] if fin_managed else [finding("unknown-keyset")]),
        finding("unknown-fin"),
    ]


def _make_pair(reading: Reading, now: float) -> tuple[TokenPair | None, list[Finding]]:
    if reading.arguments is None:
        return None, []
    builder = replace(TokenPairBuilder(**reading.arguments, clock=lambda: now), on_signing_error="raise")
    signer = reading.salesforce_signer
    try:
        if signer is None or signs_at_once(signer):
            return builder.build(USER_ID), []
        return asyncio.run(builder.abuild(USER_ID)), []
    except SigningError as error:
        return None, [finding_of(KeyUnavailableError(str(error)))]


def _check_clock(now: float) -> list[Finding]:
    earliest, latest = _CLOCK
    if earliest <= now < latest:
        return []
    return [finding("clock-wrong", how=f"it says {time.strftime('%Y-%m-%d', time.gmtime(now))}")]


def _check_pair(
    pair: TokenPair, reading: Reading, key_directory: str | os.PathLike[str] | None, now: float
) -> list[Finding]:
    secret = reading.secret and reading.secret.without_line_end()
    findings = check_intercom_token(pair.intercom_user_jwt, secret=secret, user_id=USER_ID, now=now)
    signer = reading.salesforce_signer
    if pair.salesforce_identity_token is None or signer is None:
        return findings
    keys, public_key = [] if key_directory is None else keys_in_directory(key_directory), public_key_of(signer)
    if not keys and public_key is not None:
        keys = [VerifyingKey(public_key, kid=signer.kid)]
    findings += check_salesforce_token(
        pair.salesforce_identity_token,
        keys=keys,
        issuer=reading.value("SALESFORCE_ISSUER"),
        audience=reading.value("SALESFORCE_AUDIENCE"),
        now=now,
    )
    findings += check_pair(pair.intercom_user_jwt, pair.salesforce_identity_token)
    if key_directory is None:
        return findings
    message = f"The private key of the environment is not the key of {Path(key_directory) / JWK}."
    return [replace(each, message=message) if each.code == "salesforce-signature" else each for each in findings]


def _not_compared(*, key_directory: object, issuer: object) -> list[Finding]:
    if key_directory is None:
        what, how = "key and kid", "Give KEY_DIRECTORY."
        if issuer is None:
            what, how = "key, kid and issuer", "Give KEY_DIRECTORY and --issuer."
    elif issuer is None:
        what, how = "the issuer", "Give --issuer."
    else:
        return []
    return [finding("unchecked", what=f"The match of {what} with the keyset", how=how)]
