"""``certificate``: a new certificate for a key that exists already."""

from __future__ import annotations

import argparse

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource
from fin_messenger_auth.onboarding.certificate import DEFAULT_DAYS
from fin_messenger_auth.signers import RSASigner


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "certificate",
        help="print a new certificate for a key",
        description="Print a new self-signed certificate for a key that exists already. The key stays the same, and "
        "so does its thumbprint.",
    )
    parser.add_argument("--private-key", metavar="FILE", required=True, help="the private key")
    parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it is valid (%(default)s)")
    parser.add_argument("--password-file", metavar="FILE", help="what opens the private key")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the certificate."""
    password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
    signer = RSASigner(FileKeySource(arguments.private_key), password=password)
    certificate = onboarding.self_signed_certificate(signer, signer.public_key, days=arguments.days)
    print(onboarding.certificate_pem(certificate).decode(), end="")
    return 0
