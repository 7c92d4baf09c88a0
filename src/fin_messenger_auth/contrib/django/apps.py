"""The app and its system checks. It reads no secret, so that every command works without them."""

from collections.abc import Iterator

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from fin_messenger_auth.errors import problems_of

from .messenger import Options

_MIDDLEWARE = "fin_messenger_auth.contrib.django.middleware.FinMessengerMiddleware"


class FinMessengerConfig(AppConfig):
    """The app's configuration."""

    name = "fin_messenger_auth.contrib.django"
    label = "fin_messenger_auth"

    def ready(self) -> None:
        """Register the system checks."""
        checks.register(check_project)
        checks.register(check_environment, deploy=True)


def check_project(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the setting and the middleware, without the environment."""
    for problem in problems_of(Options.from_settings):
        yield checks.Error(str(problem), id=f"fin_messenger_auth.E.{problem.code}")
    if _MIDDLEWARE not in settings.MIDDLEWARE:
        hint = f"Add '{_MIDDLEWARE}' to the end of MIDDLEWARE."
        yield checks.Error("The Messenger's middleware is missing.", hint=hint, id="fin_messenger_auth.E.middleware")


def check_environment(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the environment by the doctor's rules, unless ``BUILDER`` takes its place."""
    from fin_messenger_auth import diagnosis  # noqa: PLC0415 - 60 ms that only check --deploy need pay

    options = None if problems_of(Options.from_settings) else Options.from_settings()
    for each in diagnosis.check_environment(prefix=options.PREFIX) if options and options.BUILDER is None else ():
        kind = checks.Error if each.level is diagnosis.Level.ERROR else checks.Warning
        yield kind(each.message, hint=each.fix, id=f"fin_messenger_auth.{kind.__name__[0]}.{each.code}")
