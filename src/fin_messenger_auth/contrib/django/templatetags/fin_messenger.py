"""Defines the template tag: ``{% load fin_messenger %}{% fin_messenger %}`` before ``</body>``."""

from typing import Any

from django import template
from django.core.exceptions import SynchronousOnlyOperation

from fin_messenger_auth.contrib.django.middleware import render

register: template.Library = template.Library()


@register.simple_tag(takes_context=True)
def fin_messenger(context: template.Context, **page: Any) -> Any:
    """Insert the Messenger's scripts. A variable that the view did not set counts as left out."""
    request: Any = context.get("request")
    try:
        return request.fin_messenger_scripts if hasattr(request, "fin_messenger_scripts") else render(request, **page)
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation("In an async view, `await aprepare(request)` before the template.") from error
