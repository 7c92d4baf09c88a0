"""Makes the signers of this folder from environment variables, by their names in ``SALESFORCE_SIGNER``.

A factory is given the variables, the prefix of their names, and what the uploaded JWK says. Both wrap their signer in
``with_deadline``, so that it serves synchronous and async pages alike, and raise what the signer raises, or
``ConfigurationError`` for a variable that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fin_messenger_auth._deadline import with_deadline
from fin_messenger_auth._environment import PIN, Variables
from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import DualSigner
from fin_messenger_auth.errors import raise_first

from .aws_kms import AWSKMSSigner
from .pkcs11 import PKCS11Signer

Alg = Literal["RS256", "RS512"]


def aws_kms(environ: Mapping[str, str], prefix: str, *, kid: str, alg: Alg, public_key: object) -> DualSigner:  # noqa: ARG001
    """Make the signer of ``SALESFORCE_SIGNER=aws-kms``: the key is ``SALESFORCE_AWS_KMS_KEY_ID``.

    Region and credentials are boto3's own, from variables without the prefix.
    """
    variables = Variables(environ, prefix)
    [key_id] = _required(variables, "SALESFORCE_AWS_KMS_KEY_ID")
    return with_deadline(AWSKMSSigner(key_id, kid=kid, alg=alg))


def pkcs11(environ: Mapping[str, str], prefix: str, *, kid: str, alg: Alg, public_key: object) -> DualSigner:  # noqa: ARG001
    """Make the signer of ``SALESFORCE_SIGNER=pkcs11``.

    ``SALESFORCE_PKCS11_MODULE`` is the path of the HSM's module, ``_TOKEN`` the label of the token, ``_KEY`` that of
    the key, and ``_PIN`` the user PIN, or ``_PIN_FILE`` the file that contains it.
    """
    variables = Variables(environ, prefix)
    _, pin = variables.key(PIN)
    names = (f"SALESFORCE_PKCS11_{part}" for part in ("MODULE", "TOKEN", "KEY"))
    module, token, key, _ = _required(variables, *names, PIN)
    return with_deadline(PKCS11Signer(module, token=token, key=key, pin=StringKeySource(pin or b""), kid=kid, alg=alg))


def _required(variables: Variables, *names: str) -> list[str]:
    variables.require(*names)
    raise_first(variables.problems)
    return list(map(variables.value, names))
