"""The rules of ``intercom_user_jwt``: who the user is, for Fin and Intercom."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any

from .errors import masked_class
from .json_values import fill, thawed
from .jws import DEFAULT_LIFETIME, aencode, encode, whole_seconds
from .signers import AsyncSigner, Signer, check_signer_for
from .users import MessengerUser

TOKEN = "intercom_user_jwt"  # noqa: S105 - its name
"""The setting that carries the token."""

ALGORITHMS = ("HS256",)
"""What Intercom accepts."""

_ALWAYS = ("user_id", "exp")
_OPTIONAL = ("email", "name", "phone", "created_at", "company")


@masked_class
@dataclass(frozen=True, slots=True, eq=False)
class IntercomMinter:
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

    signer: Signer | AsyncSigner
    _: KW_ONLY
    lifetime: timedelta = DEFAULT_LIFETIME
    seconds: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the signer and the lifetime at start-up."""
        check_signer_for(TOKEN, self.signer, ALGORITHMS, kid_required=False)
        fill(self, "seconds", whole_seconds(self.lifetime, TOKEN))

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
        if user.email is not None:
            claims["email"] = user.email
        if user.name is not None:
            claims["name"] = user.name
        if user.phone is not None:
            claims["phone"] = user.phone
        if user.created_at is not None:
            claims["created_at"] = user.created_at
        if user.company is not None:
            claims["company"] = user.company.claim()
        return claims

    def signs(self, user: MessengerUser, name: str) -> bool:
        """Tell whether the token of ``user`` has a claim of that name.

        Args:
            user: The signed-in user.
            name: The name of a setting that could stand beside the token.
        """
        return name in user.attributes or name in _ALWAYS or (name in _OPTIONAL and getattr(user, name) is not None)

    def mint(self, user: MessengerUser, now: int) -> str:
        """Return the token for ``user``: the claims, signed.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Raises:
            ConfigurationError: The signer has ``asign`` only.
            SigningError: The signer failed.
        """
        return encode(self.claims(user, now), self.signer, TOKEN)

    async def amint(self, user: MessengerUser, now: int) -> str:
        """Return the token for ``user``, awaiting ``asign`` where the signer has it.

        Arguments, result and errors are those of :meth:`mint`.
        """
        return await aencode(self.claims(user, now), self.signer, TOKEN)
