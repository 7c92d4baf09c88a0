"""``jwk``: the JWK of a key that exists already."""

from __future__ import annotations

import argparse
import json

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.signers import RSASigner


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "jwk",
        help="print the JWK of a key and its certificate, ready to be uploaded to Salesforce",
        description="Print the JWK of a key that exists already, with its certificate, which must match and be valid "
        "long enough. The private half may live in a KMS: its public key is enough.",
    )
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--private-key", metavar="FILE", help="the private key; only its public half is printed")
    key.add_argument("--public-key", metavar="FILE", help="the public key, as a KMS hands it out")
    parser.add_argument("--certificate", metavar="FILE", required=True, help="the certificate of the same key")
    parser.add_argument("--kid", help="the key id; the key's RFC 7638 thumbprint if left out")
    parser.add_argument("--password-file", metavar="FILE", help="what opens the private key")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the JWK."""
    if arguments.public_key is None:
        password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
        public_key = RSASigner(FileKeySource(arguments.private_key), password=password).public_key
    else:
        public_key = onboarding.read_public_key(read_key(FileKeySource(arguments.public_key)))
    certificate = onboarding.read_certificate(read_key(FileKeySource(arguments.certificate)))
    print(json.dumps(onboarding.make_jwk(public_key, certificate, kid=arguments.kid), indent=2))
    return 0
