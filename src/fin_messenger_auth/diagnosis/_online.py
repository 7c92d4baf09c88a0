"""Asks an org about a token, and fetches a JWKS: the checks that leave the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from fin_messenger_auth._json_values import parse_json

from ._findings import Finding, finding
from ._http import Answer, NoAnswerError, is_allowed, send
from ._key_checks import check_jwks
from ._token_checks import LEEWAY_SECONDS, duration, quoted

TOKEN_PATH = "/iamessage/api/v2/authorization/authenticated/access-token"  # noqa: S105 - a path
"""Where an identity token is exchanged for an access token."""

CONFIG_PATH = "/embeddedservice/v1/embedded-service-config"
"""Where a deployment describes its configuration, without a token."""

_OK = 200
_MODE = ("embeddedServiceConfig", "embeddedServiceMessagingChannel", "authMode")
_ORG, _JWKS = "The org", "The JWKS"


@dataclass(frozen=True, slots=True)
class Org:
    """A deployment in an org.

    Args:
        url: The origin of the org's messaging service: ``https://<subdomain>.my.salesforce-scrt.com``.
        org_id: The ID of the org, ``00D…``.
        deployment: The API name of the Embedded Service deployment of type *Custom Client*.
    """

    url: str
    org_id: str = field(repr=False)
    deployment: str = field(repr=False)


def check_org(org: Org, token: str | None, *, now: float | None = None) -> list[Finding]:
    """Ask an org how its channel is configured, and exchange a token.

    Args:
        org: The deployment.
        token: A ``salesforce_identity_token``, made for a user of its own; ``None`` if there is none.
        now: The time, in Unix seconds; the machine's if left out.
    """
    if not is_allowed(org.url) or urlsplit(org.url)[2:] not in (("", "", ""), ("/", "", "")):
        return [finding("online-address", what="the org", why="expected https:// and a host, without a path")]
    try:
        findings = [*_check_channel(org, time.time() if now is None else now)]
        if any(each.code == "online-deployment" for each in findings):
            return findings
        if token is None:
            return [*findings, finding("unchecked", "exchange")]
        return [*findings, *_check_exchange(org, token)]
    except NoAnswerError as error:
        return [finding("online-unreachable", what=_ORG, why=error)]


def check_published_jwks(url: str, *, kid: str | None = None, now: float | None = None) -> list[Finding]:
    """Fetch a JWKS as Salesforce does, and check it.

    Args:
        url: Its URL, the *Endpoint URL* of the keyset.
        kid: The key ID of the tokens, which must be in it.
        now: The time, in Unix seconds; the machine's if left out.
    """
    if not is_allowed(url):
        return [finding("online-address", what="the JWKS", why="it does not begin with https://")]
    try:
        answer = send(url, {})
    except NoAnswerError as error:
        return [finding("online-unreachable", what=_JWKS, why=error)]
    document = _json(answer)
    if document is None:
        return [_unexpected(_JWKS, answer)]
    findings = check_jwks(answer.body, now=now)
    keys = document.get("keys")
    if kid is not None and kid not in [_member(key, "kid") for key in (keys if isinstance(keys, list) else ())]:
        findings.append(finding("online-jwks-key-missing", kid=quoted(kid)))
    return findings


def _check_channel(org: Org, now: float) -> Iterator[Finding]:
    query = urlencode({"orgId": org.org_id, "esConfigName": org.deployment, "language": "en_US"})
    answer = send(f"{org.url.rstrip('/')}{CONFIG_PATH}?{query}", {})
    with suppress(KeyError, ValueError, OverflowError):  # a Date that is missing or none
        away = abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - now)
        if away > LEEWAY_SECONDS:
            yield finding("clock-wrong", how=f"it is {duration(away)} away from the org's")
    if answer.status in (400, 404):
        yield finding("online-deployment")
    elif (document := _json(answer)) is None:
        yield _unexpected(_ORG, answer)
    else:
        yield from _check_mode(_member(document, *_MODE))


def _check_mode(mode: object) -> Iterator[Finding]:
    if mode != "Auth":
        yield finding("online-channel-mode", got=f"authMode is {quoted(mode)}, expected Auth")


def _check_exchange(org: Org, token: str) -> Iterator[Finding]:
    answer = send(
        f"{org.url.rstrip('/')}{TOKEN_PATH}",
        {},
        {
            "orgId": org.org_id,
            "esDeveloperName": org.deployment,
            "capabilitiesVersion": "1",
            "platform": "Web",
            "deviceId": str(uuid4()),
            "context": {"appName": "fin-messenger-auth", "clientVersion": "1"},
            "authorizationType": "JWT",
            "customerIdentityToken": token,
        },
    )
    document, said = _json(answer), answer.body.decode(errors="replace").lower()
    if "no active authschemes" in said:
        yield finding("online-no-scheme")
    elif "user verification isn't enabled" in said or "user verification is not enabled" in said:
        yield finding("online-channel-mode", got="it answers that User Verification is not enabled")
    elif answer.status in (400, 401, 403):
        yield finding("online-guest", answer=f"it refused the token with status {answer.status}")
    elif document is None:
        yield _unexpected(_ORG, answer)
    else:
        subject = _member(document, "context", "endUser", "subject")
        if not isinstance(subject, str):
            yield finding("online-answer", what=_ORG, got="no subject", wanted="context.endUser.subject")
        elif "/AUTH/" not in subject:
            yield finding("online-guest", answer="it accepted the token, but its subject is a guest (no /AUTH/)")
        if (mode := _member(document, "context", "configuration", *_MODE)) is not None:  # not in every answer
            yield from _check_mode(mode)


def _json(answer: Answer) -> dict[str, Any] | None:
    """Return the JSON object of a successful answer."""
    value = parse_json(answer.body) if answer.status == _OK else None
    return value if isinstance(value, dict) else None


def _unexpected(what: str, answer: Answer) -> Finding:
    got = "no JSON object" if answer.status == _OK else f"status {answer.status}"
    return finding("online-answer", what=what, got=got, wanted="a JSON object with status 200")


def _member(value: Any, *names: str) -> Any:  # noqa: ANN401 - any JSON
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
