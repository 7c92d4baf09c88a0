"""Makes both tokens of a user, and the settings of the page that carries them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self, Unpack

from . import _users
from ._environment import read_environment
from ._json_values import fill
from ._jws import Unsigned, check_signs_at_once, unsigned
from ._material import configured_string
from ._outages import OnSigningError, OutageLog, checked_policy, outcome_of
from ._settings import PublicSettings, Region, api_base_of, checked_settings, without_identity
from ._signers import AsyncSigner, Signer, signs_async
from ._tokens import INTERCOM_TOKEN, IntercomMinter, Minter, SalesforceMinter
from ._users import MessengerUser, resolved
from .errors import ConfigurationError, InvalidClaimError, SigningError, masked, warn

Identify = Callable[[Any], MessengerUser | None]
"""The application's user to a :class:`MessengerUser`, or ``None`` for an anonymous visitor."""

_PLAUSIBLE = (1_577_836_800, 4_102_444_800)  # 2020 and 2100


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """The two tokens of one page load: bearer credentials, for this user and page, not for a cache or a log.

    Args:
        intercom_user_jwt: Tells Fin and Intercom who the user is.
        salesforce_identity_token: Tells Salesforce who the user is; ``None`` where Fin makes that token itself, or
            where its signer failed and ``on_signing_error`` is ``intercom-only``.
        expires_at: When the earlier of the two expires, in Unix seconds.
    """

    intercom_user_jwt: str = field(repr=False)
    salesforce_identity_token: str | None = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenPairBuilder:
    """Makes the tokens and the settings. Make one at start-up and share it: it is immutable.

    Args:
        app_id: The ID of the Intercom workspace.
        intercom: Makes ``intercom_user_jwt``.
        salesforce: Makes ``salesforce_identity_token``; ``None`` where Fin makes it.
        region: Where Intercom keeps the workspace's data: ``us``, ``eu`` or ``ap``.
        api_base: An origin to use instead of the region's.
        identify: Turns the application's user into a :class:`MessengerUser`, or ``None`` for an
            anonymous visitor.
        clock: The time in Unix seconds. It is read once a pair, and once when the builder is made.
        on_signing_error: What a page gets when a signer fails: ``raise``, ``anonymous``, ``intercom-only`` (see
            :ref:`outages`), or a function that is given the :class:`~fin_messenger_auth.errors.SigningError` and
            returns one of these. The last two write to the log ``fin_messenger_auth``, at most once in ten seconds.

    Raises:
        ConfigurationError: An argument is invalid; the message says which and why.
    """

    app_id: str
    intercom: IntercomMinter
    salesforce: SalesforceMinter | None
    region: Region = "us"
    api_base: str | None = None
    identify: Identify = _users.identify
    clock: Callable[[], float] = time.time
    on_signing_error: OnSigningError = "raise"
    _anonymous: dict[str, Any] = field(init=False, repr=False)
    _minters: tuple[Minter, ...] = field(init=False, repr=False)
    _outages: OutageLog = field(init=False, repr=False)
    _seconds: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check everything that no user can change, at start-up."""
        if not isinstance(self.intercom, IntercomMinter):
            raise ConfigurationError("intercom: expected an IntercomMinter.")
        if not (self.salesforce is None or isinstance(self.salesforce, SalesforceMinter)):
            raise ConfigurationError("salesforce: expected a SalesforceMinter, or None where Fin makes that token.")
        if not (callable(self.identify) and callable(self.clock)):
            raise ConfigurationError("identify and clock must be callable.")
        check_time(self.clock())
        checked_policy(self.on_signing_error)
        api_base, app_id = api_base_of(self.region, self.api_base), configured_string(self.app_id, "app_id", "app-id")
        minters = (self.intercom,) if self.salesforce is None else (self.intercom, self.salesforce)
        fill(self, "_anonymous", {"api_base": api_base, "app_id": app_id})
        fill(self, "_minters", minters)
        fill(self, "_outages", OutageLog())
        fill(self, "_seconds", min(minter.seconds for minter in minters))

    @classmethod
    @masked
    def from_env(  # noqa: PLR0913 - each by its name
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        prefix: str = "",
        identify: Identify = _users.identify,
        clock: Callable[[], float] = time.time,
        on_signing_error: OnSigningError | None = None,
        salesforce_signer: Signer | AsyncSigner | None = None,
    ) -> Self:
        """Make a builder from environment variables, as the README lists them.

        Args:
            environ: The variables; the process's own environment if left out.
            prefix: What stands before each variable's name, where an application has several workspaces.
            identify: As for the class.
            clock: As for the class.
            on_signing_error: As for the class; if left out, ``MESSENGER_ON_SIGNING_ERROR`` or else ``raise``.
            salesforce_signer: What signs the Salesforce token, in place of ``SALESFORCE_PRIVATE_KEY`` or
                ``SALESFORCE_SIGNER``. ``SALESFORCE_ISSUER`` and ``SALESFORCE_AUDIENCE`` are still required.

        Raises:
            ConfigurationError: A variable is missing, contradicts another or has an invalid value.
            KeyUnavailableError: A file that a variable names cannot be read; a remote key cannot be used.
        """
        reading = read_environment(environ, prefix=prefix, salesforce_signer=salesforce_signer)
        arguments = reading.checked_arguments()
        if on_signing_error is not None:
            arguments["on_signing_error"] = on_signing_error
        return cls(**arguments, identify=identify, clock=clock)

    def build(self, user: Any) -> TokenPair | None:  # noqa: ANN401 - every framework has its own user
        """Sign both tokens for ``user``.

        Args:
            user: The application's user, or ``None``.

        Returns:
            The tokens; ``None`` for an anonymous visitor.

        Raises:
            InvalidClaimError: The user has no usable ID, or a value that cannot be signed.
            SigningError: A signer failed, and the outcome is ``raise``.
            ConfigurationError: ``on_signing_error`` did not return an outcome; a signer has ``asign`` only.
        """
        visitor = self._visitor(user)
        return None if visitor is None else self._sign(visitor)

    async def abuild(self, user: Any) -> TokenPair | None:  # noqa: ANN401 - every framework has its own user
        """Sign both tokens for ``user``, at the same time where both signers have to be awaited.

        Arguments, result and errors are those of :meth:`build`.
        """
        visitor = self._visitor(user)
        return None if visitor is None else await self._asign(visitor)

    def build_settings(
        self,
        user: Any,  # noqa: ANN401 - every framework has its own user
        *,
        extra: Mapping[str, Any] | None = None,
        **public: Unpack[PublicSettings],
    ) -> dict[str, Any]:
        """Return ``window.intercomSettings`` for ``user``: a fresh dict of JSON values.

        Args:
            user: The application's user, or ``None``.
            extra: Anything that is not a documented setting, to become custom attributes. Not signed.
            **public: Documented settings, see :class:`~fin_messenger_auth.PublicSettings`. Not signed.

        Returns:
            ``api_base``, ``app_id``, ``user_id``, the tokens, and what was passed. An anonymous
            visitor's have neither ``user_id`` nor tokens, and nothing that identifies, such as ``email``: a
            :class:`~fin_messenger_auth.FinMessengerAuthWarning` says what was dropped.

        Raises:
            InvalidClaimError: The user has no usable ID; a value is not a JSON value.
            SigningError: A signer failed, and ``on_signing_error`` is ``raise``.
            ConfigurationError: A setting is unknown, of the wrong type, reserved or signed already; a
                signer has ``asign`` only.
        """
        visitor = self._visitor(user)
        settings = self._unsigned(visitor, public, extra)
        return settings if visitor is None else _with_tokens(settings, visitor, self._sign(visitor))

    async def abuild_settings(
        self,
        user: Any,  # noqa: ANN401 - every framework has its own user
        *,
        extra: Mapping[str, Any] | None = None,
        **public: Unpack[PublicSettings],
    ) -> dict[str, Any]:
        """Return ``window.intercomSettings`` for ``user``, signed as :meth:`abuild` does.

        Arguments, result and errors are those of :meth:`build_settings`.
        """
        visitor = self._visitor(user)
        settings = self._unsigned(visitor, public, extra)
        return settings if visitor is None else _with_tokens(settings, visitor, await self._asign(visitor))

    def _visitor(self, user: object) -> MessengerUser | None:
        return visitor_of(user, self.identify)

    def _sign(self, visitor: MessengerUser) -> TokenPair | None:
        for minter in self._minters:
            check_signs_at_once(minter.signer)
        now, tokens = self._plan(visitor)
        try:
            return self._pair(now, *[self._signed(each) for each in tokens])
        except _AnonymousPage:
            return None

    async def _asign(self, visitor: MessengerUser) -> TokenPair | None:
        now, tokens = self._plan(visitor)
        try:
            return self._pair(now, *await self._asigned_all(tokens))
        except _AnonymousPage:
            return None

    def _plan(self, visitor: MessengerUser) -> tuple[int, list[Unsigned]]:
        """Return the time and both tokens, unsigned: what is wrong with a claim is found before anything is signed."""
        now = int(self.clock())
        return now, [unsigned(each.claims(visitor, now), each.signer, each.token) for each in self._minters]

    def _signed(self, token: Unsigned) -> str | None:
        try:
            return token.sign()
        except SigningError as error:
            self._do_without(error)
            return None

    async def _asigned(self, token: Unsigned) -> str | None:
        try:
            return await token.asign()
        except SigningError as error:
            self._do_without(error)
            return None

    async def _asigned_all(self, tokens: list[Unsigned]) -> list[str | None]:
        """Sign the tokens, at the same time where both signers have to be awaited.

        If one fails or the caller is cancelled, the other is cancelled too and none is left running.
        """
        if len(tokens) == 1 or not all(signs_async(token.signer) for token in tokens):  # one waits for nobody
            return [await self._asigned(token) for token in tokens]
        from asyncio import TaskGroup, sleep  # noqa: PLC0415 - 25 ms that a synchronous application need not pay

        await sleep(0)  # a burst of pages identifies its visitors in one turn of the loop, and signs in the next
        try:
            async with TaskGroup() as group:
                tasks = [group.create_task(self._asigned(token)) for token in tokens]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        return [task.result() for task in tasks]

    def _do_without(self, error: SigningError) -> None:
        """Return if the page can do without the token that failed; else raise what ends the pair."""
        outcome = outcome_of(self.on_signing_error, error)
        if outcome == "raise":
            raise error
        self._outages.write(error, outcome)
        if outcome == "anonymous" or error.token == INTERCOM_TOKEN:
            raise _AnonymousPage

    def _pair(self, now: int, intercom_user_jwt: str | None, salesforce_identity_token: str | None = None) -> TokenPair:
        assert intercom_user_jwt is not None  # noqa: S101 - without it the page is an anonymous visitor's
        return TokenPair(
            intercom_user_jwt=intercom_user_jwt,
            salesforce_identity_token=salesforce_identity_token,
            expires_at=now + self._seconds,
        )

    def _unsigned(
        self, visitor: MessengerUser | None, public: Mapping[str, object], extra: Mapping[str, object] | None
    ) -> dict[str, Any]:
        if not public and extra is None:
            return dict(self._anonymous)
        checked = checked_settings(
            public, extra, lambda name: visitor is not None and self.intercom.signs(visitor, name)
        )
        settings = {**self._anonymous, **checked}
        if visitor is None and (dropped := checked.keys() - without_identity(checked).keys()):
            names = ", ".join(sorted(dropped))
            warn(f"{names}: dropped, because nobody is signed in. Sign it with a user.", "page-not-anonymous")
        return settings if visitor is not None else without_identity(settings)


def visitor_of(user: object, identify: Identify) -> MessengerUser | None:
    """Return who the visitor is; ``identify`` is not asked of nobody, nor of a ``MessengerUser``."""
    visitor = user if user is None or isinstance(user, MessengerUser) else identify(user)
    if visitor is None:
        return None
    if isinstance(visitor, MessengerUser):
        return resolved(visitor)
    raise InvalidClaimError(
        "user_id",
        f"identify= must return a MessengerUser or None, not {type(visitor).__name__}.",
        "user-unidentified",
    )


def check_time(now: object) -> None:
    """Check that a clock returns plausible Unix seconds: no milliseconds, no ``datetime``, no unset clock."""
    earliest, latest = _PLAUSIBLE
    if isinstance(now, bool) or not isinstance(now, int | float):
        raise ConfigurationError(f"clock: expected Unix seconds, got {type(now).__name__}.", "clock-wrong")
    if not earliest <= now < latest:
        got = "milliseconds" if earliest * 1000 <= now < latest * 1000 else "a time outside 2020 to 2100"
        raise ConfigurationError(f"clock: expected Unix seconds, got {got}.", "clock-wrong")


class _AnonymousPage(Exception):  # noqa: N818 - a signal, not an error
    """A signer failed, and the page is to be an anonymous visitor's."""


def _with_tokens(settings: dict[str, Any], visitor: MessengerUser, pair: TokenPair | None) -> dict[str, Any]:
    if pair is None:
        return without_identity(settings)
    settings["user_id"] = visitor.user_id
    settings["intercom_user_jwt"] = pair.intercom_user_jwt
    if pair.salesforce_identity_token is not None:
        settings["salesforce_identity_token"] = pair.salesforce_identity_token
    return settings


@cache
def default_builder() -> TokenPairBuilder:
    """Return the builder made from the environment, once per process.

    Call it at start-up, so that the first visitor does not discover a mistake in the configuration.
    ``default_builder.cache_clear()`` forgets it, for tests.

    Raises:
        ConfigurationError: A variable is missing, contradicts another or holds an unusable value.
        KeyUnavailableError: A file that a variable names cannot be read.
    """
    return TokenPairBuilder.from_env()


def build_settings(
    user: Any,  # noqa: ANN401 - every framework has its own user
    *,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> dict[str, Any]:
    """Return ``window.intercomSettings`` for ``user``, by :func:`default_builder`.

    Arguments, result and errors are those of :meth:`TokenPairBuilder.build_settings`.
    """
    return default_builder().build_settings(user, extra=extra, **public)


async def abuild_settings(
    user: Any,  # noqa: ANN401 - every framework has its own user
    *,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> dict[str, Any]:
    """Return ``window.intercomSettings`` for ``user``, by :func:`default_builder`, from async code.

    Arguments, result and errors are those of :meth:`TokenPairBuilder.build_settings`.
    """
    return await default_builder().abuild_settings(user, extra=extra, **public)
