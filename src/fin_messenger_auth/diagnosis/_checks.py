"""Runs the checks of environment, key directory, upload, page and org, in the order of their causes."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fin_messenger_auth._builder import TokenPair, TokenPairBuilder, check_time
from fin_messenger_auth._environment import Reading, read_environment
from fin_messenger_auth._signers import signs_at_once
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth._verification import VerifyingKey
from fin_messenger_auth.errors import KeyUnavailableError, SigningError, masked, problems_of
from fin_messenger_auth.onboarding._key_directory import CERTIFICATE, JWK

from ._expected import Expected
from ._findings import Finding, finding, finding_of
from ._key_checks import check_key_directory, check_upload, compare_upload, keys_in, keys_in_directory, mode_for_others
from ._online import Org, check_org, check_published_jwks
from ._page_checks import Document, check_page
from ._root_causes import fold
from ._token_checks import compare_issuers, kids_of, quoted


def check_environment(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> list[Finding]:
    """Check the environment variables that ``TokenPairBuilder.from_env`` reads.

    ``from_env`` raises the first error of this list, with the same ``.code``, and issues its warnings. In addition,
    this looks at the permissions of the files that the variables name.

    Args:
        environ: The variables; the process's own if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """
    return check_reading(read_environment(environ, prefix=prefix))


def check_reading(reading: Reading) -> list[Finding]:
    """Return the findings of an environment that was read."""
    modes = {variable: mode_for_others(Path(path)) for variable, path in reading.key_files.items()}
    return [
        *map(finding_of, reading.problems),
        *(finding("file-permissions", file=name, mode=mode) for name, mode in modes.items() if mode is not None),
    ]


USER_ID = "fin-messenger-auth-doctor"
"""The user ID in the tokens that the doctor makes."""

_OF_THE_CONFIGURATION = ("algorithm", "signature", "key id", "issuer", "audience")
_ELSEWHERE = " In this environment it is right: the page was made with another one, or by other code."


@masked
def run_checks(  # noqa: PLR0913 - one for each choice, all but the first by name
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    key_directory: str | os.PathLike[str] | None = None,
    issuer: str | None = None,
    attributes: Collection[str] = (),
    org: Org | None = None,
    jwks_url: str | None = None,
    uploaded: bytes | None = None,
    page: Document | None = None,
    user_id: str | None = None,
    audience: str | None = None,
    secret: bytes | None = None,
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
        uploaded: The JWK or JWKS that was uploaded to Salesforce: what tokens are verified with there.
        page: A page of the site, or the answer of its endpoint.
        user_id: The user that the page must be for; ``""`` for an anonymous visitor.
        audience: The expected ``aud``, in place of ``SALESFORCE_AUDIENCE``.
        secret: The Messenger API Secret of the workspace, to be compared with the environment's.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, and at the end, as ``unchecked``, what only the platforms can tell.
    """
    moment = time.time() if now is None else now
    reading = read_environment(environ, prefix=prefix)
    pair, findings = _make_pair(reading, moment)
    if org is not None:
        token = None if pair is None else pair.salesforce_identity_token
        findings += check_org(org, token, now=now)
    if jwks_url is not None:
        findings += check_published_jwks(jwks_url, kid=reading.kid, now=now)
    if not (reading.is_empty and (uploaded or key_directory)):
        findings += check_reading(reading)
    configured = reading.value("SALESFORCE_ISSUER")
    if issuer is not None and configured not in ("", issuer):
        findings.append(compare_issuers(configured, issuer))
    findings += _check_files(reading, uploaded, key_directory, moment)
    # What Salesforce verifies with: what was uploaded, or else the nearest to it.
    keys = keys_in(uploaded or b"") or ([] if key_directory is None else keys_in_directory(key_directory))
    given = Expected(secret=secret or b"", keys=keys, issuer=issuer, audience=audience, user_id=user_id)
    expected = given.completed(reading)
    if pair is not None:
        settings = {"user_id": USER_ID, **{name: getattr(pair, name) for name in (INTERCOM_TOKEN, SALESFORCE_TOKEN)}}
        of_pair = _new(findings, expected.check_tokens(settings, moment))
        directory = None if uploaded is not None or key_directory is None else Path(key_directory)
        findings += [_naming_the_key(each, keys, directory, reading.kid) for each in of_pair]
    if page is not None:
        of_page = _new(findings, check_page(page, expected, now=moment))
        findings += [_of_page(each, verified=pair is not None) for each in of_page]
    if not reading.fin_managed:
        findings += _not_compared(keys=key_directory is not None or uploaded is not None, issuer=issuer is not None)
    findings += manual_checks(fin_managed=reading.fin_managed, attributes=attributes)
    return fold(findings, reading, expected.keys)


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


def _check_files(
    reading: Reading, uploaded: bytes | None, key_directory: str | os.PathLike[str] | None, now: float
) -> list[Finding]:
    findings = [] if uploaded is None else check_upload(uploaded, key_directory=key_directory, now=now)
    if key_directory is not None:
        findings += compare_upload(key_directory, keys_in(uploaded or b"")) if reading.is_empty else []
        findings += check_key_directory(key_directory, password=reading.password, now=now)
    return findings


def _naming_the_key(each: Finding, keys: Sequence[VerifyingKey], directory: Path | None, kid: str | None) -> Finding:
    """Say which file holds another key; and that a jwk.json that was not uploaded is what has the wrong kid."""
    if each.code == "salesforce-signature" and keys:
        name = "the uploaded JWK" if directory is None else directory / JWK
        message = f"The private key of the environment is not the key of {name}"
        if kid not in [key.kid for key in keys]:
            message += f", which has the kid {kids_of(keys)}; SALESFORCE_KEY_ID is {quoted(kid)}"
        return replace(each, message=f"{message}.")
    if each.code == "salesforce-kid-differs" and directory is not None:
        certificate, jwk = (shlex.quote(str(directory / name)) for name in (CERTIFICATE, JWK))
        command = f"jwk --private-key FILE --certificate {certificate} --kid KID > {jwk}"
        fix = (
            f"If SALESFORCE_KEY_ID is the kid that was uploaded, make the file again: `fin-messenger-auth {command}`. "
        )
        return replace(each, fix=f"{fix}If {directory / JWK} is what was uploaded: {each.fix}")
    return each


def _of_page(each: Finding, *, verified: bool) -> Finding:
    """Say that a token of the page is meant, and that the environment is not the cause if its own tokens verify."""
    if each.check in ("page", "headers", "settings", "configuration"):
        return each
    elsewhere = _ELSEWHERE if verified and each.check in _OF_THE_CONFIGURATION else ""
    return replace(each, message=f"In the page: {each.message}", fix=each.fix + elsewhere)


def _not_compared(*, keys: bool, issuer: bool) -> Iterator[Finding]:
    missing = {} if keys else {"key and kid": "the JWK that was uploaded: --uploaded FILE"}
    missing |= {} if issuer else {"issuer": "the issuer of the keyset: --issuer ISSUER"}
    if missing:
        what = f"The match of {' and '.join(missing)} with the keyset"
        yield finding("unchecked", what=what, how=f"Give {' and '.join(missing.values())}.")


def _new(known: Iterable[Finding], found: Iterable[Finding]) -> list[Finding]:
    """Return what was not found before: a page repeats what is wrong with the configuration."""
    codes = {each.code for each in known}
    return [each for each in found if each.code not in codes]


def _make_pair(reading: Reading, now: float) -> tuple[TokenPair | None, list[Finding]]:
    problems = problems_of(check_time, now)
    if problems or reading.arguments is None:
        return None, list(map(finding_of, problems))
    builder = replace(TokenPairBuilder(**reading.arguments, clock=lambda: now), on_signing_error="raise")
    signer = reading.salesforce_signer
    try:
        if signer is None or signs_at_once(signer):
            return builder.build(USER_ID), []
        return asyncio.run(builder.abuild(USER_ID)), []
    except SigningError as error:
        return None, [finding_of(KeyUnavailableError(str(error)))]
