"""The template tag."""
