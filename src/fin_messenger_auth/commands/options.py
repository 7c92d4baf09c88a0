"""Defines the options that commands share: the secret, what is configured in Salesforce, and files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth._keys import FileKeySource, read_key, shown_path
from fin_messenger_auth.diagnosis import Expected, Finding, VerifyingKey, check_key_file, read_verifying_keys
from fin_messenger_auth.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

STANDARD_INPUT = "-"
KEY_FILE = "a JWK, JWKS, certificate or public key; of a private key, the public half is used"  # what --key accepts


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all of these commands have."""
    parser.add_argument("--secret-file", metavar="FILE", help="the Messenger API Secret, if not the environment's")
    parser.add_argument("--issuer", metavar="I", help="the keyset's issuer, as it is set in Salesforce")
    parser.add_argument("--audience", metavar="A", help="the expected aud, if it is not SALESFORCE_AUDIENCE")
    parser.add_argument("--prefix", default="", metavar="P", help="what stands before each variable's name")


def expected_from(arguments: argparse.Namespace, keys: Sequence[VerifyingKey] = ()) -> Expected:
    """Return what the options say."""
    path = arguments.secret_file
    secret = b"" if path is None else read_key(FileKeySource(path)).without_line_end()
    return Expected(secret=secret, keys=keys, issuer=arguments.issuer, audience=arguments.audience)


def given_keys(path: str | None) -> tuple[list[VerifyingKey], list[Finding]]:
    """Return the keys in the file of ``--key``, if it is given, and what is wrong with it."""
    if path is None:
        return [], []
    document = read_key(FileKeySource(path))
    return read_verifying_keys(document), check_key_file(document)


def read_file(path: str) -> bytes:
    """Return the content of a file, or of standard input.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        if path != STANDARD_INPUT:
            return Path(path).read_bytes()
        return sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    except OSError as error:
        raise ConfigurationError(f"{shown_path(path)} cannot be read: {error.strerror}.") from error
