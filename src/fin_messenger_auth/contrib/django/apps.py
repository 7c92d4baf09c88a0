"""Configures the Django app: its setting, builder and system checks. It reads no secret without a server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import MiddlewareNotUsed
from django.utils.module_loading import import_string

from fin_messenger_auth._builder import Identify, TokenPairBuilder
from fin_messenger_auth._outages import OnSigningError
from fin_messenger_auth.contrib._visit import builder_from_env, checked_builder
from fin_messenger_auth.errors import ConfigurationError, problems_of


class FinMessengerConfig(AppConfig):
    """The app's configuration."""

    name = "fin_messenger_auth.contrib.django"
    label = "fin_messenger_auth"


@dataclass(frozen=True, slots=True)
class Options:
    """``settings.FIN_MESSENGER``; a function may be given by its dotted path."""

    BUILDER: Callable[[], TokenPairBuilder] | None = None
    ENABLED: bool = True
    EXCLUDE: Callable[[Any], bool] = lambda _request: False
    IDENTIFY: Identify | None = None
    ON_SIGNING_ERROR: OnSigningError | None = None
    PREFIX: str = ""
    RENEWAL: bool = True

    @classmethod
    def from_settings(cls) -> Self:
        """Read the setting, without the environment."""
        try:
            given = dict(getattr(settings, "FIN_MESSENGER", {}))
            paths = {key: given[key] for key in ("BUILDER", "EXCLUDE", "IDENTIFY") if isinstance(given.get(key), str)}
            return cls(**given | {key: import_string(path) for key, path in paths.items()})
        except (ImportError, TypeError, ValueError) as error:
            raise ConfigurationError(f"FIN_MESSENGER: {error}.") from error


@cache
def configured() -> tuple[Options, TokenPairBuilder]:
    """Return the project's configuration, read at the first call; the middleware calls it when the server starts."""
    options = Options.from_settings()
    if not options.ENABLED:
        raise MiddlewareNotUsed
    given: object = options.BUILDER() if options.BUILDER else builder_from_env(options.PREFIX, options.ON_SIGNING_ERROR)
    builder = checked_builder(given)
    own = options.IDENTIFY or builder.identify
    return options, replace(builder, identify=lambda user: own(user) if getattr(user, "is_authenticated", 0) else None)


@checks.register
def check_project(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the setting and the middleware, without the environment."""
    for problem in problems_of(Options.from_settings):
        yield checks.Error(str(problem), id=f"fin_messenger_auth.E.{problem.code}")
    if (path := f"{FinMessengerConfig.name}.middleware.FinMessengerMiddleware") not in settings.MIDDLEWARE:
        yield checks.Error(f"Add '{path}' to the end of MIDDLEWARE.", id="fin_messenger_auth.E.middleware")


@checks.register(deploy=True)
def check_environment(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the environment by the doctor's rules, unless ``BUILDER`` takes its place or there is no Messenger."""
    from fin_messenger_auth import diagnosis  # noqa: PLC0415 - 60 ms that only check --deploy need pay

    options = None if problems_of(Options.from_settings) else Options.from_settings()
    if options and options.ENABLED and not options.BUILDER:
        for each in diagnosis.check_environment(prefix=options.PREFIX):
            kind = checks.Error if each.level is diagnosis.Level.ERROR else checks.Warning
            yield kind(each.message, hint=each.fix, id=f"fin_messenger_auth.{kind.__name__[0]}.{each.code}")
