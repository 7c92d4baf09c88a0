"""Puts the Messenger into a Django site: an app, a template tag, two URLs, a middleware and system checks."""
