"""What Salesforce would say of ``salesforce_identity_token``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.salesforce import ALGORITHMS, FIN_ISSUER, is_scrt_origin

from .compact import INTERCOM, LOST, SALESFORCE, kind_of, read_token, shown
from .findings import finding
from .intercom_token import EMAIL
from .validity import check_validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .compact import ReadToken
    from .findings import Finding
    from .verifying_key import VerifyingKey


def check_salesforce_token(
    token: str,
    *,
    keys: Sequence[VerifyingKey] = (),
    issuer: str | None = None,
    audience: str | None = None,
    now: float | None = None,
) -> list[Finding]:
    """Say what is wrong with ``salesforce_identity_token``, as far as can be told from here.

    Args:
        token: The token, as it stands in the settings.
        keys: The public keys in the keyset. Without one, signature and ``kid`` are not checked.
        issuer: The keyset's issuer. Without it ``iss`` is not compared.
        audience: What ``aud`` should be. Without it only its form is checked.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, with an ``unchecked`` finding for what could not be looked at. Empty for a
        token in good health.
    """
    read, findings = read_token(token, SALESFORCE)
    if read is None:
        return findings
    if read.name == INTERCOM and str(read.header.get("alg")).startswith("HS"):
        return [*findings, finding("token-exchanged", token=SALESFORCE)]
    return [
        *findings,
        *_check_signature(read, keys),
        *_check_issuer(read.claims, issuer),
        *_check_subject(read.claims),
        *_check_expiry_is_there(read.claims),
        *check_validity(read, SALESFORCE, time.time() if now is None else now),
        *_check_audience(read.claims, audience),
    ]


def check_pair(intercom_user_jwt: str, salesforce_identity_token: str) -> list[Finding]:
    """Say whether the two tokens of one page speak of the same person.

    Args:
        intercom_user_jwt: The one token.
        salesforce_identity_token: The other. Neither is verified here.
    """
    (first, _), (second, _) = read_token(intercom_user_jwt, INTERCOM), read_token(salesforce_identity_token, SALESFORCE)
    if first is None or second is None or first.claims.get("user_id") == second.claims.get("sub"):
        return []
    return [finding("pair-subject-differs")]


def _check_signature(token: ReadToken, keys: Sequence[VerifyingKey]) -> list[Finding]:
    if token.unsigned:
        return []  # said already, of its form
    kid = token.header.get("kid")
    findings = [] if isinstance(kid, str) and kid.strip() else [finding("salesforce-kid-missing")]
    if token.header["alg"] not in ALGORITHMS:
        return [*findings, finding("salesforce-algorithm", got=shown(token.header["alg"]))]
    if not keys:
        return [*findings, finding("salesforce-signature-unchecked", why="no key was given")]
    named = [key for key in keys if key.kid in (None, kid)]
    if not (findings or named):
        findings.append(_kid_differs(str(kid), keys))
    alg = token.header["alg"]
    findings += [
        finding("salesforce-algorithm-differs", got=shown(alg), wanted=shown(key.alg))
        for key in named
        if key.alg not in (None, alg)
    ]
    makers = [key for key in keys if key.verifies(token)]
    if not makers:
        findings.append(finding("salesforce-signature"))
    elif named and not any(key in named for key in makers):
        findings.append(finding("salesforce-kid-swapped", got=shown(kid), wanted=shown(makers[0].kid)))
    return findings


def _kid_differs(kid: str, keys: Sequence[VerifyingKey]) -> Finding:
    wanted = [key.kid or "" for key in keys]
    hint = ""
    if kid.strip() in [each.strip() for each in wanted]:
        hint = "; they differ in blank characters only"
    elif kid.lower() in [each.lower() for each in wanted]:
        hint = "; they differ in upper and lower case only"
    return finding(
        "salesforce-kid-differs", got=shown(kid), wanted=", ".join(shown(each) for each in wanted), hint=hint
    )


def _check_issuer(claims: dict[str, Any], wanted: str | None) -> list[Finding]:
    got = claims.get("iss")
    if not isinstance(got, str) or not got.strip():
        return [finding("salesforce-issuer-missing")]
    findings = [finding("salesforce-issuer-fin")] if got.strip().lower() == FIN_ISSUER else []
    if wanted is None:
        return [*findings, finding("salesforce-issuer-unchecked")]
    if got != wanted:
        findings.append(compare_issuers(got, wanted))
    return findings


def compare_issuers(got: str, wanted: str) -> Finding:
    """Say in what two issuers that are not equal differ.

    Args:
        got: The ``iss`` of the token.
        wanted: The keyset's issuer.
    """
    code = "salesforce-issuer-differs"
    details = {"got": shown(got), "wanted": shown(wanted)}
    if got.strip() == wanted.strip():
        code = "salesforce-issuer-space"
    elif got.rstrip("/") == wanted.rstrip("/"):
        code = "salesforce-issuer-slash"
        details["which"] = "token" if len(got) > len(wanted) else "keyset"
    elif got.lower() == wanted.lower():
        code = "salesforce-issuer-case"
    elif got.rpartition("://")[2] == wanted.rpartition("://")[2]:
        code = "salesforce-issuer-scheme"
    return finding(code, **details)


def _check_subject(claims: dict[str, Any]) -> list[Finding]:
    if "sub" not in claims:
        return [finding("salesforce-subject-missing")]
    subject = claims["sub"]
    if not isinstance(subject, str):
        return [finding("salesforce-subject-not-text", got=kind_of(subject))]
    if subject.strip().lower() in LOST:
        return [finding("salesforce-subject-lost")]
    return [finding("salesforce-subject-email")] if EMAIL.fullmatch(subject) else []


def _check_expiry_is_there(claims: dict[str, Any]) -> list[Finding]:
    return [] if "exp" in claims else [finding("salesforce-expiry-missing")]


def _check_audience(claims: dict[str, Any], wanted: str | None) -> list[Finding]:
    got = claims.get("aud")
    if not got:
        return [finding("salesforce-audience-missing")]
    if wanted is not None and got != wanted:
        return [finding("salesforce-audience-differs", got=shown(got), wanted=shown(wanted))]
    if not (isinstance(got, str) and is_scrt_origin(got)):
        return [finding("salesforce-audience-shape", got=shown(got))]
    return []
