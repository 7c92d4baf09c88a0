"""The rules of ``intercom_user_jwt``: who the user is, told to Fin and Intercom."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from .json_values import fill
from .jws import DEFAULT_LIFETIME, whole_seconds
from .signers import check_fit

if TYPE_CHECKING:
    from datetime import timedelta

    from .signers import AsyncSigner, Signer
    from .users import MessengerUser

TOKEN = "intercom_user_jwt"  # noqa: S105 - its name
"""The setting that carries the token."""

ALGORITHMS = ("HS256",)
"""What Intercom takes."""


@dataclass(frozen=True, slots=True, eq=False)
class IntercomMinter:
    """What makes the claims of ``intercom_user_jwt``.

    The rules are those of Intercom's articles on Messenger security and on Fin with Salesforce.

    Args:
        signer: Signs with HS256 and the Messenger API Secret of the platform (web, iOS or Android) and
            workspace: an :class:`~fin_messenger_auth.HMACSigner` or any other signer.
        lifetime: How long a token is valid. Intercom documents no maximum; the article uses one hour.

    Attributes:
        seconds: The lifetime in whole seconds.

    Raises:
        ConfigurationError: The signer's ``alg`` is not ``HS256``; the lifetime is under one second.
        TypeError: The lifetime is no ``timedelta``.

    Warns:
        FinMessengerAuthWarning: The lifetime is under five minutes.
    """

    signer: Signer | AsyncSigner
    _: KW_ONLY
    lifetime: timedelta = DEFAULT_LIFETIME
    seconds: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check what signs, and for how long, at start-up."""
        check_fit(self.signer, token=TOKEN, algorithms=ALGORITHMS, kid_required=False)
        fill(self, "seconds", whole_seconds(self.lifetime, TOKEN))

    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user``: pure, the same for the same arguments.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.

        Returns:
            A fresh dict of ``user_id`` and ``exp`` (Unix seconds), and beyond them only what the user was given.
        """
        claims: dict[str, Any] = {**user.attributes, "user_id": user.user_id, "exp": now + self.seconds}
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
