"""The rules of ``intercom_user_jwt``: who the user is, for Fin and Intercom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .errors import masked_class
from .json_values import thawed
from .minter import Minter
from .users import MessengerUser

TOKEN = "intercom_user_jwt"  # noqa: S105 - its name
"""The setting that carries the token."""

ALGORITHMS = ("HS256",)  # what Intercom accepts
_ALWAYS = ("user_id", "exp")
_OPTIONAL = ("email", "name", "phone", "created_at", "company")


@masked_class
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

    token: ClassVar[str] = TOKEN
    algorithms: ClassVar[tuple[str, ...]] = ALGORITHMS
    kid_required: ClassVar[bool] = False

    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user``: pure, the same for the same arguments.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Returns:
            A fresh dict of ``user_id`` and ``exp`` (Unix seconds), and what else the user was given.
        """
        claims: dict[str, Any] = thawed(user.attributes)
        claims["user_id"] = user.user_id
        claims["exp"] = now + self.seconds
        for name in _OPTIONAL:
            if (value := getattr(user, name)) is not None:
                claims[name] = value.claim() if name == "company" else value
        return claims

    def signs(self, user: MessengerUser, name: str) -> bool:
        """Tell whether the token of ``user`` has a claim with the name of this setting."""
        return name in user.attributes or name in _ALWAYS or (name in _OPTIONAL and getattr(user, name) is not None)
