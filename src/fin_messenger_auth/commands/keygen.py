"""``keygen``: from nothing to what is uploaded to Salesforce."""

from __future__ import annotations

import argparse
import shlex

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource
from fin_messenger_auth.onboarding.certificate import DEFAULT_DAYS
from fin_messenger_auth.onboarding.keypair import KEY_SIZES
from fin_messenger_auth.onboarding.steps import DEFAULT_ISSUER, checked_issuer


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "keygen",
        help="make a key for Salesforce: private key, certificate, JWK and JWKS in a directory",
        description="Make an RSA key, its self-signed certificate, its JWK and its JWKS, and say what to do with them. "
        "Nothing is overwritten.",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="where to write; made if it does not exist")
    parser.add_argument("--kid", help="the key id; the key's RFC 7638 thumbprint if left out")
    parser.add_argument(
        "--bits", type=int, choices=KEY_SIZES, default=KEY_SIZES[0], help="the key's size (%(default)s)"
    )
    parser.add_argument(
        "--days", type=int, default=DEFAULT_DAYS, help="how long the certificate is valid (%(default)s)"
    )
    parser.add_argument("--issuer", default=DEFAULT_ISSUER, help="the keyset's issuer (%(default)s)")
    parser.add_argument("--password-file", metavar="FILE", help="encrypt the private key with what this file holds")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the key, and print what is left to do."""
    checked_issuer(arguments.issuer, "--issuer")  # before anything is written
    password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
    directory = onboarding.make_key_directory(
        arguments.directory, kid=arguments.kid, bits=arguments.bits, days=arguments.days, password=password
    )
    print(
        f"Made a key of {arguments.bits} bits in {directory.path}; its certificate is valid for {arguments.days} days."
    )
    print("Keep private-key.pem to yourself, and upload jwk.json.\n\nIn Salesforce, in this order:")
    for number, step in enumerate(onboarding.salesforce_steps(directory, issuer=arguments.issuer), start=1):
        print(f"  {number}. {step}")
    print("\nIn the environment of the application; SALESFORCE_KEY_ID above all, it must be this one:")
    for line in onboarding.environment_lines(directory, issuer=arguments.issuer):
        print(f"  {line}")
    print("  and INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET, as in the README")
    doctor = shlex.join(["fin-messenger-auth", "doctor", str(directory.path), "--issuer", arguments.issuer])
    print(f"\nThen: {doctor}")
    return 0
