"""Several keys in one document (JWK Set, RFC 7517 §5), to be served for a keyset of type *Endpoint URL*."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidKeyError, Problem, raise_first

from .jwk import jwk_problems, rsa_key_in, without_dummies

# What Salesforce asks of an uploaded certificate. Served key sets without any are reported to work.
_ONLY_FOR_UPLOADS = {"jwk-x5c-missing", "certificate-validity", "certificate-not-yet-valid"}


def make_jwks(keys: Iterable[Mapping[str, Any]], *, now: datetime | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return a JWKS of public keys, in the order given.

    During a rotation it holds the old key and the new one, each with a ``kid`` of its own.

    Args:
        keys: JWKs, as :func:`~fin_messenger_auth.onboarding.make_jwk` makes them.
        now: The time, as an aware ``datetime``; the present if left out.

    Raises:
        ConfigurationError: There is no key; a member of one is missing or invalid; two have the same ``kid``.
        InvalidKeyError: One contains a private key, or has under 2048 bits.

    Warns:
        FinMessengerAuthWarning: One has no certificate, or a certificate that could not be uploaded.
    """
    given = list(keys)
    raise_first(jwks_problems(given, now=now))
    return {"keys": [without_dummies(key) for key in given]}


def jwks_problems(
    keys: Sequence[Mapping[str, Any]], *, public_key: RSAPublicKey | None = None, now: datetime | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with the keys of a set that is to be served: the one list of its rules.

    Args:
        keys: The JWKs.
        public_key: The public half of the private key; one key of the set must be it.
        now: The time, as an aware ``datetime``; the present if left out.
    """
    if not keys:
        yield ConfigurationError("The key set has no keys; make it with `jwks`.", "jwks-empty")
    for problem in (each for key in keys for each in jwk_problems(key, now=now)):
        only_unwise = problem.code in _ONLY_FOR_UPLOADS
        yield FinMessengerAuthWarning(problem.message, problem.code) if only_unwise else problem
    kids = [str(key.get("kid")) for key in keys]
    if len(set(kids)) < len(kids):
        yield ConfigurationError("Two keys of the set have the same kid; give each key its own.", "jwks-kid-twice")
    if public_key is not None and keys and public_key not in map(_key_in, keys):
        yield InvalidKeyError(
            "The key set does not contain the key of the private key; make it again with `jwks`.", "key-differs"
        )


def _key_in(jwk: Mapping[str, Any]) -> RSAPublicKey | None:
    try:
        return rsa_key_in(jwk)
    except InvalidKeyError:
        return None
