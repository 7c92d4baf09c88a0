"""What both minters have in common: a signer and a lifetime, checked at start-up, and claims that are signed."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from .errors import ConfigurationError, warn
from .json_values import fill
from .jws import aencode, encode
from .signers import AsyncSigner, Signer, check_signer_for
from .users import MessengerUser

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

    def __post_init__(self) -> None:
        """Check the signer and the lifetime at start-up."""
        check_signer_for(self.token, self.signer, self.algorithms, kid_required=self.kid_required)
        fill(self, "seconds", whole_seconds(self.lifetime, self.token))

    @abstractmethod
    def claims(self, user: MessengerUser, now: int) -> dict[str, Any]:
        """Return the claims for ``user``: pure, the same for the same arguments.

        Args:
            user: The signed-in user.
            now: The time, in Unix seconds.
        """
        ...

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
