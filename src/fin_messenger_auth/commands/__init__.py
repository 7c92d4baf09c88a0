"""Holds the commands: in each file, ``register`` adds names and options, and says what runs."""
