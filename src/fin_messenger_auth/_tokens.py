"""Makes both tokens: claims are pure functions of user and time, and a signer signs them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from ._json_values import set_field
from ._jws import aencode, encode
from ._material import configured_string
from ._outages import Outage
from ._signers import RSA_HASHES, AsyncSigner, Signer, check_signer_for
from ._users import MessengerUser
from .errors import ConfigurationError, warn

DEFAULT_LIFETIME = timedelta(hours=1)  # how long a token is valid, as in Intercom's article
RECOMMENDED_LIFETIME = timedelta(minutes=5)
"""A token with a shorter lifetime may expire while a page loads or a clock is off."""


@dataclass(frozen=True, slots=True, eq=False)
class Minter(ABC):
    """Makes the token of one platform."""

    token: ClassVar[str]
    algorithms: ClassVar[Collection[str]]
    kid_required: ClassVar[bool]

    signer: Signer | AsyncSigner
    _: KW_ONLY
    lifetime: timedelta = DEFAULT_LIFETIME
    seconds: int = field(init=False, repr=False)
    outage: Outage = field(init=False, repr=False, default_factory=Outage)

    def __post_init__(self) -> None:
        """Check the signer and the lifetime at start-up."""
        check_signer_for(self.token, self.signer, self.algorithms, kid_required=self.kid_required)
        set_field(self, "seconds", whole_seconds(self.lifetime, self.token))

    @abstractmethod
    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user`` at ``now``, in Unix seconds: pure, the same for the same arguments."""

    def mint(self, user: MessengerUser, now: int) -> str:
        """Return the token for ``user``: the claims, signed.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Raises:
            ConfigurationError: The signer has ``asign`` only.
            SigningError: The signer failed.
        """
        return encode(self.claims(user, now), self.signer, self.token)

    async def amint(self, user: MessengerUser, now: int) -> str:
        """Return the token for ``user``, awaiting ``asign`` where the signer has it.

        Arguments, result and errors are those of :meth:`mint`.
        """
        return await aencode(self.claims(user, now), self.signer, self.token)


def whole_seconds(lifetime: timedelta, token: str) -> int:
    """Return the lifetime of a token in seconds, checked: a bare number could be seconds or milliseconds."""
    if not isinstance(lifetime, timedelta):
        raise TypeError(f"lifetime: expected a datetime.timedelta, got {type(lifetime).__name__}.")
    seconds = lifetime // timedelta(seconds=1)
    if seconds < 1:
        raise ConfigurationError(f"The lifetime of {token} must be at least one second.", "lifetime-invalid")
    if lifetime < RECOMMENDED_LIFETIME:
        warn(
            f"The lifetime of {token} is {seconds} s, under {RECOMMENDED_LIFETIME // timedelta(minutes=1)} minutes: "
            "it may expire while a page loads or a clock is off.",
            "lifetime-short",
        )
    return seconds


INTERCOM_TOKEN = "intercom_user_jwt"  # noqa: S105 - its name
"""The setting that carries the token."""

INTERCOM_ALGORITHMS = ("HS256",)  # what Intercom accepts
_ALWAYS = ("user_id", "exp")
_OPTIONAL = ("email", "name", "phone", "created_at", "company")


@dataclass(frozen=True, slots=True, eq=False)
class IntercomMinter(Minter):
    """Makes ``intercom_user_jwt``.

    The rules are those of Intercom's articles on Messenger security and on Fin with Salesforce.

    Args:
        signer: Signs with HS256 and the Messenger API Secret of the platform (web, iOS or Android) and
            workspace: an :class:`~fin_messenger_auth.HMACSigner` or any other signer.
        lifetime: How long a token is valid. Intercom documents no maximum; the article uses one hour.

    Attributes:
        seconds: The lifetime in whole seconds.

    Raises:
        ConfigurationError: The signer's ``alg`` is not ``HS256``; the lifetime is under one second.
        TypeError: The lifetime is not a ``timedelta``.

    Warns:
        FinMessengerAuthWarning: The lifetime is under five minutes.
    """

    token: ClassVar[str] = INTERCOM_TOKEN
    algorithms: ClassVar[tuple[str, ...]] = INTERCOM_ALGORITHMS
    kid_required: ClassVar[bool] = False

    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user``: pure, the same for the same arguments.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Returns:
            A fresh dict of ``user_id`` and ``exp`` (Unix seconds), and what else the user was given.
        """
        attributes: Any = user.attributes
        claims: dict[str, Any] = attributes.copy()
        claims["user_id"] = user.user_id
        claims["exp"] = now + self.seconds
        for name in _OPTIONAL:
            if (value := getattr(user, name)) is not None:
                claims[name] = value.claim() if name == "company" else value
        return claims

    def signs(self, user: MessengerUser, name: str) -> bool:
        """Tell whether the token of ``user`` has a claim with the name of this setting."""
        return name in user.attributes or name in _ALWAYS or (name in _OPTIONAL and getattr(user, name) is not None)


SALESFORCE_TOKEN = "salesforce_identity_token"  # noqa: S105 - its name
"""The setting that carries the token."""

SALESFORCE_ALGORITHMS = tuple(RSA_HASHES)  # what Salesforce accepts: RS256 and RS512
FIN_ISSUER = "fin.ai"  # the issuer of the tokens that Fin makes itself, with its own key
AUDIENCE_PLACEHOLDER = "https://YOUR-SUBDOMAIN.my.salesforce-scrt.com"
"""What ``keygen`` prints for the audience, to be replaced."""

_AUDIENCE = re.compile(r"https://[A-Za-z0-9.-]+\.my\.salesforce-scrt\.com")


def checked_issuer(issuer: object, name: str = "issuer") -> str:
    """Return the keyset's *JWT Issuer*, checked; ``name`` is what the error calls it."""
    plain = configured_string(issuer, name, "issuer")
    if is_fin_issuer(plain):
        warn(
            f"{name} is {FIN_ISSUER}, the issuer of the tokens that Fin makes with its own key. With your own key, use "
            "the issuer of your own keyset; if Fin makes the token, pass salesforce=None or set "
            "SALESFORCE_IDENTITY=fin-managed.",
            "issuer-fin",
        )
    return plain


def checked_audience(audience: object, name: str = "audience") -> str:
    """Return an audience, checked; ``name`` is what the error calls it."""
    plain = configured_string(audience, name, "audience")
    if plain.lower() == AUDIENCE_PLACEHOLDER.lower():
        raise ConfigurationError(
            f"{name} is still the placeholder that keygen printed; replace YOUR-SUBDOMAIN.", "placeholder"
        )
    if not is_scrt_origin(plain):
        warn(
            f"{name}: expected https://<subdomain>.my.salesforce-scrt.com, without a path or a final slash.",
            "salesforce-audience",
        )
    return plain


def is_fin_issuer(issuer: str) -> bool:
    """Tell whether an issuer is the one of the tokens that Fin makes itself."""
    return issuer.lower() == FIN_ISSUER


def is_placeholder(audience: str) -> bool:
    """Tell whether an audience is still an example: this library's, or the article's."""
    return audience.lower().startswith("https://your-")


def is_scrt_origin(audience: str) -> bool:
    """Tell whether an audience is the origin of an org's messaging service, as in the article."""
    return _AUDIENCE.fullmatch(audience) is not None


@dataclass(frozen=True, slots=True, eq=False)
class SalesforceMinter(Minter):
    """Makes ``salesforce_identity_token``.

    Only for your own key: where Fin makes this token (the keyset's issuer is ``fin.ai``), pass ``salesforce=None``.

    Args:
        signer: Signs with RS256 or RS512; its ``kid`` is exactly the one of the JWK uploaded to Salesforce.
        issuer: The keyset's *JWT Issuer* in Salesforce, byte for byte: case and a final slash count.
        audience: ``https://<subdomain>.my.salesforce-scrt.com``, as in the article.
        lifetime: How long a token is valid. The article uses one hour.

    Attributes:
        seconds: The lifetime in whole seconds.

    Raises:
        ConfigurationError: The signer's ``alg`` is not supported or its ``kid`` is missing; issuer or
            audience is blank or has whitespace or a quote around it; the lifetime is under one second.
        TypeError: The lifetime is not a ``timedelta``.

    Warns:
        FinMessengerAuthWarning: The issuer is Fin's own; the audience does not have that form; the
            lifetime is under five minutes.
    """

    token: ClassVar[str] = SALESFORCE_TOKEN
    algorithms: ClassVar[tuple[str, ...]] = SALESFORCE_ALGORITHMS
    kid_required: ClassVar[bool] = True

    _: KW_ONLY
    issuer: str
    audience: str

    def __post_init__(self) -> None:
        """Check the signer, the issuer, the audience and the lifetime at start-up."""
        Minter.__post_init__(self)
        set_field(self, "issuer", checked_issuer(self.issuer))
        set_field(self, "audience", checked_audience(self.audience))

    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user``: pure, the same for the same arguments.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Returns:
            A fresh dict of ``iss``, ``sub``, ``aud``, and ``exp`` and ``iat`` in Unix seconds.
        """
        return {
            "iss": self.issuer,
            "sub": user.user_id if user.salesforce_subject is None else user.salesforce_subject,
            "aud": self.audience,
            "exp": now + self.seconds,
            "iat": now,
        }
