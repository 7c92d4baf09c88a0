"""``jwk``: the JWK of a key that exists already."""

from __future__ import annotations

import argparse
import json

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource, read_key

from .signing_key import add_key_options, given_public_key, given_signer


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "jwk",
        help="print the JWK of a key and its certificate, ready to be uploaded to Salesforce",
        description="Print the JWK of a key that exists already, with its certificate, which must match and be valid "
        "long enough. The private key may be in a KMS: its public key is enough.",
    )
    add_key_options(parser, needs_signer=False)
    parser.add_argument("--certificate", metavar="FILE", required=True, help="the certificate of the same key")
    parser.add_argument("--kid", help="the key ID; with --env the configured one, else the key's RFC 7638 thumbprint")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the JWK."""
    signer = None if arguments.public_key else given_signer(arguments)
    public_key, kid = given_public_key(arguments, signer), None if signer is None else signer.kid
    certificate = onboarding.read_certificate(read_key(FileKeySource(arguments.certificate)))
    print(json.dumps(onboarding.make_jwk(public_key, certificate, kid=arguments.kid or kid), indent=2))
    return 0
