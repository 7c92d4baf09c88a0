"""The signers of this folder by their names in ``SALESFORCE_SIGNER``, made from environment variables.

Both are wrapped in ``in_thread``, so that they serve synchronous and async pages alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from fin_messenger_auth.errors import raise_first
from fin_messenger_auth.keys import StringKeySource
from fin_messenger_auth.threads import ThreadedSigner, in_thread
from fin_messenger_auth.variables import PIN, Variables

from .aws_kms import AWSKMSSigner
from .pkcs11 import PKCS11Signer

_KMS_KEY_ID = "SALESFORCE_AWS_KMS_KEY_ID"
_MODULE, _TOKEN, _KEY = "SALESFORCE_PKCS11_MODULE", "SALESFORCE_PKCS11_TOKEN", "SALESFORCE_PKCS11_KEY"


def aws_kms(environ: Mapping[str, str], prefix: str, kid: str) -> ThreadedSigner:
    """Make the signer of ``SALESFORCE_SIGNER=aws-kms``: the key is ``SALESFORCE_AWS_KMS_KEY_ID``.

    Region and credentials are boto3's own, from variables without the prefix.

    Args:
        environ: The environment variables.
        prefix: What stands before each variable's name.
        kid: The key ID for the header.

    Raises:
        ConfigurationError: The variable is missing; :class:`.AWSKMSSigner` refuses the key.
        KeyUnavailableError: AWS KMS does not sign with it.
    """
    variables = Variables(environ, prefix)
    variables.require(_KMS_KEY_ID)
    raise_first(variables.problems)
    return in_thread(AWSKMSSigner(variables.value(_KMS_KEY_ID), kid=kid))


def pkcs11(environ: Mapping[str, str], prefix: str, kid: str) -> ThreadedSigner:
    """Make the signer of ``SALESFORCE_SIGNER=pkcs11``.

    ``SALESFORCE_PKCS11_MODULE`` is the path of the HSM's module, ``_TOKEN`` the label of the token, ``_KEY`` that of
    the key, and ``_PIN`` the user PIN, or ``_PIN_FILE`` the file that contains it.

    Args:
        environ: The environment variables.
        prefix: What stands before each variable's name.
        kid: The key ID for the header.

    Raises:
        ConfigurationError: A variable is missing; :class:`.PKCS11Signer` refuses the key.
        KeyUnavailableError: The HSM does not sign with it.
    """
    variables = Variables(environ, prefix)
    variables.require(_MODULE, _TOKEN, _KEY, PIN)
    _, pin = variables.key(PIN)
    raise_first(variables.problems)
    module, token, key = map(variables.value, (_MODULE, _TOKEN, _KEY))
    return in_thread(PKCS11Signer(module, token=token, key=key, pin=StringKeySource(pin or b""), kid=kid))
