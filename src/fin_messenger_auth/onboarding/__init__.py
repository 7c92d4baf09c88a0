"""What Salesforce needs of a new key: certificate, JWK, JWKS, metadata, and the steps in Setup."""

from fin_messenger_auth.pem import read_public_key

from .certificate import certificate_pem, days_left, read_certificate, self_signed_certificate
from .jwk import certificate_in, make_jwk, make_jwks, read_jwk, thumbprint
from .key_directory import KeyDirectory, generate_private_key, make_key_directory, private_key_pem
from .metadata import salesforce_metadata, write_metadata
from .steps import environment_lines, salesforce_steps

__all__ = [
    "KeyDirectory",
    "certificate_in",
    "certificate_pem",
    "days_left",
    "environment_lines",
    "generate_private_key",
    "make_jwk",
    "make_jwks",
    "make_key_directory",
    "private_key_pem",
    "read_certificate",
    "read_jwk",
    "read_public_key",
    "salesforce_metadata",
    "salesforce_steps",
    "self_signed_certificate",
    "thumbprint",
    "write_metadata",
]
