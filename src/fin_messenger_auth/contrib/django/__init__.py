"""The Messenger in a Django site: an app, a template tag, two URLs, a middleware and system checks."""

from .middleware import aprepare

__all__ = ["aprepare"]
