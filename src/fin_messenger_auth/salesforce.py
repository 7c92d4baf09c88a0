"""The rules of ``salesforce_identity_token``: who the user is, told to Salesforce Enhanced Chat."""

from __future__ import annotations

import re
import warnings
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import FinMessengerAuthWarning
from .json_values import configured_text, fill
from .jws import DEFAULT_LIFETIME, whole_seconds
from .signers import RSA_HASHES, check_fit

if TYPE_CHECKING:
    from datetime import timedelta

    from .signers import AsyncSigner, Signer
    from .users import MessengerUser

TOKEN = "salesforce_identity_token"  # noqa: S105 - its name
"""The setting that carries the token."""

ALGORITHMS = tuple(RSA_HASHES)
"""What Salesforce takes: RS256 and RS512."""

FIN_ISSUER = "fin.ai"
"""The issuer of the tokens that Fin makes itself, with its own key."""

AUDIENCE_PATTERN = re.compile(r"https://[A-Za-z0-9.-]+\.my\.salesforce-scrt\.com")
"""The origin of an org's messaging service, as in the article: no path and no slash behind it."""


@dataclass(frozen=True, slots=True, eq=False)
class SalesforceMinter:
    """What makes the claims of ``salesforce_identity_token``.

    Only for your own key: where Fin makes this token (the keyset's issuer is ``fin.ai``), there is none.

    Args:
        signer: Signs with RS256 or RS512; its ``kid`` is exactly the one of the JWK uploaded to Salesforce.
        issuer: The keyset's *JWT Issuer* in Salesforce, byte for byte: case and a final slash count.
        audience: ``https://<subdomain>.my.salesforce-scrt.com``, as in the article.
        lifetime: How long a token is valid. The article uses one hour.

    Attributes:
        seconds: The lifetime in whole seconds.

    Raises:
        ConfigurationError: The signer's ``alg`` is another one or its ``kid`` is missing; issuer or
            audience is blank; the lifetime is under one second.
        TypeError: The lifetime is no ``timedelta``.

    Warns:
        FinMessengerAuthWarning: The issuer is Fin's own; the audience is not such an origin; the
            lifetime is under five minutes.
    """

    signer: Signer | AsyncSigner
    _: KW_ONLY
    issuer: str
    audience: str
    lifetime: timedelta = DEFAULT_LIFETIME
    seconds: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check what signs, for whom and for how long, at start-up."""
        check_fit(self.signer, token=TOKEN, algorithms=ALGORITHMS, kid_required=True)
        configured_text(self.issuer, "issuer")
        configured_text(self.audience, "audience")
        fill(self, "seconds", whole_seconds(self.lifetime, TOKEN))
        if self.issuer == FIN_ISSUER:
            warnings.warn(
                f"The issuer {FIN_ISSUER} belongs to tokens that Fin makes with its own key. "
                "With your own key, use the issuer of your own keyset; if Fin makes the token, pass salesforce=None, "
                "or set SALESFORCE_IDENTITY=fin-managed.",
                FinMessengerAuthWarning,
                stacklevel=3,
            )
        if not AUDIENCE_PATTERN.fullmatch(self.audience):
            warnings.warn(
                "The audience is not of the form https://<subdomain>.my.salesforce-scrt.com, with nothing behind it.",
                FinMessengerAuthWarning,
                stacklevel=3,
            )

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
