"""Integrates with web frameworks: each module imports its own framework, and nothing imports them."""
