"""What Salesforce would say of ``salesforce_identity_token``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from fin_messenger_auth.errors import masked
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.salesforce import ALGORITHMS, is_fin_issuer, is_placeholder, is_scrt_origin
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE
from fin_messenger_auth.token_parser import ParsedToken

from .findings import Finding, finding
from .token_checks import check_claims, open_token, quoted
from .verifying_key import VerifyingKey

_SHOWN = 3  # key IDs of a keyset

# What can be the only difference between two strings, and a function that removes it.
_NEAR_MISSES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("whitespace", str.strip),
    ("a final slash", lambda value: value.rstrip("/")),
    ("upper and lower case", str.lower),
    ("http:// or https://", lambda value: value.rpartition("://")[2]),
)


@masked
def check_salesforce_token(
    token: str,
    *,
    keys: Sequence[VerifyingKey] = (),
    issuer: str | None = None,
    audience: str | None = None,
    now: float | None = None,
) -> list[Finding]:
    """Check ``salesforce_identity_token``, without asking Salesforce.

    Args:
        token: The token, as it is in the settings.
        keys: The public keys in the keyset. Without one, signature and ``kid`` are not checked.
        issuer: The keyset's issuer. Without it ``iss`` is not compared.
        audience: The expected ``aud``. Without it only the form of ``aud`` is checked.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, with an ``unchecked`` finding for what could not be checked. Empty if nothing is wrong.
    """
    parsed, findings = open_token(token, SALESFORCE)
    if parsed is None:
        return findings
    return [
        *findings,
        *_check_signature(parsed, keys),
        *_check_issuer(parsed.claims.get("iss"), issuer),
        *check_claims(parsed, SALESFORCE, time.time() if now is None else now),
        *_check_audience(parsed.claims.get("aud"), audience),
    ]


@masked
def check_pair(intercom_user_jwt: str, salesforce_identity_token: str) -> list[Finding]:
    """Check that the two tokens of one page identify the same user.

    Args:
        intercom_user_jwt: The one token.
        salesforce_identity_token: The other. Neither is verified here.
    """
    (first, _), (second, _) = open_token(intercom_user_jwt, INTERCOM), open_token(salesforce_identity_token, SALESFORCE)
    if first is None or second is None or first.claims.get("user_id") == second.claims.get("sub"):
        return []
    return [finding("pair-subject-differs")]


def audience_for(audience: str) -> str:
    """Return the audience that was probably meant, with the subdomain of the one that is given."""
    parts = urlsplit(audience if "://" in audience else f"https://{audience}")
    subdomain = (parts.hostname or "").partition(".")[0]
    meant = f"https://{subdomain}.my.salesforce-scrt.com"
    known = is_scrt_origin(meant) and not is_placeholder(meant)
    return meant if known else "https://<subdomain>.my.salesforce-scrt.com"


def compare_issuers(got: str, wanted: str) -> Finding:
    """Return the finding for two issuers that differ; it says in what."""
    hint = _only_difference(got, wanted)
    return finding("salesforce-issuer-differs", got=quoted(got), wanted=quoted(wanted), hint=hint, setting=f"={wanted}")


def _check_signature(token: ParsedToken, keys: Sequence[VerifyingKey]) -> Iterator[Finding]:
    if token.unsigned:
        return  # reported already, with the form
    kid, alg = token.header.get("kid"), token.header["alg"]
    has_kid = isinstance(kid, str) and kid.strip()
    if not has_kid:
        yield finding("salesforce-kid-missing")
    if alg not in ALGORITHMS:
        yield finding("salesforce-algorithm", got=quoted(alg))
        return
    if not keys:
        how = "Give the uploaded JWK, the certificate or the public key: --key FILE."
        what = "The match of signature and kid with the keyset"
        yield finding("unchecked", check="signature", what=what, how=how)
        return
    named = [key for key in keys if key.kid in (None, kid)]
    verifying = [key for key in keys if key.verifies(token)]
    for key in named:
        if key.alg not in (None, alg):
            yield finding("salesforce-algorithm-differs", got=quoted(alg), wanted=quoted(key.alg))
    if not verifying:
        yield finding("salesforce-signature")
    if has_kid and not any(key in named for key in verifying or named):
        yield _kid_differs(str(kid), verifying or keys)


def kids_of(keys: Sequence[VerifyingKey]) -> str:
    """Return the key IDs of a keyset, for a message."""
    shown = " or ".join(quoted(str(key.kid)) for key in keys[:_SHOWN])
    return f"{shown} or another" if len(keys) > _SHOWN else shown


def _kid_differs(kid: str, keys: Sequence[VerifyingKey]) -> Finding:
    wanted = [str(key.kid) for key in keys][:_SHOWN]
    hint = next(filter(None, (_only_difference(kid, each) for each in wanted)), "")
    setting = f"={wanted[0]}" if len(keys) == 1 else " to the kid of the JWK that was uploaded for this private key"
    return finding("salesforce-kid-differs", got=quoted(kid), wanted=kids_of(keys), hint=hint, setting=setting)


def _only_difference(got: str, wanted: str) -> str:
    return next((f"; only {what} differs" for what, without in _NEAR_MISSES if without(got) == without(wanted)), "")


def _check_issuer(got: object, wanted: str | None) -> Iterator[Finding]:
    if not isinstance(got, str) or not got.strip():
        shown, setting = ("the keyset's issuer", " to it") if wanted is None else (quoted(wanted), f"={wanted}")
        yield finding("salesforce-issuer-differs", wanted=shown, got="nothing", hint="", setting=setting)
        return
    if is_fin_issuer(got):
        yield finding("issuer-fin")
    if wanted is None:
        how = "Give the issuer of the keyset (Setup > Enhanced Chat User Verification): --issuer ISSUER."
        yield finding("unchecked", check="issuer", what="The match of iss with the keyset", how=how)
    elif got != wanted:
        yield compare_issuers(got, wanted)


def _check_audience(got: object, wanted: str | None) -> Iterator[Finding]:
    example = is_placeholder(str(got))
    if example or not (got == wanted if wanted is not None else isinstance(got, str) and is_scrt_origin(got)):
        own = wanted is None or example
        expected = "https://<subdomain>.my.salesforce-scrt.com of your own org" if own else quoted(wanted)
        yield finding("salesforce-audience", got="nothing" if got is None else quoted(got), wanted=expected)
