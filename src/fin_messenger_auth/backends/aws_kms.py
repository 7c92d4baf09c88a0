"""Signs RS256 or RS512 with a key in AWS KMS, which nobody can export. Needs the extra ``aws-kms``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from cryptography.hazmat.primitives.serialization import load_der_public_key

from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError

from ._remote import CONNECTIONS, TIMEOUT, RemoteSigner, import_client, over_http

__all__ = ["AWSKMSSigner"]

SIGNING_ALGORITHMS = {"RS256": "RSASSA_PKCS1_V1_5_SHA_256", "RS512": "RSASSA_PKCS1_V1_5_SHA_512"}
"""What AWS KMS calls the algorithms."""


class AWSKMSSigner(RemoteSigner):
    """RS256 or RS512 with a key in AWS KMS. The credentials need ``kms:Sign``, and ``kms:GetPublicKey`` without a JWK.

    A key in AWS KMS that signs has one version, so its ID or ARN pins key and version. An alias can be pointed at
    another key while ``kid`` stays, and Salesforce would reject every token: it is refused.

    boto3's ``read_timeout`` starts again with every byte: wrap it in :func:`~fin_messenger_auth.with_deadline`.

    Args:
        key: The key's ID or ARN.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, as in the uploaded JWK.
        client: Makes a boto3 client for ``kms``, once a process. By default it has short time-outs, and region and
            credentials as boto3 finds them.
        public_key: The key of the uploaded JWK; AWS is asked for none then.
    """

    service = "AWS KMS"
    _form = re.compile(r"(?!(.*:)?alias/).+")
    _expected = "the key's ID or ARN; an alias can be pointed at another key while kid stays"
    refusals: ClassVar[frozenset[str | int]] = frozenset(
        {"ExpiredTokenException", "UnrecognizedClientException", "NoCredentialsError"}
    )
    reasons: ClassVar[Mapping[str | int, str]] = over_http(certificates="AWS_CA_BUNDLE") | {
        "AccessDeniedException": "the credentials lack kms:Sign or kms:GetPublicKey on the key",
        "CredentialRetrievalError": "boto3 could not get credentials from where its configuration (AWS_PROFILE) says",
        "DisabledException": "the key is disabled",
        "ExpiredTokenException": "the credentials have expired",
        "InvalidKeyUsageException": "the key is not made for this",
        "InvalidSignatureException": "AWS did not accept the signature of the request; check AWS_SECRET_ACCESS_KEY and "
        "the clock of this machine",
        "KMSInvalidStateException": "the key is pending deletion, or otherwise not usable",
        "NoCredentialsError": "boto3 finds no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_PROFILE, or give the machine a role",
        "NoRegionError": "it has no region; set AWS_DEFAULT_REGION",
        "NotFoundException": "there is no such key in this account and region (AWS_DEFAULT_REGION)",
        "PartialCredentialsError": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together, and one is missing",
        "ProfileNotFound": "it has no such profile; check AWS_PROFILE and AWS_CONFIG_FILE",
        "ThrottlingException": "AWS throttles the requests",
        "UnrecognizedClientException": "the credentials are not known; check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN",
        "UnsupportedOperationException": "the key cannot do this; it must be an RSA key for SIGN_VERIFY",
    }

    def _client(self) -> Any:
        boto3, config, exceptions = import_client("boto3", "botocore.config", "botocore.exceptions", extra="aws-kms")
        settings = config.Config(
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=CONNECTIONS,
        )
        try:
            return boto3.Session().client("kms", config=settings)
        except (exceptions.NoRegionError, exceptions.ProfileNotFound, exceptions.PartialCredentialsError) as error:
            reason = self.reasons[type(error).__name__]
            raise ConfigurationError(f"boto3 cannot make a client for AWS KMS: {reason}.") from None

    def _fetch(self, client: Any, /) -> object:
        answer = client.get_public_key(KeyId=self._key)
        if answer["KeyUsage"] != "SIGN_VERIFY" or SIGNING_ALGORITHMS[self.alg] not in answer["SigningAlgorithms"]:
            raise InvalidKeyError(f"The key in AWS KMS is not made for {SIGNING_ALGORITHMS[self.alg]} (SIGN_VERIFY).")
        return load_der_public_key(answer["PublicKey"])

    def _request(self, client: Any, digest: bytes, /) -> bytes:
        algorithm = SIGNING_ALGORITHMS[self.alg]
        answer = client.sign(KeyId=self._key, Message=digest, MessageType="DIGEST", SigningAlgorithm=algorithm)
        signature: bytes = answer["Signature"]
        return signature

    def _codes(self, error: BaseException) -> list[object]:
        answer = getattr(error, "response", None)  # a ClientError has AWS's answer
        if not isinstance(answer, dict):
            return []
        return [answer.get("Error", {}).get("Code"), answer.get("ResponseMetadata", {}).get("HTTPStatusCode")]
