"""Makes the files that Salesforce needs for a key: certificate, JWK, JWKS, and the steps in Setup."""

from fin_messenger_auth._keys import read_public_key
from fin_messenger_auth._uploaded import certificate_in, read_certificate

from ._certificate import certificate_pem, self_signed_certificate
from ._jwk import make_jwk, make_jwks, read_jwk, repair_jwk, thumbprint
from ._key_directory import (
    KeyDirectory,
    environment_lines,
    generate_private_key,
    make_key_directory,
    private_key_pem,
    salesforce_steps,
)

__all__ = [
    "KeyDirectory",
    "certificate_in",
    "certificate_pem",
    "environment_lines",
    "generate_private_key",
    "make_jwk",
    "make_jwks",
    "make_key_directory",
    "private_key_pem",
    "read_certificate",
    "read_jwk",
    "read_public_key",
    "repair_jwk",
    "salesforce_steps",
    "self_signed_certificate",
    "thumbprint",
]
