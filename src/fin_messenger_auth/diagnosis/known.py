"""What tokens are verified with, as far as it is known, and the check of the tokens of one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fin_messenger_auth.environment import Reading
from fin_messenger_auth.errors import masked_class
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.json_values import fill
from fin_messenger_auth.keys import MaskedBytes
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE

from .findings import Finding
from .intercom_token import check_intercom_token
from .salesforce_token import check_pair, check_salesforce_token
from .verifying_key import VerifyingKey, configured_keys


@masked_class
@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The secret, the keys of the keyset, its issuer, and the expected audience."""

    secret: bytes = field(default=b"", repr=False)
    keys: Sequence[VerifyingKey] = ()
    issuer: str | None = None
    audience: str | None = None

    def __post_init__(self) -> None:
        """Mask the secret where error trackers show it."""
        fill(self, "secret", MaskedBytes(self.secret))

    def check_tokens(self, settings: Mapping[str, object], now: float) -> list[Finding]:
        """Check both tokens in settings, and that they are of the user beside them."""
        intercom, salesforce, beside = (settings.get(name) for name in (INTERCOM, SALESFORCE, "user_id"))
        findings: list[Finding] = []
        if intercom not in (None, ""):
            user_id = None if beside is None else str(beside)
            findings += check_intercom_token(str(intercom), secret=self.secret, user_id=user_id, now=now)
        if salesforce is not None:
            findings += self.check_salesforce(str(salesforce), now)
        if intercom is not None and salesforce is not None:
            findings += check_pair(str(intercom), str(salesforce))
        return findings

    def check_salesforce(self, token: str, now: float | None = None) -> list[Finding]:
        """Check the Salesforce token."""
        return check_salesforce_token(token, keys=self.keys, issuer=self.issuer, audience=self.audience, now=now)


def known_from(
    reading: Reading,
    *,
    secret: bytes | None = None,
    keys: Sequence[VerifyingKey] = (),
    issuer: str | None = None,
    audience: str | None = None,
) -> Known:
    """Return what is given, and for the rest what the environment says."""
    return Known(
        secret=secret or reading.secret or b"",
        keys=keys or configured_keys(reading),
        issuer=issuer or reading.value("SALESFORCE_ISSUER") or None,
        audience=audience or reading.value("SALESFORCE_AUDIENCE") or None,
    )
