"""Integrations with web frameworks, each on its own: importing one imports its framework, and nothing imports them."""
