"""Makes a key for Salesforce and its public files: ``keygen``, ``jwk``, ``jwks``, ``certificate``."""

from __future__ import annotations

import argparse
import json
import shlex
from typing import TYPE_CHECKING, Any

from fin_messenger_auth import onboarding
from fin_messenger_auth._environment import read_salesforce_signer
from fin_messenger_auth._keys import FileKeySource, MaskedBytes
from fin_messenger_auth._signers import AsyncSigner, RSASigner, Signer, public_key_of, signs_at_once, unwrapped
from fin_messenger_auth._uploaded import certificates_in, rsa_key_of
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.onboarding._certificate import DEFAULT_DAYS
from fin_messenger_auth.onboarding._jwk import parse_jwk
from fin_messenger_auth.onboarding._key_directory import DEFAULT_ISSUER, KEY_SIZES, own_issuer

from .options import read_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser(
        "keygen",
        help="make a key for Salesforce: private key, certificate, JWK and JWKS in a directory",
        description="Make an RSA key, its self-signed certificate, its JWK and its JWKS, and say what to do with them. "
        "Nothing is overwritten.",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="where to write; made if it does not exist")
    parser.add_argument("--kid", help="the key ID; the key's RFC 7638 thumbprint if left out")
    parser.add_argument(
        "--bits", type=int, choices=KEY_SIZES, default=KEY_SIZES[0], help="the key's size (%(default)s)"
    )
    _add_days(parser)
    parser.add_argument("--issuer", default=DEFAULT_ISSUER, help="the keyset's issuer (%(default)s)")
    parser.add_argument("--password-file", metavar="FILE", help="encrypt the private key with what this file holds")
    parser.set_defaults(run=keygen)

    parser = commands.add_parser(
        "jwk",
        help="print the JWK of a key and its certificate, ready to be uploaded to Salesforce",
        description="Print the JWK of a key that exists already, with its certificate, which must match and be valid "
        "long enough. The private key may be in a KMS or with somebody else: its certificate is enough.",
    )
    key = _add_key_options(parser, needs_signer=False)
    key.add_argument(
        "--repair", metavar="FILE", help="a JWK that was made by hand: print it with its mistakes corrected"
    )
    parser.add_argument("--certificate", metavar="FILE", help="the certificate of the same key")
    parser.add_argument("--kid", help="the key ID; with --env the configured one, else the key's RFC 7638 thumbprint")
    parser.set_defaults(run=jwk)

    parser = commands.add_parser(
        "jwks",
        help="print one JWKS of several certificates or JWKs",
        description="Print one JWKS of several certificates or JWKs. A certificate alone gets its key's RFC 7638 "
        "thumbprint as kid.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a certificate in PEM or DER, or a JWK")
    parser.set_defaults(run=jwks)

    parser = commands.add_parser(
        "certificate",
        help="print a new certificate for a key",
        description="Print a new self-signed certificate for a key that exists already. The key stays the same, and "
        "so does its thumbprint.",
    )
    _add_key_options(parser, needs_signer=True)
    _add_days(parser)
    parser.set_defaults(run=certificate)


def keygen(arguments: argparse.Namespace) -> int:
    """Make the key, and print what is left to do."""
    own_issuer(arguments.issuer, "--issuer")  # before anything is written
    password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
    directory = onboarding.make_key_directory(
        arguments.directory, kid=arguments.kid, bits=arguments.bits, days=arguments.days, password=password
    )
    print(
        f"Made a key of {arguments.bits} bits in {directory.path}; its certificate is valid for {arguments.days} days."
    )
    print("Keep private-key.pem secret, and upload jwk.json.\n\nIn Salesforce, in this order:")
    for number, step in enumerate(onboarding.salesforce_steps(directory, issuer=arguments.issuer), start=1):
        print(f"  {number}. {step}")
    print("\nIn the environment of the application (SALESFORCE_JWK_FILE is the file that was uploaded):")
    for line in onboarding.environment_lines(directory, issuer=arguments.issuer):
        print(f"  {line}")
    print("  and INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET, as in the README")
    doctor = shlex.join(["fin-messenger-auth", "doctor", str(directory.path), "--issuer", arguments.issuer])
    print(f"\nThen: {doctor}")
    return 0


def jwk(arguments: argparse.Namespace) -> int:
    """Print the JWK."""
    if arguments.repair is not None:
        print(json.dumps(onboarding.repair_jwk(_read(arguments.repair)), indent=2))
        return 0
    if arguments.certificate is None:
        take_out = "if a .pfx or .p12 file has it: openssl pkcs12 -in FILE -clcerts -nokeys -out certificate.pem"
        raise ConfigurationError(f"Give the certificate of the key: --certificate FILE ({take_out}).")
    signer = _given_signer(arguments) if arguments.env or arguments.private_key else None
    kid = None if signer is None else signer.kid
    own_key = _given_public_key(arguments, signer) if signer is not None or arguments.public_key else None
    held = _read(arguments.certificate)
    public_key = own_key or rsa_key_of(onboarding.read_certificate(held))
    own = [each for each in certificates_in(held) if each.public_key() == public_key]  # of a chain in any order
    found = own[0] if own else onboarding.read_certificate(held)
    made = onboarding.make_jwk(public_key, found, kid=arguments.kid or kid)
    print(json.dumps(made, indent=2))
    return 0


def jwks(arguments: argparse.Namespace) -> int:
    """Print the JWKS."""
    print(json.dumps(onboarding.make_jwks(_jwk_in(_read(path)) for path in arguments.files), indent=2))
    return 0


def certificate(arguments: argparse.Namespace) -> int:
    """Print the certificate."""
    signer = _given_signer(arguments)
    if not signs_at_once(signer):
        raise ConfigurationError(f"{type(signer).__name__} has asign only; expected sign.", "signer-async-only")
    public_key = _given_public_key(arguments, signer)
    made = onboarding.self_signed_certificate(signer, public_key, days=arguments.days)
    print(onboarding.certificate_pem(made).decode(), end="")
    return 0


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=int, default=DEFAULT_DAYS, help="how long the certificate is valid (%(default)s)"
    )


def _add_key_options(parser: argparse.ArgumentParser, *, needs_signer: bool) -> argparse._MutuallyExclusiveGroup:
    """Add the options that say where the key is, and whether a public key is not enough; return those of the key."""
    key = parser.add_mutually_exclusive_group(required=needs_signer)
    key.add_argument("--private-key", metavar="FILE", help="the private key")
    key.add_argument(
        "--env", action="store_true", help="the key of the environment: SALESFORCE_PRIVATE_KEY or SALESFORCE_SIGNER"
    )
    public = parser if needs_signer else key
    public.add_argument("--public-key", metavar="FILE", help="the public key, as a KMS returns it")
    parser.add_argument("--password-file", metavar="FILE", help="the password of the private key")
    parser.add_argument("--prefix", default="", metavar="P", help="with --env: a prefix of the names of all variables")
    return key


def _given_signer(arguments: argparse.Namespace) -> Signer | AsyncSigner:
    """Return the signer that the options name."""
    if arguments.env:
        return unwrapped(read_salesforce_signer(prefix=arguments.prefix))
    password = None if arguments.password_file is None else FileKeySource(arguments.password_file)
    return RSASigner(FileKeySource(arguments.private_key), password=password)


def _given_public_key(arguments: argparse.Namespace, signer: Signer | AsyncSigner | None) -> RSAPublicKey:
    """Return the public key that the options name, or else the signer's."""
    if arguments.public_key is not None:
        return onboarding.read_public_key(_read(arguments.public_key))
    public_key = None if signer is None else public_key_of(signer)
    if public_key is None:
        raise ConfigurationError(f"{type(signer).__name__} has no public_key; give the key with --public-key.")
    return public_key


def _jwk_in(data: MaskedBytes) -> dict[str, Any]:
    if data.lstrip()[:1] in (b"{", b"["):
        return parse_jwk(data)
    found = onboarding.read_certificate(data)
    return onboarding.make_jwk(rsa_key_of(found), found)


def _read(path: str) -> MaskedBytes:
    return MaskedBytes(read_file(path))
