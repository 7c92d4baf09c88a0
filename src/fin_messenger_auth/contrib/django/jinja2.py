"""Provides the function for Jinja2 templates in Django: ``{{ fin_messenger() }}`` before ``</body>``."""

from jinja2 import Environment
from jinja2.ext import Extension

from .middleware import mark


class FinMessengerExtension(Extension):
    """Adds the function to an environment; name it in the ``extensions`` of the back end's ``OPTIONS``."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals["fin_messenger"] = mark
