"""What stands in the settings: both tokens decoded, and verified as the platforms would, by joserfc."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fin_messenger_auth import intercom, salesforce

from .throwaway import throwaway_rsa_key, throwaway_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from joserfc.jwk import OctKey, RSAKey
    from joserfc.jws import JWSRegistry

_TOKENS = ("intercom_user_jwt", "salesforce_identity_token")


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """A token, taken apart.

    Attributes:
        header: The JOSE header (RFC 7515 §4).
        claims: The JWT claims set (RFC 7519 §4).
    """

    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DecodedSettings:
    """The settings of one page, with both tokens taken apart.

    Attributes:
        intercom: ``intercom_user_jwt``; ``None`` for an anonymous visitor.
        salesforce: ``salesforce_identity_token``; ``None`` for an anonymous visitor or where Fin makes it.
        unsigned: Everything else: what the visitor can read and change.
    """

    intercom: DecodedToken | None
    salesforce: DecodedToken | None
    unsigned: dict[str, Any]


def decode_token(token: str) -> DecodedToken:
    """Take a token apart, without verifying it.

    Raises:
        ValueError: It is no compact JWS.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415 - heavy, and needed only here
    from joserfc.jws import extract_compact  # noqa: PLC0415 - the same

    try:
        parts = extract_compact(token.encode(), registry=_registry_for(token))
    except (AttributeError, JoseError) as error:
        raise ValueError("The token is no compact JWS.") from error
    return DecodedToken(header=dict(parts.headers()), claims=json.loads(parts.payload))


def decode(settings: Mapping[str, Any]) -> DecodedSettings:
    """Take the tokens in ``settings`` apart, without verifying them.

    Args:
        settings: What ``build_settings`` returned.

    Raises:
        ValueError: A token is no compact JWS.
    """
    intercom_token, salesforce_token = (settings.get(name) for name in _TOKENS)
    return DecodedSettings(
        intercom=None if intercom_token is None else decode_token(intercom_token),
        salesforce=None if salesforce_token is None else decode_token(salesforce_token),
        unsigned={name: value for name, value in settings.items() if name not in _TOKENS},
    )


def verify(
    settings: Mapping[str, Any],
    *,
    secret: str | bytes | None = None,
    public_key: RSAPublicKey | None = None,
    now: float | None = None,
) -> DecodedSettings:
    """Check the settings of a signed-in user as both platforms would, and take the tokens apart.

    Args:
        settings: What ``build_settings`` returned.
        secret: The Messenger API Secret; the throwaway one if left out.
        public_key: The public half of the Salesforce key; the throwaway one if left out.
        now: The time, in Unix seconds; the machine's if left out.

    Raises:
        AssertionError: There is no ``intercom_user_jwt``; a signature, an algorithm or a lifetime is
            not as it must be; ``user_id`` differs between the settings and the token.
    """
    from joserfc.jwk import OctKey, RSAKey  # noqa: PLC0415 - heavy, and needed only here

    try:
        decoded = decode(settings)
    except ValueError as error:
        raise AssertionError("A token in the settings is no compact JWS.") from error
    if decoded.intercom is None:
        raise AssertionError("There is no intercom_user_jwt: these are the settings of an anonymous visitor.")
    moment = time.time() if now is None else now
    _verify_token(
        settings,
        "intercom_user_jwt",
        OctKey.import_key(throwaway_secret() if secret is None else secret),
        intercom.ALGORITHMS,
        moment,
    )
    if decoded.intercom.claims.get("user_id") != settings.get("user_id"):
        raise AssertionError("user_id is not the same in the settings and in intercom_user_jwt.")
    if decoded.salesforce is not None:
        key = RSAKey.import_key(_spki(public_key or throwaway_rsa_key().public_key()))
        _verify_token(settings, "salesforce_identity_token", key, salesforce.ALGORITHMS, moment)
    return decoded


def _verify_token(
    settings: Mapping[str, Any], name: str, key: OctKey | RSAKey, algorithms: Sequence[str], now: float
) -> None:
    from joserfc import errors, jwt  # noqa: PLC0415 - heavy, and needed only here

    try:
        token = jwt.decode(settings[name], key, algorithms=list(algorithms), registry=_registry_for(settings[name]))
        jwt.JWTClaimsRegistry(now=int(now), exp={"essential": True}).validate(token.claims)
    except (errors.JoseError, ValueError) as error:
        raise AssertionError(f"{name} would be rejected: {type(error).__name__}, with now={int(now)}.") from error


def _registry_for(token: str) -> JWSRegistry:
    """Return joserfc's rules, but for its limit on the size of a token that comes from a stranger."""
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - heavy, and needed only here

    registry = JWSRegistry()
    registry.max_payload_length = max(len(token), registry.max_payload_length)
    return registry


def _spki(key: RSAPublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - as above

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
