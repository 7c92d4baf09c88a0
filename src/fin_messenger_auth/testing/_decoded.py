"""Decodes both tokens of settings, and verifies them with joserfc as the platforms would."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth._jws import parse_token
from fin_messenger_auth._tokens import INTERCOM_ALGORITHMS, INTERCOM_TOKEN, SALESFORCE_ALGORITHMS, SALESFORCE_TOKEN
from fin_messenger_auth._verification import joserfc_key
from fin_messenger_auth.diagnosis._page_reader import read_page
from fin_messenger_auth.errors import masked

from ._throwaway import throwaway_rsa_key, throwaway_secret

if TYPE_CHECKING:
    from joserfc.jwk import OctKey, RSAKey

_TOKENS = (INTERCOM_TOKEN, SALESFORCE_TOKEN)


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """A decoded token.

    Attributes:
        header: The JOSE header (RFC 7515 §4).
        claims: The JWT claims set (RFC 7519 §4).
    """

    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DecodedSettings:
    """The settings of one page, with both tokens decoded.

    Attributes:
        intercom: ``intercom_user_jwt``; ``None`` for an anonymous visitor.
        salesforce: ``salesforce_identity_token``; ``None`` for an anonymous visitor or where Fin makes it.
        unsigned: Everything else: what the visitor can read and change.
    """

    intercom: DecodedToken | None
    salesforce: DecodedToken | None
    unsigned: dict[str, Any]


def decode_token(token: str) -> DecodedToken:
    """Decode a token, without verifying it.

    Raises:
        ValueError: It is not a compact JWS.
    """
    try:
        parsed = parse_token(token)
    except ValueError as error:
        raise ValueError(f"The token is not a compact JWS: {error}.") from error
    return DecodedToken(parsed.header, parsed.claims)


def decode(settings: Mapping[str, Any]) -> DecodedSettings:
    """Decode the tokens in ``settings``, without verifying them.

    Args:
        settings: What ``build_settings`` returned.

    Raises:
        ValueError: A token is not a compact JWS.
    """
    tokens = [settings.get(name) for name in _TOKENS]
    intercom_token, salesforce_token = (None if token is None else decode_token(token) for token in tokens)
    return DecodedSettings(
        intercom=intercom_token,
        salesforce=salesforce_token,
        unsigned={name: value for name, value in settings.items() if name not in _TOKENS},
    )


def settings_in(document: str) -> dict[str, Any]:
    """Return the settings that a page of the application passes to the Messenger, to be decoded or verified.

    Args:
        document: The HTML of the page, or the JSON answer of an endpoint.

    These are the final settings, after the page's scripts have run. Pages whose scripts are not of
    :func:`~fin_messenger_auth.render_snippet` alone need the extra ``doctor``.

    Raises:
        AssertionError: It passes none, or could not be read to its end.
    """
    page = read_page(document)
    if page.stopped or page.broken:
        raise AssertionError(f"The page cannot be read: {page.stopped or page.broken}.")
    if not page.values:
        raise AssertionError("The page passes no settings to the Messenger.")
    return page.values


@masked
def verify(
    settings: Mapping[str, Any],
    *,
    secret: str | bytes | None = None,
    public_key: RSAPublicKey | None = None,
    now: float | None = None,
) -> DecodedSettings:
    """Verify the settings of a signed-in user as both platforms would, and decode the tokens.

    Args:
        settings: What ``build_settings`` returned.
        secret: The Messenger API Secret; the throwaway one if left out.
        public_key: The public key of the Salesforce signer; the throwaway one if left out.
        now: The time, in Unix seconds; the machine's if left out.

    Raises:
        AssertionError: ``intercom_user_jwt`` is missing; a signature, an algorithm or a lifetime is
            invalid; ``user_id`` differs between the settings and the token.
    """
    from joserfc.jwk import OctKey  # noqa: PLC0415 - heavy, and needed only here

    try:
        decoded = decode(settings)
    except ValueError as error:
        raise AssertionError(f"The settings: {error}") from error
    if decoded.intercom is None:
        raise AssertionError("There is no intercom_user_jwt: these are the settings of an anonymous visitor.")
    moment = int(time.time() if now is None else now)
    key = OctKey.import_key(throwaway_secret() if secret is None else secret)
    _verify_token(settings, INTERCOM_TOKEN, key, INTERCOM_ALGORITHMS, moment)
    signed = decoded.intercom.claims.get("user_id")
    if settings.get("user_id", signed) != signed:  # the token alone identifies, too
        raise AssertionError("user_id is not the same in the settings and in intercom_user_jwt.")
    if decoded.salesforce is not None:
        public_key = public_key or throwaway_rsa_key().public_key()
        _verify_token(settings, SALESFORCE_TOKEN, joserfc_key(public_key), SALESFORCE_ALGORITHMS, moment)
    return decoded


def _verify_token(
    settings: Mapping[str, Any], name: str, key: OctKey | RSAKey, algorithms: Sequence[str], now: int
) -> None:
    from joserfc import errors, jws, jwt  # noqa: PLC0415 - heavy, and needed only here

    registry = jws.JWSRegistry(algorithms=list(algorithms))  # its limit on the size is for the tokens of strangers
    registry.max_payload_length = max(len(settings[name]), registry.max_payload_length)
    try:
        token = jwt.decode(settings[name], key, algorithms=list(algorithms), registry=registry)
        jwt.JWTClaimsRegistry(now=now, exp={"essential": True}).validate(token.claims)
    except (errors.JoseError, ValueError) as error:
        raise AssertionError(f"{name} would be rejected: {type(error).__name__}, with now={now}.") from error
