"""Several keys in one document (JWK Set, RFC 7517 §5), to be served for a keyset of type *Endpoint URL*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fin_messenger_auth.errors import ConfigurationError

from .jwk import REQUIRED, without_dummies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def make_jwks(keys: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return a JWKS of public keys, in the order given.

    During a rotation it holds the old key and the new one, each with a ``kid`` of its own.

    Args:
        keys: JWKs, as :func:`~fin_messenger_auth.onboarding.make_jwk` makes them.

    Raises:
        ConfigurationError: There is no key; one lacks a member that Salesforce needs; two have the same ``kid``.
        InvalidKeyError: One holds a private key.
    """
    public = [without_dummies(key) for key in keys]
    if not public:
        raise ConfigurationError("A JWKS needs one key at least.")
    for key in public:
        missing = [name for name in REQUIRED if not key.get(name)]
        if missing:
            raise ConfigurationError(f"A JWK lacks {', '.join(missing)}; make it anew with `jwk`.")
    kids = [key["kid"] for key in public]
    if len(set(kids)) < len(kids):
        raise ConfigurationError("Two keys have the same kid, so a token's kid would not say which one signed.")
    return {"keys": public}
