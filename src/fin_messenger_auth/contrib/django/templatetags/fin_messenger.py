"""The template tag: ``{% load fin_messenger %}{% fin_messenger %}`` before ``</body>``."""

from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from fin_messenger_auth.contrib.django.messenger import render

register = template.Library()


@register.simple_tag(takes_context=True)
def fin_messenger(context: Any, **public: Any) -> SafeString:
    """Insert the Messenger's scripts. A variable that the view did not set counts as left out."""
    request = context.get("request")
    visit = getattr(request, "fin_messenger", None)
    if visit is not None and visit.scripts is not None:  # from aprepare
        return visit.scripts
    given = {name: value for name, value in public.items() if value is not None and value != ""}
    return render(
        request, **{name: str(value) if isinstance(value, Promise) else value for name, value in given.items()}
    )
