"""``metadata``: keys and keyset as Salesforce metadata."""

from __future__ import annotations

import argparse
from pathlib import Path

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.onboarding.jwk import parse_jwk


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "metadata",
        help="write the keyset and its keys as Salesforce metadata",
        description="Write the keyset and its keys as a package for Salesforce's Metadata API.",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="where to write; made if it does not exist")
    parser.add_argument(
        "--jwk", metavar="FILE", action="append", required=True, help="a JWK; may be repeated, for a rotation"
    )
    parser.add_argument("--issuer", required=True, help="the keyset's issuer, byte for byte the iss of the tokens")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the package, and print its files."""
    directory = Path(arguments.directory)
    jwks = [parse_jwk(read_key(FileKeySource(path))) for path in arguments.jwk]
    files = onboarding.salesforce_metadata(jwks, issuer=arguments.issuer)
    onboarding.write_metadata(directory, files)
    for name in files:
        print(directory / name)
    return 0
