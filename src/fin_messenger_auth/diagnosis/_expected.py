"""Holds what tokens are verified with and a page is compared with, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fin_messenger_auth._environment import Reading
from fin_messenger_auth._json_values import set_field
from fin_messenger_auth._keys import MaskedBytes
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth._verification import VerifyingKey

from ._findings import Finding, finding
from ._key_checks import configured_keys
from ._token_checks import check_intercom_token, check_pair, check_salesforce_token, json_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What tokens are verified with and a page is compared with. What is not given is not compared.

    Args:
        secret: The Messenger API Secret.
        keys: The public keys of the keyset; empty where Fin makes the Salesforce token.
        issuer: The keyset's issuer.
        audience: The expected ``aud``.
        app_id: The ID of the Intercom workspace.
        region: Its region.
        user_id: The user; ``""`` for an anonymous visitor.
        fin_managed: Whether Fin makes the Salesforce token, so that the page must not carry one.
    """

    secret: bytes = field(default=b"", repr=False)
    keys: Sequence[VerifyingKey] = ()
    issuer: str | None = None
    audience: str | None = None
    app_id: str | None = None
    region: str | None = None
    user_id: str | None = None
    fin_managed: bool = False

    def __post_init__(self) -> None:
        """Mask the secret where error trackers show it."""
        secret: object = self.secret
        set_field(self, "secret", MaskedBytes(secret.encode() if isinstance(secret, str) else self.secret))

    def check_tokens(self, settings: Mapping[str, object], now: float) -> Iterator[Finding]:
        """Check both tokens in settings, and that they are of the user beside them."""
        tokens, beside = dict[str, str](), settings.get("user_id")
        for name in (INTERCOM_TOKEN, SALESFORCE_TOKEN):
            value = settings.get(name)
            if isinstance(value, str):
                tokens[name] = value
            elif value is not None:
                why = f"expected a string, got {json_type(value)}, such as a promise that was not awaited"
                yield finding("token-malformed", token=name, why=why)
        if tokens.get(INTERCOM_TOKEN):
            user_id = None if beside is None else str(beside)
            yield from check_intercom_token(tokens[INTERCOM_TOKEN], secret=self.secret, user_id=user_id, now=now)
        if SALESFORCE_TOKEN in tokens:
            yield from self.check_salesforce(tokens[SALESFORCE_TOKEN], now)
        if len(tokens) > 1:
            yield from check_pair(tokens[INTERCOM_TOKEN], tokens[SALESFORCE_TOKEN])

    def check_salesforce(self, token: str, now: float | None = None) -> list[Finding]:
        """Check the Salesforce token."""
        return check_salesforce_token(token, keys=self.keys, issuer=self.issuer, audience=self.audience, now=now)

    def completed(self, reading: Reading) -> Expected:
        """Return this, with what the environment says in place of what is not given."""
        app_id = self.app_id or reading.value("INTERCOM_APP_ID") or None
        return replace(
            self,
            secret=self.secret or reading.secret or b"",
            keys=self.keys or configured_keys(reading),
            issuer=self.issuer or reading.value("SALESFORCE_ISSUER") or None,
            audience=self.audience or reading.value("SALESFORCE_AUDIENCE") or None,
            app_id=app_id,
            region=self.region or reading.value("INTERCOM_REGION") or ("us" if app_id else None),
            fin_managed=self.fin_managed or reading.fin_managed,
        )
