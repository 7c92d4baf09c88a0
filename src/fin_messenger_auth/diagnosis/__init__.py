"""What each platform would say of a token, a key or a configuration, and why.

Every check is a function that returns findings, for your own tests and health check as well as for the
commands ``inspect`` and ``doctor``.
"""

from .certificate import check_certificate
from .directory import check_key_directory
from .doctor import manual_checks, run_checks
from .environment import check_environment
from .findings import CATALOGUE, Evidence, Finding, Level, has_errors
from .http_client import Client
from .intercom_token import check_intercom_token
from .jwk import check_jwk, check_jwks
from .key_file import check_key_file, read_sound_jwk
from .online import Org, check_org, check_published_jwks
from .page import check_settings
from .private_key import check_private_key
from .salesforce_token import check_pair, check_salesforce_token
from .secret import check_secret
from .verifying import VerifyingKey, read_verifying_keys

__all__ = [
    "CATALOGUE",
    "Client",
    "Evidence",
    "Finding",
    "Level",
    "Org",
    "VerifyingKey",
    "check_certificate",
    "check_environment",
    "check_intercom_token",
    "check_jwk",
    "check_jwks",
    "check_key_directory",
    "check_key_file",
    "check_org",
    "check_pair",
    "check_private_key",
    "check_published_jwks",
    "check_salesforce_token",
    "check_secret",
    "check_settings",
    "has_errors",
    "manual_checks",
    "read_sound_jwk",
    "read_verifying_keys",
    "run_checks",
]
