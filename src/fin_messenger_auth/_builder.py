"""Makes both tokens of a user, and the settings of the page that carries them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any, Self, Unpack, cast

from . import _users
from ._environment import ON_SIGNING_ERROR, Variables, read_environment
from ._json_values import set_field
from ._jws import Unsigned, check_signs_at_once, unsigned
from ._late_signer import LateSigner
from ._material import configured_string
from ._outages import Metrics, OnSigningError, checked_policy, log_error, outcome_of
from ._settings import PublicSettings, Region, api_base_of, checked_settings, without_identity
from ._signers import AsyncSigner, Signer, signs_async, unwrapped
from ._tokens import IntercomMinter, Minter, SalesforceMinter
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
        metrics: Counts pages and signatures.

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
    metrics: Metrics | None = None
    _anonymous: dict[str, Any] = field(init=False, repr=False)
    _minters: tuple[Minter, ...] = field(init=False, repr=False)
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
        set_field(self, "_anonymous", {"api_base": api_base, "app_id": app_id})
        set_field(self, "_minters", minters)
        set_field(self, "_seconds", min(minter.seconds for minter in minters))

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
        metrics: Metrics | None = None,
        salesforce_signer: Signer | AsyncSigner | None = None,
    ) -> Self:
        """Make a builder from environment variables, as the README lists them.

        Args:
            environ: The variables; the process's own environment if left out.
            prefix: What stands before each variable's name, where an application has several workspaces.
            identify: As for the class.
            clock: As for the class.
            on_signing_error: As for the class; if left out, ``MESSENGER_ON_SIGNING_ERROR`` or else ``raise``.
            metrics: As for the class.
            salesforce_signer: The signer of the Salesforce token, in place of ``SALESFORCE_PRIVATE_KEY`` or
                ``SALESFORCE_SIGNER``. ``SALESFORCE_ISSUER`` and ``SALESFORCE_AUDIENCE`` are still required.

        Raises:
            ConfigurationError: A variable is missing, contradicts another or has an invalid value.
            KeyUnavailableError: A file that a variable names cannot be read. A remote key cannot be used, and
                ``on_signing_error`` is ``raise`` or ``MESSENGER_START`` is ``strict``; else the builder is made, the
                log has a critical record, and signing begins as soon as the key can be used.
        """
        reading = read_environment(
            environ,
            prefix=prefix,
            salesforce_signer=salesforce_signer,
            on_signing_error=on_signing_error,
            may_start_late=True,
        )
        return cls(**reading.checked_arguments(), identify=identify, clock=clock, metrics=metrics)

    def trouble(self) -> str | None:
        """Return why pages lack a token at present, without signing; ``None`` if nothing is known to be wrong.

        Two things count: a remote key that cannot be used yet, and a signature that failed in the last minute with no
        success since. Report it where somebody sees it, but keep the process in service: a page works without a chat.
        """
        for minter in self._minters:
            signer = unwrapped(minter.signer)
            late = signer.trouble() if isinstance(signer, LateSigner) else None
            if (trouble := late or minter.outage.recent()) is not None:
                return trouble
        return None

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
        return self._sign(visitor_of(user, self.identify))

    async def abuild(self, user: Any) -> TokenPair | None:  # noqa: ANN401 - every framework has its own user
        """Sign both tokens for ``user``, at the same time where both signers have to be awaited.

        Arguments, result and errors are those of :meth:`build`.
        """
        return await self._asign(visitor_of(user, self.identify))

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
        visitor = visitor_of(user, self.identify)
        settings = self._unsigned(visitor, public, extra)
        return _with_tokens(settings, visitor, self._sign(visitor))

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
        visitor = visitor_of(user, self.identify)
        settings = self._unsigned(visitor, public, extra)
        return _with_tokens(settings, visitor, await self._asign(visitor))

    def _sign(self, visitor: MessengerUser | None) -> TokenPair | None:
        if visitor is None:
            self._count("visitor")
            return None
        for minter in self._minters:
            check_signs_at_once(minter.signer)
        now, plan = self._plan(visitor)
        try:
            return self._pair(now, [self._signed(*each) for each in plan])
        except (SigningError, _AnonymousPage) as end:
            self._without(end)
            return None

    async def _asign(self, visitor: MessengerUser | None) -> TokenPair | None:
        if visitor is None:
            self._count("visitor")
            return None
        now, plan = self._plan(visitor)
        try:
            return self._pair(now, await self._asigned_all(plan))
        except (SigningError, _AnonymousPage) as end:
            self._without(end)
            return None

    def _plan(self, visitor: MessengerUser) -> tuple[int, list[tuple[Minter, Unsigned]]]:
        """Return the time and both tokens, unsigned: what is wrong with a claim is found before anything is signed."""
        now = int(self.clock())
        return now, [(each, unsigned(each.claims(visitor, now), each.signer, each.token)) for each in self._minters]

    def _signed(self, minter: Minter, token: Unsigned) -> str | None:
        began = perf_counter()
        try:
            made = token.sign()
        except SigningError as error:
            self._failed(minter, error, began)
            return None
        self._succeeded(minter, began)
        return made

    async def _asigned(self, minter: Minter, token: Unsigned) -> str | None:
        began = perf_counter()
        try:
            made = await token.asign()
        except SigningError as error:
            self._failed(minter, error, began)
            return None
        self._succeeded(minter, began)
        return made

    async def _asigned_all(self, plan: list[tuple[Minter, Unsigned]]) -> list[str | None]:
        """Sign the tokens, at the same time where both signers have to be awaited.

        If one fails or the caller is cancelled, the other is cancelled too and none is left running.
        """
        if len(plan) == 1 or not all(signs_async(minter.signer) for minter, _ in plan):  # one waits for nobody
            return [await self._asigned(*each) for each in plan]
        from asyncio import TaskGroup, sleep  # noqa: PLC0415 - 25 ms that a synchronous application need not pay

        await sleep(0)  # a burst of pages identifies its visitors in one turn of the loop, and signs in the next
        try:
            async with TaskGroup() as group:
                tasks = [group.create_task(self._asigned(*each)) for each in plan]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        return [task.result() for task in tasks]

    def _succeeded(self, minter: Minter, began: float) -> None:
        minter.outage.succeeded()
        if self.metrics is not None:
            self._note(lambda metrics: metrics.signature(minter.token, "ok", perf_counter() - began))

    def _failed(self, minter: Minter, error: SigningError, began: float) -> None:
        """Return if the page can do without this token; else raise what ends the pair."""
        self._note(lambda metrics: metrics.signature(minter.token, "failed", perf_counter() - began))
        outcome = outcome_of(self.on_signing_error, error)
        if outcome == "raise":
            raise error
        minter.outage.failed(error, outcome)
        if outcome == "anonymous" or minter is self.intercom:
            raise _AnonymousPage

    def _pair(self, now: int, tokens: list[str | None]) -> TokenPair:
        intercom_user_jwt, salesforce_identity_token = tokens[0], tokens[-1] if len(tokens) > 1 else None
        assert intercom_user_jwt is not None  # noqa: S101 - without it the page is an anonymous visitor's
        self._count("intercom-only" if None in tokens else "signed")
        return TokenPair(
            intercom_user_jwt=intercom_user_jwt,
            salesforce_identity_token=salesforce_identity_token,
            expires_at=now + self._seconds,
        )

    def _without(self, end: SigningError | _AnonymousPage) -> None:
        if isinstance(end, SigningError):
            self._count("raise")
            raise end
        self._count("anonymous")

    def _count(self, outcome: str) -> None:
        self._note(lambda metrics: metrics.page(outcome))

    def _note(self, call: Callable[[Metrics], None]) -> None:
        """Call the metrics, whose errors break no page."""
        try:
            if self.metrics is not None:
                call(self.metrics)
        except Exception as error:  # noqa: BLE001 - whatever they raise
            log_error("The metrics of a builder failed.", error)

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


def _with_tokens(settings: dict[str, Any], visitor: MessengerUser | None, pair: TokenPair | None) -> dict[str, Any]:
    if visitor is None or pair is None:
        return without_identity(settings)
    settings["user_id"] = visitor.user_id
    settings["intercom_user_jwt"] = pair.intercom_user_jwt
    if pair.salesforce_identity_token is not None:
        settings["salesforce_identity_token"] = pair.salesforce_identity_token
    return settings


BuilderSource = TokenPairBuilder | Callable[[Any], TokenPairBuilder]
"""A builder, or a function of the request that returns one, such as a :class:`~fin_messenger_auth.Reloading`."""


def checked_source(source: object) -> BuilderSource:
    """Return what an integration was given as ``builder=``, or refuse another object at start-up."""
    if isinstance(source, TokenPairBuilder) or (callable(source) and not iscoroutinefunction(source)):
        return cast("BuilderSource", source)
    expected = "a TokenPairBuilder, or a function of the request that returns one"
    raise ConfigurationError(f"builder: expected {expected}, got {type(source).__name__}.")


def builder_of(source: BuilderSource, request: object) -> TokenPairBuilder:
    """Return the builder of a request; an integration calls this once a request."""
    builder = source if isinstance(source, TokenPairBuilder) else source(request)
    if isinstance(builder, TokenPairBuilder):
        return builder
    raise ConfigurationError(
        f"builder: expected the function to return a TokenPairBuilder, got {type(builder).__name__}."
    )


class DefaultBuilder:
    """The builder of this process: made from the environment at the first call, or what :meth:`use` was given.

    Call it at start-up, so that the first visitor does not discover a mistake in the configuration. A child process
    inherits what its parent has made.
    """

    def __init__(self) -> None:
        self._source: BuilderSource | None = None
        self._made: dict[tuple[str, Any], TokenPairBuilder] = {}  # by prefix and policy

    def __call__(
        self,
        request: object = None,
        /,
        *,
        prefix: str = "",
        on_signing_error: OnSigningError | None = None,
        by_default: OnSigningError | None = None,
    ) -> TokenPairBuilder:
        """Return the builder.

        Args:
            request: What :meth:`use` was given is called with it, if it is a function.
            prefix: What stands before each variable's name.
            on_signing_error: What a page gets when a signer fails, in place of ``MESSENGER_ON_SIGNING_ERROR``.
            by_default: The same, where neither says it: an integration's own default.

        Raises:
            ConfigurationError: A variable is missing, contradicts another or holds an unusable value.
            KeyUnavailableError: As by :meth:`TokenPairBuilder.from_env`.
        """
        if self._source is not None:
            return builder_of(self._source, request)
        policy = on_signing_error or (None if Variables(None, prefix).value(ON_SIGNING_ERROR) else by_default)
        made = self._made.get((prefix, policy))
        if made is None:
            other = next((each for (of, _), each in self._made.items() if of == prefix), None)
            if other is None:
                made = TokenPairBuilder.from_env(prefix=prefix, on_signing_error=policy)
            else:
                made = other if policy is None else replace(other, on_signing_error=policy)
            self._made[prefix, policy] = made
        return made

    def use(self, source: BuilderSource) -> None:
        """Use a builder, or a function of the request that returns one, in place of the environment's.

        Raises:
            ConfigurationError: It is neither.
        """
        self._source = checked_source(source)

    def cache_clear(self) -> None:
        """Forget the builder, for a reload or for tests."""
        self._source, self._made = None, {}


default_builder: DefaultBuilder = DefaultBuilder()
"""The builder of this process, made from the environment at the first call."""


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
