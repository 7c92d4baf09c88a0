"""``certificate``: a new certificate for a key that exists already."""

from __future__ import annotations

import argparse

from fin_messenger_auth import onboarding
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.onboarding.certificate import DEFAULT_DAYS
from fin_messenger_auth.signers import signs_at_once

from .signing_key import add_key_options, given_public_key, given_signer


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "certificate",
        help="print a new certificate for a key",
        description="Print a new self-signed certificate for a key that exists already. The key stays the same, and "
        "so does its thumbprint.",
    )
    add_key_options(parser, needs_signer=True)
    parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it is valid (%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the certificate."""
    signer = given_signer(arguments)
    if not signs_at_once(signer):
        raise ConfigurationError(f"{type(signer).__name__} has asign only; expected sign.", "signer-async-only")
    public_key = given_public_key(arguments, signer)
    certificate = onboarding.self_signed_certificate(signer, public_key, days=arguments.days)
    print(onboarding.certificate_pem(certificate).decode(), end="")
    return 0
