"""The commands: in each file, ``register`` says what its commands are called and take, and what runs them."""
