"""What type-checks when an application plugs in its own parts, and what does not.

mypy and pyright both read this file; it is never run. An ignored error that is no longer an error is an error itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from fin_messenger_auth import (
    AsyncSigner,
    Company,
    EnvKeySource,
    HMACSigner,
    IntercomMinter,
    KeySource,
    MessengerUser,
    RSASigner,
    SalesforceMinter,
    Signer,
    TokenPair,
    TokenPairBuilder,
    build_settings,
    with_deadline,
)


@dataclass(frozen=True)
class FrozenSigner:
    alg: str
    kid: str | None

    def sign(self, signing_input: bytes, /) -> bytes:
        return signing_input


class PlainSigner:
    alg = "RS256"
    kid = "k"

    def sign(self, message: bytes) -> bytes:
        return message


class RemoteSigner:
    @property
    def alg(self) -> str:
        return "RS256"

    @property
    def kid(self) -> str:
        return "k"

    async def asign(self, signing_input: bytes, /) -> bytes:
        return signing_input


class TextSigner:
    alg = "RS256"
    kid = "k"

    def sign(self, signing_input: bytes, /) -> str:
        return signing_input.decode()


class NamelessSigner:
    def sign(self, signing_input: bytes, /) -> bytes:
        return signing_input


class VaultSource:
    def read(self) -> bytes:
        return b""


frozen: Signer = FrozenSigner("RS256", "k")
plain: Signer = PlainSigner()
remote: AsyncSigner = RemoteSigner()
threaded: AsyncSigner = with_deadline(plain)
threaded_pages: Signer = with_deadline(plain, threads=8, timeout=1.5)
own_hmac: Signer = HMACSigner(VaultSource())
own_rsa: Signer = RSASigner(EnvKeySource("KEY"), kid="k")
source: KeySource = VaultSource()

text: Signer = TextSigner()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
nameless: Signer = NamelessSigner()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
not_async: AsyncSigner = PlainSigner()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
not_sync: Signer = RemoteSigner()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
HMACSigner("the secret itself")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
RSASigner(source, alg="PS256")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
IntercomMinter(plain, lifetime=3600)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
MessengerUser(4.2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
MessengerUser("42", company="Acme")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@dataclass
class Account:
    uid: int
    mail: str


def from_account(account: Account | None) -> MessengerUser | None:
    return None if account is None else MessengerUser(account.uid, email=account.mail, company=Company(7))


def to_text(account: Account) -> str:
    return account.mail


intercom = IntercomMinter(remote)
salesforce = SalesforceMinter(plain, issuer="intercom.com", audience="https://acme.my.salesforce-scrt.com")
builder = TokenPairBuilder(app_id="abc", intercom=intercom, salesforce=salesforce, identify=from_account, region="eu")
TokenPairBuilder.from_env({"INTERCOM_APP_ID": "abc"}, identify=from_account)

TokenPairBuilder(app_id="abc", intercom=intercom)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
TokenPairBuilder.from_env(identify=to_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TokenPairBuilder(app_id="abc", intercom=intercom, salesforce=None, region="mars")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(builder.build(Account(1, "a@b")), TokenPair | None)
assert_type(builder.build_settings(None, z_index=3, alignment="left", extra={"a": 1}), dict[str, Any])
assert_type(intercom.claims(MessengerUser("42"), 0), dict[str, Any])
assert_type(MessengerUser(42).user_id, str)
assert_type(MessengerUser(42).attributes, Mapping[str, Any])

build_settings(None, z_index="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
build_settings(None, zindex=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def view() -> None:
    assert_type(await builder.abuild(None), TokenPair | None)
    assert_type(await builder.abuild_settings(None), dict[str, Any])
