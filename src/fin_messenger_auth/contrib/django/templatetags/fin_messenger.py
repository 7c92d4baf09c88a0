"""The template tag: ``{% load fin_messenger %}{% fin_messenger %}`` before ``</body>``."""

from typing import Any

from django import template

from fin_messenger_auth.contrib.django.middleware import render

register: template.Library = template.Library()


@register.simple_tag(takes_context=True)
def fin_messenger(context: template.Context, **page: Any) -> Any:
    """Insert the Messenger's scripts. A variable that the view did not set counts as left out."""
    request: Any = context.get("request")
    given = {name: value for name, value in page.items() if value is not None and value != ""}
    return request.fin_messenger_scripts if hasattr(request, "fin_messenger_scripts") else render(request, **given)
