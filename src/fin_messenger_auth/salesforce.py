"""The rules of ``salesforce_identity_token``: who the user is, for Salesforce Enhanced Chat."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from .errors import ConfigurationError, masked_class, warn
from .json_values import configured_string, fill
from .minter import Minter
from .signers import RSA_HASHES
from .users import MessengerUser

TOKEN = "salesforce_identity_token"  # noqa: S105 - its name
"""The setting that carries the token."""

ALGORITHMS = tuple(RSA_HASHES)  # what Salesforce accepts: RS256 and RS512
FIN_ISSUER = "fin.ai"  # the issuer of the tokens that Fin makes itself, with its own key
AUDIENCE_PLACEHOLDER = "https://YOUR-SUBDOMAIN.my.salesforce-scrt.com"
"""What ``keygen`` prints for the audience, to be replaced."""

_AUDIENCE = re.compile(r"https://[A-Za-z0-9.-]+\.my\.salesforce-scrt\.com")


def checked_issuer(issuer: object, name: str = "issuer") -> str:
    """Return the keyset's *JWT Issuer*, checked; ``name`` is what the error calls it."""
    plain = configured_string(issuer, name)
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
    plain = configured_string(audience, name)
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


@masked_class
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

    token: ClassVar[str] = TOKEN
    algorithms: ClassVar[tuple[str, ...]] = ALGORITHMS
    kid_required: ClassVar[bool] = True

    _: KW_ONLY
    issuer: str
    audience: str

    def __post_init__(self) -> None:
        """Check the signer, the issuer, the audience and the lifetime at start-up."""
        Minter.__post_init__(self)
        fill(self, "issuer", checked_issuer(self.issuer))
        fill(self, "audience", checked_audience(self.audience))

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
