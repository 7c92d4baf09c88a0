"""The Messenger in a Django site: an app, a template tag, two URLs, a middleware and system checks."""

from .messenger import aprepare

__all__ = ["aprepare"]
