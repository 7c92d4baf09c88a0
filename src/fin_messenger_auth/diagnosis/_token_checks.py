"""Checks both tokens: form, signature, claims and times, and what the pair must have in common."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any, TypeGuard

from fin_messenger_auth._json_values import is_lost, looks_like_email
from fin_messenger_auth._jws import ParsedToken, parse_token
from fin_messenger_auth._signers import MIN_SECRET_BYTES
from fin_messenger_auth._tokens import (
    INTERCOM_ALGORITHMS,
    INTERCOM_TOKEN,
    RECOMMENDED_LIFETIME,
    SALESFORCE_ALGORITHMS,
    SALESFORCE_TOKEN,
    is_fin_issuer,
    is_placeholder,
    is_scrt_origin,
)
from fin_messenger_auth._users import MAX_ATTRIBUTES, MAX_COMPANY_ATTRIBUTES, RESERVED_NAMES, attribute_problems
from fin_messenger_auth._verification import VerifyingKey, verifies_hs256

from ._findings import Finding, assignment, finding, finding_of, name_of

LONG_SECONDS = 24 * 60 * 60
"""A token that is valid for longer causes a warning."""

LEEWAY_SECONDS = 60
"""How far clocks may differ before ``iat`` and ``nbf`` count as being in the future."""

# Claims that OpenID Connect and OAuth 2.0 define for their own tokens, and providers add to them.
_OF_PROVIDERS = (
    *("at_hash", "c_hash", "nonce", "azp", "auth_time", "acr", "amr", "email_verified", "sid", "token_use"),
    *("client_id", "scope", "scp", "token_type", "gty", "tid"),
)
_TIMES = ("exp", "iat", "nbf")
_MILLISECONDS = 10**11  # as seconds this is the year 5138; as milliseconds, 1973
_JSON_TYPES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def check_validity(token: ParsedToken, name: str, now: float) -> Iterator[Finding]:
    """Check the times in a token, in Unix seconds, at the time ``now``."""
    claims, platform = token.claims, name.partition("_")[0]
    variable = f"{name_of('prefix')}{platform.upper()}_TOKEN_LIFETIME"
    times: dict[str, float] = {}
    for claim, value in claims.items():
        is_time = claim in _TIMES
        if (is_time or claim.endswith("_at")) and is_in_milliseconds(value):
            yield finding("token-milliseconds", claim=claim)
        elif claim == "exp" and (lifetime := _lifetime_in(value)):
            yield finding("token-expired", "lifetime", token=name, exp=lifetime)
        elif is_time and not _is_number(value):
            yield finding("token-time-type", claim=claim, got=json_type(value))
        elif is_time:
            times[claim] = value
            yield from _check_time(claim, value - now, name, variable)
    if "exp" not in claims:
        yield finding(f"{platform}-expiry-missing")
    span = times.get("exp", inf) - times.get("iat", -inf)
    if 0 < span < RECOMMENDED_LIFETIME.total_seconds():
        yield finding("lifetime-short", token=name, lifetime=duration(span), variable=variable)


def _check_time(claim: str, ahead: float, name: str, variable: str) -> Iterator[Finding]:
    if claim != "exp" and ahead > LEEWAY_SECONDS:
        yield finding("token-not-yet-valid", token=name, claim=claim, ahead=duration(ahead))
    elif claim == "exp" and ahead <= 0:
        yield finding("token-expired", token=name, ago=duration(-ahead))
    elif claim == "exp" and ahead > LONG_SECONDS + LEEWAY_SECONDS:
        yield finding("token-lifetime-long", token=name, lifetime=duration(ahead), variable=variable)


def _lifetime_in(value: object) -> int | None:
    """Return an ``exp`` that is a number of seconds in place of a time, as a number or as a string."""
    text = str(value)  # below 10**9: as seconds since 1970, the year 2001
    return int(text) if re.fullmatch("[1-9][0-9]{0,8}", text) else None


def is_in_milliseconds(value: object) -> bool:
    """Tell whether a JSON value is a time in milliseconds: as seconds it would be thousands of years away."""
    return _is_number(value) and value > _MILLISECONDS


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def duration(seconds: float) -> str:
    """Return a span of time in the unit that suits it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def json_type(value: object) -> str:
    """Return the JSON type of a value, with its article."""
    return _JSON_TYPES.get(type(value), "null")


_USER_HASH = re.compile(r"[0-9a-fA-F]{64}")
_OF_BYTES = re.compile(r"b'(.*)'|b\"(.*)\"", re.DOTALL)
_QUOTED_LENGTH = 80


def check_form(token: str, name: str) -> tuple[ParsedToken | None, list[Finding]]:
    """Parse a token, ignoring what stands around it; ``None`` if that fails. Find what is wrong with its form."""
    bare, around = _unwrapped(token)
    if is_lost(bare):
        return None, [finding("token-missing", token=name)]
    findings = [finding("token-wrapped", token=name, what=around)] if around else []
    if _USER_HASH.fullmatch(bare):
        return None, [*findings, finding("token-user-hash", name=name, wanted="a JWT", got="a user_hash")]
    try:
        parsed = parse_token(bare)
    except ValueError as error:
        return None, [*findings, finding("token-malformed", token=name, why=error)]
    if parsed.unsigned:
        findings.append(finding("token-unsigned", token=name))
    return parsed, findings


def open_token(
    token: str, name: str, *, secret: bytes = b"", keys: Sequence[VerifyingKey] = ()
) -> tuple[ParsedToken | None, list[Finding]]:
    """Do as :func:`check_form` does, and refuse the token of another program or of the other platform."""
    parsed, findings = check_form(token, name)
    if parsed is None:
        return None, findings
    if what := _made_elsewhere(parsed, has_secret=bool(secret)):
        plausible = name == INTERCOM_TOKEN and not secret and "user_id" in parsed.claims and _is_hmac(parsed)
        if not (plausible or _is_verified(parsed, secret) or any(key.verifies(parsed.compact) for key in keys)):
            return None, [*findings, finding("token-foreign", token=name, what=what)]
    is_other_s = str(parsed.header.get("alg")).startswith("RS" if name == INTERCOM_TOKEN else "HS")
    if is_other_s and token_name(parsed) != name:
        return None, [*findings, finding("token-swapped", token=name)]
    return parsed, findings


def _is_hmac(token: ParsedToken) -> bool:
    return str(token.header.get("alg")).startswith("HS")


def token_name(token: ParsedToken) -> str:
    """Tell which of the two tokens this is meant to be, by everything that only one of them has."""
    intercom = [_is_hmac(token), *(name in token.claims for name in ("user_id", "email", "name", "company"))]
    salesforce = [not _is_hmac(token), "kid" in token.header, *(name in token.claims for name in ("sub", "iss", "aud"))]
    if sum(salesforce) == sum(intercom):
        return INTERCOM_TOKEN if "user_id" in token.claims else SALESFORCE_TOKEN
    return INTERCOM_TOKEN if sum(intercom) > sum(salesforce) else SALESFORCE_TOKEN


def _made_elsewhere(token: ParsedToken, *, has_secret: bool) -> str:
    """Say what another program made this token for; blank for one of ours, or one that may be."""
    audience, issuer = (str(token.claims.get(name, "")) for name in ("aud", "iss"))
    if re.search(r"\b(login|test)\.salesforce\.com\b", audience) or issuer.startswith("3MVG"):
        return "it is a Connected App's assertion, for Salesforce's own login"
    of = f", of {quoted(issuer)}" if issuer else ""
    if named := next((name for name in _OF_PROVIDERS if name in token.claims), None):
        return f"it is an identity provider's or a session's token (it has {named}){of}"
    if has_secret and _is_hmac(token) and "sub" in token.claims and "user_id" not in token.claims:
        return f"it has sub in place of user_id, and another secret signed it{of}"
    return ""


def check_claims(token: ParsedToken, name: str, now: float) -> Iterator[Finding]:
    """Check the claim that identifies the user, and the times."""
    claim = "user_id" if name == INTERCOM_TOKEN else "sub"
    value = token.claims.get(claim)
    if not isinstance(value, str):
        yield finding("token-user", claim=claim, got=json_type(value) if claim in token.claims else "nothing")
    elif is_lost(value):
        yield finding("user-id-lost", claim=claim)
    elif looks_like_email(value):
        yield finding("user-id-email", claim=claim)
    yield from check_validity(token, name, now)


def quoted(value: object) -> str:
    """Return a header or an issuer for a message: in quotes, on one line and of limited length."""
    text = json.dumps(value, ensure_ascii=True).replace(name_of("secret") or "\0", "the Messenger API Secret")
    return text if len(text) <= _QUOTED_LENGTH else f'{text[: _QUOTED_LENGTH - 4]}…"'


def _unwrapped(token: str) -> tuple[str, str]:
    bare, around = token.strip(), []
    if bare != token:
        around.append("whitespace or a newline")
    if bare[:7].lower() == "bearer ":
        bare = bare[7:].strip()
        around.append("the word Bearer")
    if of_bytes := _OF_BYTES.fullmatch(bare):
        bare = of_bytes[1] or of_bytes[2] or ""
        around.append("Python's b'…' (call .decode() on bytes)")
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1].strip()
        around.append("quotes")
    return bare, " and ".join(around)


def decode_base64(data: bytes) -> bytes:
    """Decode Base64 or Base64URL (RFC 4648), with or without padding; a ``ValueError`` says that it is neither."""
    if not data.isascii():
        raise ValueError("not Base64")
    return b64decode(data.translate(bytes.maketrans(b"-_", b"+/")) + b"==")


_ALTERATIONS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("followed by a newline", lambda secret: secret + b"\n"),
    ("followed by a newline", lambda secret: secret + b"\r\n"),
    ("followed by \\n, written out", lambda secret: secret + b"\\n"),
    ("followed by a space", lambda secret: secret + b" "),
    ("behind the name of its variable", b"INTERCOM_MESSENGER_SECRET=".__add__),
    ("in quotes", lambda secret: b'"' + secret + b'"'),
    ("in quotes", lambda secret: b"'" + secret + b"'"),
    ("in UTF-16", lambda secret: secret.decode().encode("utf-16-le")),
    ("behind a byte order mark", lambda secret: BOM_UTF8 + secret),
    ("in Base64: encoded once more than it must be, as in a Secret of Kubernetes", b64encode),
    ("in Base64: encoded once more than it must be, with a newline", lambda secret: b64encode(secret + b"\n")),
    ("in hexadecimal", lambda secret: secret.hex().encode()),
    ("decoded from hexadecimal", lambda secret: bytes.fromhex(secret.decode())),
    ("decoded from Base64", decode_base64),
    ("hashed with SHA-256", lambda secret: hashlib.sha256(secret).digest()),
)


def altered_secrets(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each alteration that is possible, in words that follow "the secret", and what it makes of it."""
    for how, alter in _ALTERATIONS:
        try:
            yield how, alter(secret)
        except ValueError:  # the secret is not written in that encoding
            continue


_NO_SECRETS = (b"", b"None", b"null", b"undefined", b"nil")


def check_intercom_token(
    token: str, *, secret: str | bytes | None = None, user_id: str | None = None, now: float | None = None
) -> list[Finding]:
    """Check ``intercom_user_jwt``, without asking Intercom.

    Args:
        token: The token, as it is in the settings.
        secret: The Messenger API Secret. Without it the signature is not verified, except that an empty
            secret is recognized.
        user_id: The ``user_id`` beside the token in the settings, to be compared.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, with an ``unchecked`` finding for what could not be checked. Empty if nothing is wrong.
    """
    key = secret.encode() if isinstance(secret, str) else secret or b""
    parsed, findings = open_token(token, INTERCOM_TOKEN, secret=key)
    if parsed is None:
        return findings
    signed = parsed.claims.get("user_id")
    differs = user_id is not None and isinstance(signed, str) and signed != user_id
    return [
        *findings,
        *_check_hmac(parsed, key),
        *check_claims(parsed, INTERCOM_TOKEN, time.time() if now is None else now),
        *([finding("intercom-user-id-differs")] if differs else []),
        *_check_attributes(parsed.claims),
    ]


def _check_hmac(token: ParsedToken, secret: bytes) -> Iterator[Finding]:
    if token.unsigned:
        return  # reported already, with the form
    if token.header["alg"] not in INTERCOM_ALGORITHMS:
        yield finding("intercom-algorithm", got=quoted(token.header["alg"]))
    elif _is_verified(token, secret):
        return
    elif any(_is_signed_with(token, each) for each in _NO_SECRETS):
        yield finding(
            "intercom-secret-altered", how='left empty, or with "None" or the like in its place, so anyone can forge it'
        )
    elif len(secret) < MIN_SECRET_BYTES:
        yield finding("unchecked", "secret", bytes=MIN_SECRET_BYTES)
    else:
        changes = (change for change, altered in altered_secrets(secret) if _is_signed_with(token, altered))
        change = next(changes, None)
        yield finding("intercom-signature") if change is None else finding("intercom-secret-altered", how=change)


def _is_verified(token: ParsedToken, secret: bytes) -> bool:
    return len(secret) >= MIN_SECRET_BYTES and verifies_hs256(token.compact, secret)


def _is_signed_with(token: ParsedToken, secret: bytes) -> bool:
    """Tell whether an altered secret made the signature, after joserfc has refused the right one."""
    return hmac.compare_digest(hmac.digest(secret, token.message, "sha256"), token.signature)


def _check_attributes(claims: dict[str, Any]) -> Iterator[Finding]:
    custom = {name: value for name, value in claims.items() if name not in RESERVED_NAMES}
    yield from map(finding_of, attribute_problems(custom, MAX_ATTRIBUTES))
    for name, value in custom.items():
        if isinstance(value, str) and (value.lower() in ("true", "false") or (value.strip() and is_lost(value))):
            yield finding("attribute-stringified", name=repr(name))
    company = claims.get("company", {"id": "…"})
    if isinstance(company, dict) and company.get("id"):
        of_company = {name: value for name, value in company.items() if name not in ("id", "name")}
        yield from map(finding_of, attribute_problems(of_company, MAX_COMPANY_ATTRIBUTES))
    else:
        yield finding("intercom-company-id")


_SHOWN = 3  # key IDs of a keyset

# What can be the only difference between two strings, and a function that removes it.
_NEAR_MISSES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("whitespace", str.strip),
    ("a final slash", lambda value: value.rstrip("/")),
    ("upper and lower case", str.lower),
    ("http:// or https://", lambda value: value.rpartition("://")[2]),
)


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
    parsed, findings = open_token(token, SALESFORCE_TOKEN, keys=keys)
    if parsed is None:
        return findings
    return [
        *findings,
        *_check_rsa_signature(parsed, keys),
        *_check_issuer(parsed.claims.get("iss"), issuer),
        *check_claims(parsed, SALESFORCE_TOKEN, time.time() if now is None else now),
        *_check_audience(parsed.claims.get("aud"), audience),
    ]


def check_pair(intercom_user_jwt: str, salesforce_identity_token: str) -> list[Finding]:
    """Check that the two tokens of one page identify the same user. Neither is verified here."""
    first, _ = open_token(intercom_user_jwt, INTERCOM_TOKEN)
    second, _ = open_token(salesforce_identity_token, SALESFORCE_TOKEN)
    if first is None or second is None or first.claims.get("user_id") == second.claims.get("sub"):
        return []
    return [finding("pair-subject-differs")]


_HOSTS = re.compile(
    r"(?:https?://)?([a-z0-9-]+(?:\.(?:sandbox|develop|demo|free|scratch|trial|trailblaze|patch|stage))?)"
    r"\.(?:my\.salesforce(?:-scrt)?|lightning\.force)\.com\.?(?:[:/].*)?",
    re.IGNORECASE,
)


def audience_meant(audience: str) -> str | None:
    """Return the audience that was meant, if its host can be derived from the one that is given.

    The labels of sandbox and developer orgs stay. From a host to log in at, the ID of an org or a word nothing follows.
    """
    found = _HOSTS.fullmatch(audience.strip())
    meant = f"https://{found[1].lower()}.my.salesforce-scrt.com" if found else ""
    return meant if meant and not is_placeholder(meant) else None


def compare_issuers(got: str, wanted: str | None) -> Finding:
    """Return the finding for two issuers that differ, or for a blank one; it says in what they differ."""
    setting = "SALESFORCE_ISSUER to it" if wanted is None else assignment("SALESFORCE_ISSUER", wanted)
    shown = "the keyset's issuer" if wanted is None else quoted(wanted)
    hint = _only_difference(got, wanted or "") if got else ""
    got = quoted(got) if got else "nothing"
    return finding("salesforce-issuer-differs", got=got, wanted=shown, hint=hint, setting=setting)


def _check_rsa_signature(token: ParsedToken, keys: Sequence[VerifyingKey]) -> Iterator[Finding]:
    if token.unsigned:
        return  # reported already, with the form
    kid, alg = token.header.get("kid"), token.header["alg"]
    has_kid = isinstance(kid, str) and kid.strip()
    if not has_kid:
        yield finding("salesforce-kid-missing")
    if alg not in SALESFORCE_ALGORITHMS:
        yield finding("salesforce-algorithm", got=quoted(alg))
        return
    if not keys:
        yield finding("unchecked", "keyset")
        return
    named = [key for key in keys if key.kid in (None, kid)]
    verifying = [key for key in keys if key.verifies(token.compact)]
    for key in named:
        if key.alg not in (None, alg):
            yield finding("salesforce-algorithm-differs", got=quoted(alg), wanted=quoted(key.alg), alg=key.alg)
    if not verifying:
        yield finding("salesforce-signature")
    if has_kid and not any(key in named for key in verifying or named):
        yield _kid_differs(str(kid), verifying or keys)


def kids_of(keys: Sequence[VerifyingKey]) -> str:
    """Return the key IDs of a keyset, for a message."""
    shown = " or ".join(quoted(str(key.kid)) for key in keys[:_SHOWN])
    return f"{shown} or another" if len(keys) > _SHOWN else shown


def _kid_differs(kid: str, keys: Sequence[VerifyingKey]) -> Finding:
    hint = next(filter(None, (_only_difference(kid, str(key.kid)) for key in keys[:_SHOWN])), "")
    setting = "SALESFORCE_KEY_ID to the kid of the JWK that was uploaded for this private key"
    setting = assignment("SALESFORCE_KEY_ID", str(keys[0].kid)) if len(keys) == 1 else setting
    return finding("salesforce-kid-differs", got=quoted(kid), wanted=kids_of(keys), hint=hint, setting=setting)


def _only_difference(got: str, wanted: str) -> str:
    return next((f"; only {what} differs" for what, without in _NEAR_MISSES if without(got) == without(wanted)), "")


def _check_issuer(got: object, wanted: str | None) -> Iterator[Finding]:
    issuer = got if isinstance(got, str) and got.strip() else ""
    if is_fin_issuer(issuer):
        yield finding("issuer-fin")
    if issuer and wanted is None:
        yield finding("unchecked", "issuer")
    elif issuer != wanted:
        yield compare_issuers(issuer, wanted)


def _check_audience(got: object, wanted: str | None) -> Iterator[Finding]:
    if isinstance(got, list) and len(got) == 1:  # RFC 7519 §4.1.3: the same as the string in it
        [got] = got
    example = is_placeholder(str(got))
    if example or not (got == wanted if wanted is not None else isinstance(got, str) and is_scrt_origin(got)):
        own = wanted is None or example
        expected = "https://<subdomain>.my.salesforce-scrt.com of your own org" if own else quoted(wanted)
        meant = None if example else wanted or audience_meant(str(got))
        how = {} if meant is None else {"audience": assignment("SALESFORCE_AUDIENCE", meant)}
        yield finding("salesforce-audience", got="nothing" if got is None else quoted(got), wanted=expected, **how)
