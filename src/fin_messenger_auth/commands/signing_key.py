"""Options of the commands that need a signing key: from a file, or from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fin_messenger_auth import onboarding
from fin_messenger_auth.environment import read_salesforce_signer
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.signers import AsyncSigner, RSASigner, Signer, public_key_of, unwrapped

if TYPE_CHECKING:
    import argparse

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def add_key_options(parser: argparse.ArgumentParser, *, needs_signer: bool) -> None:
    """Add the options that say where the key is.

    Args:
        parser: The parser of the command.
        needs_signer: Whether a public key is not enough.
    """
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--private-key", metavar="FILE", help="the private key")
    key.add_argument(
        "--env", action="store_true", help="the key of the environment: SALESFORCE_PRIVATE_KEY or SALESFORCE_SIGNER"
    )
    public = parser if needs_signer else key
    public.add_argument("--public-key", metavar="FILE", help="the public key, as a KMS returns it")
    parser.add_argument("--password-file", metavar="FILE", help="the password of the private key")
    parser.add_argument("--prefix", default="", metavar="P", help="with --env: a prefix of the names of all variables")


def given_signer(arguments: argparse.Namespace) -> Signer | AsyncSigner:
    """Return the signer that the options name."""
    if arguments.env:
        return unwrapped(read_salesforce_signer(prefix=arguments.prefix))
    password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
    return RSASigner(FileKeySource(arguments.private_key), password=password)


def given_public_key(arguments: argparse.Namespace, signer: Signer | AsyncSigner | None) -> RSAPublicKey:
    """Return the public key that the options name, or else the signer's.

    Raises:
        ConfigurationError: There is neither.
    """
    if arguments.public_key is not None:
        return onboarding.read_public_key(read_key(FileKeySource(arguments.public_key)))
    public_key = None if signer is None else public_key_of(signer)
    if public_key is None:
        raise ConfigurationError(f"{type(signer).__name__} has no public_key; give the key with --public-key.")
    return public_key
