"""Signs RS256 or RS512 with a key in Google Cloud KMS. Needs the extra ``google-cloud-kms``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fin_messenger_auth.errors import InvalidKeyError

from ._remote import TIMEOUT, RemoteSigner, import_client, over_http

__all__ = ["GoogleCloudKMSSigner"]


class GoogleCloudKMSSigner(RemoteSigner):
    """RS256 or RS512 with one version of a key in Google Cloud KMS.

    The credentials need ``cloudkms.cryptoKeyVersions.useToSign``, and ``…viewPublicKey`` without a JWK. Wrap it in
    :func:`~fin_messenger_auth.with_deadline`.

    Args:
        key: ``projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/1``: with the version, so that
            a new one in the cloud changes nothing here. Its algorithm is ``RSA_SIGN_PKCS1_…_SHA256``, or ``…_SHA512``.
        kid: The ``kid`` of the uploaded JWK.
        alg: ``RS256`` or ``RS512``, as in the uploaded JWK.
        client: Makes a ``KeyManagementServiceClient``, once a process. By default it has Google's default credentials
            and uses REST, which is safe with forks and gevent.
        public_key: The key of the uploaded JWK; Google is asked for none then.
    """

    service = "Google Cloud KMS"
    _form = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/[1-9][0-9]*")
    _expected = "projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/N, with the number of the version"
    refusals: ClassVar[frozenset[str | int]] = frozenset({"RefreshError", "Unauthorized"})
    reasons: ClassVar[Mapping[str | int, str]] = over_http(certificates="REQUESTS_CA_BUNDLE") | {
        "DeadlineExceeded": "it did not answer in time",
        "DefaultCredentialsError": "there are no default credentials; set GOOGLE_APPLICATION_CREDENTIALS to a file's "
        "path, or give the machine a service account",
        "FailedPrecondition": "the key version is disabled, scheduled for destruction, or otherwise not usable",
        "Forbidden": "the credentials lack cloudkms.cryptoKeyVersions.useToSign or .viewPublicKey on the key",
        "BadRequest": "the request does not fit the key; it must be RSA_SIGN_PKCS1_…, with the hash of alg",
        "NotFound": "there is no such key version",
        "RefreshError": "Google refuses the credentials; see GOOGLE_APPLICATION_CREDENTIALS and this machine's clock",
        "ServiceUnavailable": "it is not available",
        "TooManyRequests": "Google throttles the requests",
        "Unauthorized": "Google does not accept the credentials; see GOOGLE_APPLICATION_CREDENTIALS",
    }

    def _client(self) -> Any:
        [kms] = import_client("google.cloud.kms", extra="google-cloud-kms")
        return kms.KeyManagementServiceClient(transport="rest")

    def _fetch(self, client: Any, /) -> object:
        answer = client.get_public_key(name=self._key, **_limits())
        if not answer.pem:
            raise KeyError("pem")
        name = getattr(answer.algorithm, "name", "")
        if not (name.startswith("RSA_SIGN_PKCS1_") and name.endswith(f"_SHA{self.alg[2:]}")):
            raise InvalidKeyError(
                f"The key version in Google Cloud KMS is not made for RSA_SIGN_PKCS1_…_SHA{self.alg[2:]}."
            )
        return load_pem_public_key(answer.pem.encode())

    def _request(self, client: Any, digest: bytes, /) -> bytes:
        answer = client.asymmetric_sign(name=self._key, digest={f"sha{self.alg[2:]}": digest}, **_limits())
        signature: bytes = answer.signature
        return signature

    def _codes(self, error: BaseException) -> list[object]:
        return [getattr(error, "code", None)]


def _limits() -> dict[str, Any]:
    """Return what bounds a request: two tries, of ``TIMEOUT`` seconds each."""
    [retry] = import_client("google.api_core.retry", extra="google-cloud-kms")
    return {"timeout": TIMEOUT, "retry": retry.Retry(initial=0.1, multiplier=100, maximum=60, timeout=2 * TIMEOUT)}
