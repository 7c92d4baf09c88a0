"""Configures the app: its setting, its builder, its system checks. Without a server it reads no secret."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from functools import cache, lru_cache
from http.cookies import SimpleCookie
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.signals import setting_changed
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language

from fin_messenger_auth.contrib._visit import Framework, Site
from fin_messenger_auth.errors import ConfigurationError, problems_of

NAMES = [each.name.upper() for each in fields(Site) if each.name != "framework"]


class FinMessengerConfig(AppConfig):
    """The app's configuration."""

    name = "fin_messenger_auth.contrib.django"
    label = "fin_messenger_auth"


MIDDLEWARE = f"{FinMessengerConfig.name}.middleware.FinMessengerMiddleware"

# What must see the filled page, and what the filling needs: outside the policy there is no nonce, outside the session
# a session that is deleted on the way signs the user out, outside the cache one visitor's page goes to the next.
_OUTSIDE = re.compile(
    r"^django\.middleware\.(gzip\.GZip|csp\.ContentSecurityPolicy)Middleware$|^csp\.middleware\.|UpdateCacheMiddleware$"
    r"|^django\.contrib\.(sessions|auth)\.middleware\.(Session|Authentication)Middleware$|(?i:brotli|compress|zstd)"
)
_INSIDE = re.compile(r"^django\.contrib\.flatpages\.middleware\.")  # it makes pages, after what stands inside it


def _user(request: Any) -> Any:
    """Return who may have tokens: nobody in a preview, and nobody while an administrator shows as the user."""
    session = getattr(request, "session", {})
    loginas = getattr(settings, "LOGINAS_FROM_USER_SESSION_FLAG", "loginas_from_user")
    is_shown = getattr(request, "impersonator", None) or getattr(request, "is_preview", False)  # Wagtail's
    is_admins = request.resolver_match and "admin" in request.resolver_match.app_names
    if is_shown or is_admins or any(session.get(mark) for mark in ("hijack_history", "_impersonate", loginas)):
        return None
    user = getattr(request, "user", None)
    return user if getattr(user, "is_authenticated", False) else None


@lru_cache(maxsize=256)
def _urls(*_what_it_depends_on: object) -> list[str]:
    return [reverse(f"fin_messenger:{name}") for name in ("renewal", "settings")]


def _add_cookie(response: Any, value: str) -> None:
    """Add a ``Set-Cookie``: Django keeps one for each key, and sends each by the name in it."""
    [morsel] = SimpleCookie(value).values()
    response.cookies[f"{morsel.key} {morsel['domain']}".strip()] = morsel


DJANGO = Framework(
    host=lambda request: request.get_host(),
    is_secure=lambda request: settings.SESSION_COOKIE_SECURE or request.is_secure(),
    urls=lambda _: _urls(get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF, get_language()),
    cookies=lambda request: request.META.get("HTTP_COOKIE", ""),
    user=_user,
    # django-csp's, or Django 6's
    nonce=lambda request: getattr(request, "csp_nonce", getattr(request, "_csp_nonce", None)),
    secrets=lambda: [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS],
    add_cookie=_add_cookie,
)


def site_of_settings() -> Site:
    """Read ``settings.FIN_MESSENGER``, without the environment; a function may be given by its dotted path."""
    given: dict[str, Any] = dict(getattr(settings, "FIN_MESSENGER", {}))
    if unknown := sorted(given.keys() - set(NAMES)):
        raise ConfigurationError(f"FIN_MESSENGER: unknown key {unknown[0]!r}; expected one of {', '.join(NAMES)}.")
    try:
        for name in given.keys() - {"ORIGINS", "PREFIX"}:
            if isinstance(path := given[name], str) and "." in path:
                given[name] = import_string(path)
        return Site(framework=DJANGO, **{name.lower(): value for name, value in given.items() if value is not None})
    except (ImportError, ConfigurationError) as error:
        raise ConfigurationError(f"FIN_MESSENGER: {error}") from error


@cache
def configured() -> Site:
    """Return the project's configuration, read at the first call; the middleware calls it when the server starts."""
    site = site_of_settings()
    site.start()
    return site


def _forget(setting: str, **_signal: object) -> None:
    if setting == "FIN_MESSENGER":
        configured.cache_clear()


setting_changed.connect(_forget)  # by a test


@checks.register
def check_project(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the setting and the middleware, without the environment."""
    for problem in problems_of(site_of_settings):
        yield checks.Error(str(problem), id=f"fin_messenger_auth.E.{problem.code}")
    if MIDDLEWARE not in settings.MIDDLEWARE:
        yield checks.Error(f"Add '{MIDDLEWARE}' to the end of MIDDLEWARE.", id="fin_messenger_auth.E.middleware")
        return
    place = settings.MIDDLEWARE.index(MIDDLEWARE)
    for at, path in enumerate(settings.MIDDLEWARE):
        wrong = _OUTSIDE if at > place else _INSIDE
        if at != place and any(map(wrong.search, _names_of(path))):
            lower, upper = (MIDDLEWARE, path) if at > place else (path, MIDDLEWARE)
            message = f"In MIDDLEWARE, move '{lower}' below '{upper}'."
            yield checks.Error(message, id="fin_messenger_auth.E.middleware-order")


def _names_of(path: str) -> list[str]:
    """Return the dotted path of a middleware and of its base classes: it does what they do."""
    kinds: tuple[type, ...] = ()
    with suppress(ImportError):  # Django says so itself
        kinds = getattr(import_string(path), "__mro__", ())
    return [path, *(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)]


@checks.register(deploy=True)
def check_environment(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the environment by the doctor's rules, or what ``BUILDER`` returns, unless there is no Messenger."""
    from fin_messenger_auth import diagnosis  # noqa: PLC0415 - 60 ms that only check --deploy need pay

    if problems_of(site_of_settings) or (site := site_of_settings()).is_off:
        return
    if site.builder is not None:
        for problem in problems_of(site.start):
            yield checks.Error(str(problem), id=f"fin_messenger_auth.E.{problem.code}")
        return
    for each in diagnosis.check_environment(prefix=site.prefix):
        kind = checks.Error if each.level is diagnosis.Level.ERROR else checks.Warning
        yield kind(each.message, hint=each.fix, id=f"fin_messenger_auth.{kind.__name__[0]}.{each.code}")
