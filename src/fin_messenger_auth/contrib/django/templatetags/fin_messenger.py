"""Provides the template tag: ``{% load fin_messenger %}{% fin_messenger %}`` before ``</body>``."""

from django import template

from fin_messenger_auth.contrib.django.middleware import mark

register: template.Library = template.Library()
register.simple_tag(mark, name="fin_messenger")
