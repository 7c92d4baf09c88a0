"""Makes the signers of this folder from environment variables, by their names in ``SALESFORCE_SIGNER``.

A factory is given the variables, the prefix of their names, and what the uploaded JWK says. Each wraps its signer in
``with_deadline``, so that it serves synchronous and async pages alike, and raises what the signer raises, or
``ConfigurationError`` for a variable that is missing. Region, address and credentials are those of the service's own
client, from its own variables, without the prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Unpack

from fin_messenger_auth._deadline import with_deadline
from fin_messenger_auth._environment import PIN, Variables
from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import DualSigner
from fin_messenger_auth.errors import ConfigurationError, raise_first

from ._remote import FromJWK, RemoteSigner
from .aws_kms import AWSKMSSigner
from .azure_key_vault import AzureKeyVaultSigner
from .google_cloud_kms import GoogleCloudKMSSigner
from .pkcs11 import PKCS11Signer
from .vault import VaultTransitSigner


def _of_one_variable(signer: type[RemoteSigner], name: str) -> Callable[..., DualSigner]:
    def make(environ: Mapping[str, str], prefix: str, /, **jwk: Unpack[FromJWK]) -> DualSigner:
        [key] = _required(Variables(environ, prefix), name)
        return with_deadline(signer(key, **jwk))

    return make


aws_kms = _of_one_variable(AWSKMSSigner, "SALESFORCE_AWS_KMS_KEY_ID")
azure_key_vault = _of_one_variable(AzureKeyVaultSigner, "SALESFORCE_AZURE_KEY_VAULT_KEY_ID")
google_cloud_kms = _of_one_variable(GoogleCloudKMSSigner, "SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION")


def vault(environ: Mapping[str, str], prefix: str, /, **jwk: Unpack[FromJWK]) -> DualSigner:
    """Make the signer of ``SALESFORCE_SIGNER=vault``."""
    variables = Variables(environ, prefix)
    key, version = _required(variables, "SALESFORCE_VAULT_KEY", "SALESFORCE_VAULT_KEY_VERSION")
    number = version.strip()
    if not (number.isascii() and number.isdigit()):
        raise ConfigurationError(
            f"{prefix}SALESFORCE_VAULT_KEY_VERSION: expected the number of one version of the key."
        )
    mount = variables.value("SALESFORCE_VAULT_MOUNT") or "transit"
    return with_deadline(VaultTransitSigner(key, version=int(number), mount=mount, **jwk))


def pkcs11(environ: Mapping[str, str], prefix: str, /, **jwk: Unpack[FromJWK]) -> DualSigner:
    """Make the signer of ``SALESFORCE_SIGNER=pkcs11``."""
    variables = Variables(environ, prefix)
    _, pin = variables.key(PIN)
    module, *place, uri = (f"SALESFORCE_PKCS11_{part}" for part in ("MODULE", "TOKEN", "KEY", "URI"))
    path, *_ = _required(variables, module, *([] if variables.value(uri) else place), PIN)
    token, key, identity = (variables.value(name) or None for name in (*place, uri))
    source = StringKeySource(pin or b"")
    return with_deadline(PKCS11Signer(path, token=token, key=key, uri=identity, pin=source, **jwk))


def _required(variables: Variables, *names: str) -> list[str]:
    variables.require(*names)
    raise_first(variables.problems)
    return list(map(variables.value, names))
