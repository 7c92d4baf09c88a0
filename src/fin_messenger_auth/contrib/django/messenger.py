"""The configuration, who may have tokens, and the scripts of a page."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

from asgiref.sync import sync_to_async
from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from fin_messenger_auth.contrib.visit import Visit, builder_from_env
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.outages import OnSigningError
from fin_messenger_auth.page.snippet import WIDGET_BASE, Snippet
from fin_messenger_auth.pair import Identify, TokenPairBuilder


@dataclass(frozen=True, slots=True)
class Options:
    """``settings.FIN_MESSENGER``; a callable may be given by its dotted path."""

    BUILDER: Callable[[], TokenPairBuilder] | None = None
    EXCLUDE: Callable[[Any], bool] = lambda _request: False
    IDENTIFY: Identify | None = None
    ON_SIGNING_ERROR: OnSigningError | None = None
    PREFIX: str = ""
    RENEWAL: bool = True
    WIDGET_BASE: str = WIDGET_BASE

    @classmethod
    def from_settings(cls) -> Self:
        """Read the setting, without the environment."""
        given = dict(getattr(settings, "FIN_MESSENGER", {}))
        paths = {key: given[key] for key in ("BUILDER", "EXCLUDE", "IDENTIFY") if isinstance(given.get(key), str)}
        try:
            return cls(**given | {key: import_string(path) for key, path in paths.items()})
        except (ImportError, TypeError) as error:
            raise ConfigurationError(f"FIN_MESSENGER: {error}.") from error

    def make_builder(self) -> TokenPairBuilder:
        """Call ``BUILDER``, or read the environment."""
        return self.BUILDER() if self.BUILDER else builder_from_env(self.PREFIX, self.ON_SIGNING_ERROR)


@cache
def configured() -> tuple[Options, TokenPairBuilder]:
    """Return the project's configuration, read at the first call; the middleware calls it when the server starts."""
    options = Options.from_settings()
    builder = options.make_builder()
    identify = options.IDENTIFY or builder.identify
    return options, replace(builder, identify=lambda user: None if user is None else identify(user))


def user_of(request: Any) -> Any:
    """Return the session's user; ``None`` for nobody, and for whom django-hijack or django-impersonate shows."""
    user, session = getattr(request, "user", None), getattr(request, "session", {})
    others = session.get("hijack_history") or "_impersonate" in session or getattr(request, "impersonator", None)
    return None if user is None or others or not user.is_authenticated else user


def render(request: Any, **public: Any) -> Snippet:
    """Return the scripts of a page; nothing if ``EXCLUDE`` says so, or if the middleware has not seen the request."""
    if not hasattr(request, "fin_messenger"):
        return Snippet()
    if not hasattr(request, "fin_messenger_scripts"):
        given = {name: value for name, value in public.items() if value is not None and value != ""}
        request.fin_messenger_scripts = _scripts(request, request.fin_messenger, **given)
    scripts: Snippet = request.fin_messenger_scripts
    return scripts


def _scripts(request: Any, visit: Visit, nonce: object = None, **public: Any) -> Snippet:
    options, builder = configured()
    if options.EXCLUDE(request):
        return Snippet()
    lazy: dict[str, Any] = {name: str(value) for name, value in public.items() if isinstance(value, Promise)}
    made = builder.build_settings(user_of(request), **public | lazy)
    if nonce is None:  # of django-csp or of Django 6: lazy, and false until it is read
        nonce = getattr(request, "csp_nonce", getattr(request, "_csp_nonce", None))
    urls = (reverse("fin_messenger:renewal"), reverse("fin_messenger:settings")) if options.RENEWAL else None
    scripts = visit.scripts(made, nonce, urls, options.WIDGET_BASE)
    if visit.is_private:
        request._cache_update_cache = False  # noqa: SLF001 - for cache_page, which is inside every middleware
    return scripts


async def aprepare(request: Any, **public: Any) -> None:
    """Make the scripts of an async view's page, in a thread, for the tag in its template.

    Args:
        request: The view's request.
        **public: The tag's arguments: ``nonce``, and public settings and ``extra`` as for ``build_settings``.
    """
    await sync_to_async(render)(request, **public)
