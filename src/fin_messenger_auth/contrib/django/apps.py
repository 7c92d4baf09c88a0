"""The app. It reads no secret, so that every command works without them."""

from django.apps import AppConfig
from django.core import checks

from .checks import check_environment, check_project


class FinMessengerConfig(AppConfig):
    """The app's configuration."""

    name = "fin_messenger_auth.contrib.django"
    label = "fin_messenger_auth"

    def ready(self) -> None:
        """Register the system checks."""
        checks.register(check_project)
        checks.register(check_environment, deploy=True)
