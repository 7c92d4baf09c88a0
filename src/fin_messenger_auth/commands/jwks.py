"""``jwks``: several keys in one document, for a keyset of type *Endpoint URL*."""

from __future__ import annotations

import argparse
import json
from typing import Any

from fin_messenger_auth import onboarding
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.onboarding.certificate import rsa_key_of
from fin_messenger_auth.onboarding.jwk import parse_jwk


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "jwks",
        help="print one JWKS of several certificates or JWKs",
        description="Print one JWKS of several certificates or JWKs. A certificate alone gets its key's RFC 7638 "
        "thumbprint as kid.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a certificate in PEM or DER, or a JWK")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the JWKS."""
    print(json.dumps(onboarding.make_jwks(_jwk_in(path) for path in arguments.files), indent=2))
    return 0


def _jwk_in(path: str) -> dict[str, Any]:
    data = read_key(FileKeySource(path))
    if data.lstrip()[:1] in (b"{", b"["):
        return parse_jwk(data)
    certificate = onboarding.read_certificate(data)
    return onboarding.make_jwk(rsa_key_of(certificate), certificate)
