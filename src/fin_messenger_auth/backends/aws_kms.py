"""Signs RS256 or RS512 with a key in AWS KMS, which nobody can export. Needs the extra ``aws-kms``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from copy import copy
from threading import Lock
from typing import Any, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fin_messenger_auth._deadline import PROBES
from fin_messenger_auth._json_values import configured_string, fill
from fin_messenger_auth._processes import PerProcess
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError

from ._remote import RemoteKey, check_names, check_that_it_signs, import_client

__all__ = ["AWSKMSSigner"]

_T = TypeVar("_T")

SIGNING_ALGORITHMS = {"RS256": "RSASSA_PKCS1_V1_5_SHA_256", "RS512": "RSASSA_PKCS1_V1_5_SHA_512"}
"""What AWS KMS calls the algorithms."""

DEFAULT_TIMEOUT = 1.5
"""Seconds to connect, and as many to answer, with the client that is made if none is passed. It tries twice."""

CONNECTIONS = 32 + PROBES
"""Connections that this client keeps: the most calls that ``with_deadline`` has at once, those that hang included."""

_ALIAS = re.compile(r"(^|:)alias/")

# What AWS says by a code, and what that means here. A code that is not listed is not shown: it comes from outside.
_REASONS = {
    "AccessDeniedException": "the credentials lack kms:Sign or kms:GetPublicKey on the key",
    "DisabledException": "the key is disabled",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidSignatureException": "AWS did not accept the signature of the request; check secret and clock",
    "InvalidKeyUsageException": "the key is not made for this",
    "KMSInvalidStateException": "the key is pending deletion, or otherwise not usable",
    "KeyError": "its answer lacks a field",
    "NotFoundException": "there is no such key in this account and region",
    "ThrottlingException": "AWS throttles the requests",
    "UnrecognizedClientException": "the credentials are not known",
    "UnsupportedOperationException": "the key cannot do this; it must be an RSA key for SIGN_VERIFY",
}


class AWSKMSSigner(RemoteKey):
    """RS256 or RS512 with a key in AWS KMS: one request a signature, and only the digest is sent.

    The credentials need ``kms:GetPublicKey``, once and here, and ``kms:Sign``. It blocks on a network, and boto3's
    ``read_timeout`` starts again with every byte: wrap it in :func:`~fin_messenger_auth.with_deadline`, which gives it
    a deadline.

    It may be made before a fork: no connection is shared, because the child makes a client of its own.

    A key in AWS KMS that signs has one version, so its id or ARN pins key and version. An alias can be
    pointed at another key at any time, while ``kid`` stays what it was and Salesforce takes every token
    for forged. So an alias is refused.

    Its attributes are those of :class:`.RemoteKey`: ``alg``, ``kid`` and ``public_key``.

    Args:
        key_id: The key's id or ARN.
        kid: The key id for the header: exactly the ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, the same as in the uploaded JWK.
        client: A boto3 client for ``kms``, with your credentials, region, time-outs and retries, or a function that
            makes one, which each process calls once. A client is copied in a forked child: with its configuration,
            credentials and certificates, but not with event handlers that were registered on it. If left out, each
            process makes one in a new boto3 session, with short time-outs.

    Raises:
        KeyUnavailableError: AWS does not give out the public key.
        InvalidKeyError: The key is not one for ``SIGN_VERIFY`` with RSA and at least 2048 bits.
        ConfigurationError: ``key_id`` is an alias; ``alg`` or ``kid`` is not what it must be; boto3 is
            not installed or not configured.
    """

    __slots__ = ("_arn", "_client")

    _arn: str
    _client: PerProcess[Any]

    def __init__(
        self,
        key_id: str,
        /,
        *,
        kid: str,
        alg: Literal["RS256", "RS512"] = "RS256",
        client: Any = None,  # noqa: ANN401 - boto3 makes the classes of its clients at run time
    ) -> None:
        check_names(kid=kid, alg=alg)
        if _ALIAS.search(configured_string(key_id, "key_id")):
            raise ConfigurationError(
                "key_id is an alias, which can be pointed at another key while kid stays; give the key's id or ARN."
            )
        make = client if callable(client) else _copies(client)
        clients: PerProcess[Any] = PerProcess(_default_client if client is None else make)

        def described() -> tuple[PublicKeyTypes, bool, str]:
            answer = clients().get_public_key(KeyId=key_id)
            usable = answer["KeyUsage"] == "SIGN_VERIFY" and SIGNING_ALGORITHMS[alg] in answer["SigningAlgorithms"]
            return load_der_public_key(answer["PublicKey"]), usable, answer["KeyId"]

        public_key, usable, arn = _asked(described, KeyUnavailableError, "give out the public key")
        super().__init__(public_key, kid=kid, alg=alg)
        if not usable:
            raise InvalidKeyError(f"The key in AWS KMS is not made for {SIGNING_ALGORITHMS[alg]} (SIGN_VERIFY).")
        fill(self, "_arn", arn)
        fill(self, "_client", clients)
        check_that_it_signs(self)

    def sign(self, signing_input: bytes, /) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature of the message (RFC 7518 §3.3).

        Raises:
            SigningError: AWS did not answer in time, refused, or answered with something else than this
                key's signature.
        """
        digest = self.digest(signing_input)
        request = {"KeyId": self._arn, "MessageType": "DIGEST", "SigningAlgorithm": SIGNING_ALGORITHMS[self.alg]}
        signature = _asked(lambda: self._client().sign(Message=digest, **request)["Signature"], SigningError, "sign")
        return self.checked(signature, digest)


def _copies(client: Any) -> Callable[[], Any]:  # noqa: ANN401 - see above
    """Return what gives the client to this process, and a copy of it to each child."""
    process = os.getpid()

    def make() -> Any:  # noqa: ANN401 - see above
        if os.getpid() == process:
            return client
        try:
            return _copied(client)
        except Exception as error:
            raise SigningError(
                "AWS KMS did not sign: the client was made before the process forked, and this version of boto3 cannot "
                "copy it; pass client= a function that makes one."
            ) from error

    return make


def _copied(client: Any) -> Any:  # noqa: ANN401 - see above
    import boto3  # noqa: PLC0415 - an extra
    from botocore.session import Session  # noqa: PLC0415 - the same

    # boto3 gives out neither of these two; a lock of the credentials may be held by a thread that only the parent has.
    credentials = copy(client._request_signer._credentials)  # noqa: SLF001
    verify = client._endpoint.http_session._verify  # noqa: SLF001
    if hasattr(credentials, "_refresh_lock"):
        credentials._refresh_lock = Lock()  # noqa: SLF001
    session = Session()
    session._credentials = credentials  # noqa: SLF001
    return boto3.Session(botocore_session=session).client(
        "kms",
        region_name=client.meta.region_name,
        endpoint_url=client.meta.endpoint_url,
        config=client.meta.config,
        verify=verify,
    )


def _default_client() -> Any:  # noqa: ANN401 - see above
    boto3, config, exceptions = import_client("boto3", "botocore.config", "botocore.exceptions", extra="aws-kms")
    settings = config.Config(
        connect_timeout=DEFAULT_TIMEOUT,
        read_timeout=DEFAULT_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=CONNECTIONS,
    )
    try:
        return boto3.Session().client("kms", config=settings)
    except exceptions.BotoCoreError as error:
        raise ConfigurationError(f"boto3 cannot make a client for AWS KMS: {type(error).__name__}.") from error


def _asked(ask: Callable[[], _T], error_class: type[KeyUnavailableError | SigningError], what: str) -> _T:
    """Return what a client answered, or raise an error in our own words.

    The client's error is not chained to ours: a traceback would show its text, which the service wrote.
    """
    try:
        return ask()
    except (ConfigurationError, KeyUnavailableError, SigningError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the client's
        reason = _reason(error)
    raise error_class(f"AWS KMS did not {what}: {reason}.")


def _reason(error: Exception) -> str:
    answer = getattr(error, "response", None)  # a ClientError has AWS's answer
    status, code = None, type(error).__name__
    if isinstance(answer, dict):
        status, code = answer.get("ResponseMetadata", {}).get("HTTPStatusCode"), answer.get("Error", {}).get("Code")
    name = f"{type(error).__name__} with HTTP status {status}" if status else type(error).__name__
    return _REASONS.get(str(code), name)
