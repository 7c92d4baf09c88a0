"""Holds the template tag's library."""
