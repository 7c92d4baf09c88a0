"""Says what each platform would say of a token, a key or a configuration, and why.

Each check is a function that returns findings, for your own tests and health checks and for the commands ``inspect``
and ``doctor``.
"""

from fin_messenger_auth._verification import VerifyingKey

from ._checks import check_environment, manual_checks, run_checks
from ._expected import Expected
from ._findings import CATALOGUE, Evidence, Finding, Level, has_errors
from ._key_checks import (
    check_certificate,
    check_jwk,
    check_jwks,
    check_key_directory,
    check_key_file,
    check_private_key,
    check_secret,
    check_upload,
    read_verifying_keys,
)
from ._online import Org, check_org, check_published_jwks
from ._page_checks import Document, check_page, check_settings
from ._page_reader import PageSettings, settings_in_page
from ._token_checks import check_intercom_token, check_pair, check_salesforce_token

__all__ = [
    "CATALOGUE",
    "Document",
    "Evidence",
    "Expected",
    "Finding",
    "Level",
    "Org",
    "PageSettings",
    "VerifyingKey",
    "check_certificate",
    "check_environment",
    "check_intercom_token",
    "check_jwk",
    "check_jwks",
    "check_key_directory",
    "check_key_file",
    "check_org",
    "check_page",
    "check_pair",
    "check_private_key",
    "check_published_jwks",
    "check_salesforce_token",
    "check_secret",
    "check_settings",
    "check_upload",
    "has_errors",
    "manual_checks",
    "read_verifying_keys",
    "run_checks",
    "settings_in_page",
]
