"""Answers a site's own endpoint for fresh settings, without a framework: who may ask, and what they get.

The application takes the user from the session, never from the request, and reads the session without prolonging it.
No cache may keep the response, and only the site's own pages may ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Unpack

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._outages import log_error
from fin_messenger_auth._settings import PublicSettings
from fin_messenger_auth.errors import ConfigurationError, SigningError

NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "private, no-store", "Vary": "Cookie"})
"""The headers of every response that contains tokens.

Read-only, because some frameworks change the headers that they are given: pass those ``dict(NO_STORE)``.
"""


@dataclass(frozen=True, slots=True)
class SettingsResponse:
    """What the endpoint answers. Its ``repr`` shows no token.

    Attributes:
        status: 200; 401 if nobody is signed in; 403 for a page of another origin; 503 if signing failed.
        body: To be sent as JSON: the settings with 200; the anonymous visitor's settings with 401 and 503, so that a
            single-page application can boot with them; an empty object with 403.
        headers: :data:`NO_STORE`, in a dict of its own.
    """

    status: int
    body: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(default_factory=lambda: dict(NO_STORE))


def settings_response(
    builder: TokenPairBuilder,
    user: Any,  # noqa: ANN401 - every framework has its own user
    headers: Mapping[str, str],
    host: str,
    *,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> SettingsResponse:
    """Return the response to a request for fresh settings.

    Args:
        builder: Makes the settings.
        user: The session's user, or ``None``.
        headers: The request's headers, with names in any case.
        host: The site's own host and port, as in its ``Host`` header.
        extra: As for :meth:`~fin_messenger_auth.TokenPairBuilder.build_settings`.
        **public: As for ``build_settings``.

    Raises:
        InvalidClaimError: As by ``build_settings``.
        ConfigurationError: As by ``build_settings``.
    """
    if not is_same_origin(headers, host):
        return SettingsResponse(403, {})
    try:
        return _made(builder, user, builder.build_settings(user, extra=extra, **public))
    except SigningError as error:
        return _failed(builder, error, extra, public)


async def asettings_response(
    builder: TokenPairBuilder,
    user: Any,  # noqa: ANN401 - every framework has its own user
    headers: Mapping[str, str],
    host: str,
    *,
    extra: Mapping[str, Any] | None = None,
    **public: Unpack[PublicSettings],
) -> SettingsResponse:
    """Return the response to a request for fresh settings, signed as ``abuild_settings`` does.

    Arguments, result and errors are those of :func:`settings_response`.
    """
    if not is_same_origin(headers, host):
        return SettingsResponse(403, {})
    try:
        return _made(builder, user, await builder.abuild_settings(user, extra=extra, **public))
    except SigningError as error:
        return _failed(builder, error, extra, public)


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


def _made(builder: TokenPairBuilder, user: object, made: dict[str, Any]) -> SettingsResponse:
    return SettingsResponse(200 if "user_id" in made else 401 if builder.identify(user) is None else 503, made)


def _failed(
    builder: TokenPairBuilder, error: SigningError, extra: Mapping[str, Any] | None, public: PublicSettings
) -> SettingsResponse:
    log_error(f"Signing failed, so the response is 503: {error}", error)
    nobody = replace(builder, identify=lambda _user: None).build_settings(None, extra=extra, **public)
    return SettingsResponse(503, nobody)
