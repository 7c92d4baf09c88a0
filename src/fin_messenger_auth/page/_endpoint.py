"""Answers a site's own endpoint for fresh settings, without a framework: who may ask, and what the response is.

The application takes the user from the session, never from the request, and reads the session without prolonging it.
No cache may keep the response, and only the site's own pages may ask, and those of origins that are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Unpack

from fin_messenger_auth._builder import TokenPairBuilder, visitor_of
from fin_messenger_auth._environment import messenger_enabled
from fin_messenger_auth._outages import log, log_error
from fin_messenger_auth._settings import PublicSettings, without_identity
from fin_messenger_auth._users import MessengerUser
from fin_messenger_auth.errors import ConfigurationError, SigningError

from ._csp import LOOPBACK
from ._snippet import cookie_names

NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "private, no-store", "Vary": "Cookie"})
"""The headers of every response that contains tokens.

Read-only, because some frameworks change the headers that they are given: pass those ``dict(NO_STORE)``.
"""

_ORIGIN = re.compile(rf"https://[a-z\d.-]+(?::\d{{1,5}})?|{LOOPBACK}")
_DOMAIN = re.compile(r"(?:[a-z\d-]+\.)+[a-z][a-z\d-]*")  # no address: it has no domain above it
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "X-Fin-Messenger",
    "Access-Control-Max-Age": "600",
}


@dataclass(frozen=True, slots=True)
class SettingsResponse:
    """What the endpoint answers. Its ``repr`` shows no token.

    Attributes:
        status: 200, also for a preflight; 401 if nobody is signed in, or 200 if the request has the header
            ``X-Fin-Messenger: 1``, as the module sends it; 403 for a page of another origin; 410 if the Messenger is
            switched off; 503 if signing failed.
        body: To be sent as JSON: the settings with 200; the anonymous visitor's settings if nobody is signed in and
            with 503, so that a single-page application can boot with them; an empty object otherwise.
        headers: :data:`NO_STORE`, in a dict of its own, and for pages of ``origins`` those of CORS.
    """

    status: int
    body: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(default_factory=lambda: dict(NO_STORE))


def settings_response(  # noqa: PLR0913 - each by its name
    builder: TokenPairBuilder,
    user: Any,  # noqa: ANN401 - every framework has its own user
    headers: Mapping[str, str],
    host: str,
    *,
    origins: Collection[str] = (),
    enabled: bool | None = None,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> SettingsResponse:
    """Return the response to a request for fresh settings.

    Args:
        builder: Makes the settings.
        user: The session's user, or ``None``.
        headers: The request's headers, with names in any case.
        host: The site's own host and port, as in its ``Host`` header.
        origins: Other origins whose pages may ask, exactly, such as ``https://app.example``. Their browsers send a
            preflight first: let ``OPTIONS`` come here, too.
        enabled: Whether there is a Messenger at present; if left out, the variable ``MESSENGER_ENABLED`` decides.
        extra: As for :meth:`~fin_messenger_auth.TokenPairBuilder.build_settings`.
        **public: As for ``build_settings``.

    Raises:
        InvalidClaimError: As by ``build_settings``.
        ConfigurationError: As by ``build_settings``; an origin is not valid.
    """
    request = Asking(headers, host, origins)
    if refused := request.refused(is_on=messenger_enabled() if enabled is None else enabled):
        return refused
    visitor = visitor_of(user, builder.identify)
    try:
        return request.answer(visitor, builder.build_settings(visitor, extra=extra, **public))
    except SigningError as error:
        return request.failed(builder, error, extra, public)


async def asettings_response(  # noqa: PLR0913 - each by its name
    builder: TokenPairBuilder,
    user: Any,  # noqa: ANN401 - every framework has its own user
    headers: Mapping[str, str],
    host: str,
    *,
    origins: Collection[str] = (),
    enabled: bool | None = None,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> SettingsResponse:
    """Return the response to a request for fresh settings, signed as ``abuild_settings`` does.

    Arguments, result and errors are those of :func:`settings_response`.
    """
    request = Asking(headers, host, origins)
    if refused := request.refused(is_on=messenger_enabled() if enabled is None else enabled):
        return refused
    visitor = visitor_of(user, builder.identify)
    try:
        return request.answer(visitor, await builder.abuild_settings(visitor, extra=extra, **public))
    except SigningError as error:
        return request.failed(builder, error, extra, public)


class Asking:
    """One request for fresh settings, and the parts of its response."""

    def __init__(self, headers: Mapping[str, str], host: str, origins: Collection[str]) -> None:
        allowed = checked_origins(origins)
        self._is_own = is_same_origin(headers, host)
        self._names = {name.lower(): value for name, value in headers.items()}
        self._headers = dict(NO_STORE)
        if allowed:
            self._headers["Vary"] = "Cookie, Origin"
        if (origin := self._names.get("origin", "")) in allowed:
            self._headers["Access-Control-Allow-Origin"] = origin
            self._headers["Access-Control-Allow-Credentials"] = "true"
            self._headers["Access-Control-Expose-Headers"] = "Date"  # the module sets its clock by it
            self._is_own = True

    def refused(self, *, is_on: bool) -> SettingsResponse | None:
        """Return the response that needs to know neither the user nor the builder, if it is one."""
        if not self._is_own:
            log("warning", "A page of another origin asked for settings; the response is 403. See origins=.")
            return SettingsResponse(403, {}, self._headers)
        if "access-control-request-method" in self._names:  # a preflight, which has no cookies
            return SettingsResponse(200, {}, {**self._headers, **_PREFLIGHT})
        return None if is_on else SettingsResponse(410, {}, self._headers)

    def answer(self, visitor: MessengerUser | None, made: dict[str, Any]) -> SettingsResponse:
        """Return the response with settings; the visitor tells whether they should have tokens."""
        nobody = 200 if self._names.get("x-fin-messenger") == "1" else 401
        status = 200 if "user_id" in made else nobody if visitor is None else 503
        return SettingsResponse(status, made, self._headers)

    def failed(
        self, builder: TokenPairBuilder, error: SigningError, extra: Mapping[str, Any] | None, public: PublicSettings
    ) -> SettingsResponse:
        """Return the response where signing has raised an error."""
        log_error(f"Signing failed, so the response is 503: {error}", error)
        nobody = builder.build_settings(None, extra=without_identity(extra or {}), **without_identity(public))
        return SettingsResponse(503, nobody, self._headers)


def checked_origins(origins: object) -> tuple[str, ...]:
    """Return ``origins`` if they are exact origins over HTTPS, or of this machine."""
    if isinstance(origins, str | bytes) or not isinstance(origins, Collection):
        raise ConfigurationError(f"origins: expected a list of origins, got {type(origins).__name__}.")
    if not all(isinstance(each, str) and _ORIGIN.fullmatch(each) for each in origins):
        raise ConfigurationError(
            "origins: expected exact origins in lower case, without a path, such as https://app.example."
        )
    return tuple(origins)


def is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Tell whether a request comes from a page of the site itself.

    Browsers say so in ``Sec-Fetch-Site``; of older ones, ``Origin`` is compared with ``host``. A request with
    neither does not come from another site's script, and still needs the session's cookie.

    The scheme of ``Origin`` is not compared, because behind a proxy an application does not know its own. So a page
    of ``http://`` with the same host passes in a browser without ``Sec-Fetch-Site``, such as Safari before 16.4. It can
    read the response only if the site's own CORS headers allow that: never allow an ``http://`` origin credentials.

    Args:
        headers: The request's headers, with names in any case.
        host: The site's own host and port, as in its ``Host`` header.

    Raises:
        ConfigurationError: The headers are not strings.
    """
    if not all(isinstance(part, str) for pair in headers.items() for part in pair):
        raise ConfigurationError("headers: expected names and values of type str; decode the bytes of ASGI first.")
    by_name = {name.lower(): value for name, value in headers.items()}
    site = by_name.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = by_name.get("origin")
    return origin is None or (bool(host) and origin.partition("://")[2] == host)


def sign_out_cookies(app_id: object, host: str, *, secure: bool) -> list[str]:
    """Return the values of ``Set-Cookie`` that expire the Messenger's cookies.

    The Messenger sets them for the widest domain that the browser accepts, so they are expired for the host and for
    every domain above it; a browser ignores those that are nobody's to set, such as ``co.uk``.

    Args:
        app_id: The ID of the Intercom workspace.
        host: The site's own host, as in its ``Host`` header.
        secure: Whether the request came over HTTPS.

    Raises:
        ConfigurationError: ``app_id`` is not valid.
    """
    name = re.sub(r":\d+$", "", host).rstrip(".").lower()
    labels = name.split(".") if _DOMAIN.fullmatch(name) else []
    domains = ["", *(f"; Domain={'.'.join(labels[first:])}" for first in range(len(labels) - 1))]
    expired = f"; Max-Age=0; Path=/; SameSite=Lax{'; Secure' * secure}"
    return [f"{each}={expired}{domain}" for each in cookie_names(app_id) for domain in domains]
