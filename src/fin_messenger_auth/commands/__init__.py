"""The commands, one file each: ``register`` says what a command is called and takes, ``run`` does it."""
