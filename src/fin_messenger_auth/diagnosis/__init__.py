"""What each platform would say of a token, a key or a configuration, and why.

Every check is a function that returns findings, for your own tests and health check as well as for the
commands ``inspect`` and ``doctor``.
"""

from .findings import Evidence, Finding, Level, has_errors
from .intercom_token import check_intercom_token
from .salesforce_token import check_pair, check_salesforce_token
from .verifying import VerifyingKey

__all__ = [
    "Evidence",
    "Finding",
    "Level",
    "VerifyingKey",
    "check_intercom_token",
    "check_pair",
    "check_salesforce_token",
    "has_errors",
]
