"""The template tag: ``{% load fin_messenger %}{% fin_messenger %}`` before ``</body>``."""

from typing import Any

from django import template

from fin_messenger_auth.contrib.django.messenger import render
from fin_messenger_auth.page.snippet import Snippet

register: template.Library = template.Library()


@register.simple_tag(takes_context=True)
def fin_messenger(context: template.Context, **public: Any) -> Snippet:
    """Insert the Messenger's scripts. A variable that the view did not set counts as left out."""
    return render(context.get("request"), **public)
