"""System checks: of the project whenever Django checks it, and of the secrets with ``check --deploy``."""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, reverse

from fin_messenger_auth.errors import problems_of

from .messenger import Options

_MIDDLEWARE = "fin_messenger_auth.contrib.django.middleware.FinMessengerMiddleware"


def check_project(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the setting, the middleware and the URLs, without the environment."""
    for problem in problems_of(Options.from_settings):
        yield checks.Error(str(problem), id=f"fin_messenger_auth.E.{problem.code}")
    if _MIDDLEWARE not in settings.MIDDLEWARE:
        hint = f"Add '{_MIDDLEWARE}' to the end of MIDDLEWARE."
        yield checks.Error("The Messenger's middleware is missing.", hint=hint, id="fin_messenger_auth.E.middleware")
    try:
        reverse("fin_messenger:settings")
    except NoReverseMatch:
        hint = "Add path('messenger/', include('fin_messenger_auth.contrib.django.urls')) to urlpatterns."
        yield checks.Error("The Messenger's URLs are missing.", hint=hint, id="fin_messenger_auth.E.urls")


def check_environment(**_options: object) -> Iterator[checks.CheckMessage]:
    """Check the environment by the doctor's rules, unless ``BUILDER`` takes its place."""
    from fin_messenger_auth import diagnosis  # noqa: PLC0415 - 60 ms that only check --deploy need pay

    if problems_of(Options.from_settings):
        return  # check_project says why
    options = Options.from_settings()
    for each in diagnosis.check_environment(prefix=options.PREFIX) if options.BUILDER is None else ():
        kind = checks.Error if each.level is diagnosis.Level.ERROR else checks.Warning
        yield kind(each.message, hint=each.fix, id=f"fin_messenger_auth.{kind.__name__[0]}.{each.code}")
