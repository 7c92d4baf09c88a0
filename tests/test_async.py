"""Both tokens at once, whatever the signers are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fin_messenger_auth import AsyncSigner, IntercomMinter, SalesforceMinter, Signer, TokenPairBuilder, with_deadline
from fin_messenger_auth.errors import ConfigurationError, SigningError
from fin_messenger_auth.testing import FrozenClock, throwaway_builder, verify

NOW = 1_700_000_000


class Remote:
    """An async signer on the wire's far side: another signer, and what happened to the calls."""

    def __init__(self, signer: Any, *, error: Exception | None = None, gate: asyncio.Barrier | None = None) -> None:
        self.alg: str = signer.alg
        self.kid: str | None = signer.kid
        self.signer = signer
        self.error = error
        self.gate = gate
        self.cancelled = False

    async def asign(self, signing_input: bytes, /) -> bytes:
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        signature: bytes = self.signer.sign(signing_input)
        return signature


def with_signers(builder: TokenPairBuilder, intercom: Any, salesforce: Any) -> TokenPairBuilder:
    assert builder.salesforce is not None
    return replace(
        builder,
        intercom=replace(builder.intercom, signer=intercom),
        salesforce=replace(builder.salesforce, signer=salesforce),
    )


@pytest.fixture
def local() -> TokenPairBuilder:
    return throwaway_builder(clock=FrozenClock(NOW))


def signers_of(builder: TokenPairBuilder) -> tuple[Any, Any]:
    assert builder.salesforce is not None
    return builder.intercom.signer, builder.salesforce.signer


@pytest.mark.parametrize("remote", ["neither", "intercom", "salesforce", "both", "threads"])
def test_every_mix_of_signers_gives_the_same_tokens(local: TokenPairBuilder, remote: str) -> None:
    intercom, salesforce = signers_of(local)
    if remote == "threads":
        intercom, salesforce = with_deadline(intercom), with_deadline(salesforce)
    if remote in ("intercom", "both"):
        intercom = Remote(intercom)
    if remote in ("salesforce", "both"):
        salesforce = Remote(salesforce)
    builder = with_signers(local, intercom, salesforce)

    assert asyncio.run(builder.abuild("42")) == local.build("42")
    assert asyncio.run(builder.abuild_settings("42", z_index=1)) == local.build_settings("42", z_index=1)
    verify(asyncio.run(builder.abuild_settings("42")), now=NOW)


def test_an_anonymous_visitor_needs_no_signer(local: TokenPairBuilder) -> None:
    assert asyncio.run(local.abuild(None)) is None
    assert asyncio.run(local.abuild_settings(None)) == local.build_settings(None)


def test_two_remote_signers_are_awaited_at_the_same_time(local: TokenPairBuilder) -> None:
    async def main() -> None:
        gate = asyncio.Barrier(2)  # opens only when both are waiting
        builder = with_signers(local, *(Remote(signer, gate=gate) for signer in signers_of(local)))
        assert await asyncio.wait_for(builder.abuild("42"), timeout=10) == local.build("42")

    asyncio.run(main())


def test_where_both_ways_exist_the_async_one_wins(local: TokenPairBuilder) -> None:
    class Both(Remote):
        def sign(self, _signing_input: bytes, /) -> bytes:
            raise AssertionError("sign was called")

    builder = with_signers(local, *(Both(signer) for signer in signers_of(local)))

    assert asyncio.run(builder.abuild("42")) == local.build("42")


def test_a_signer_that_can_only_be_awaited_says_so_where_it_cannot(local: TokenPairBuilder) -> None:
    intercom, salesforce = signers_of(local)
    for builder in (
        with_signers(local, Remote(intercom), salesforce),
        with_signers(local, intercom, Remote(salesforce)),
    ):
        with pytest.raises(ConfigurationError, match=r"Remote .* abuild") as caught:
            builder.build("42")
        assert caught.value.code == "signer-async-only"
        with pytest.raises(ConfigurationError, match="abuild_settings") as caught:
            builder.build_settings("42")
        assert caught.value.code == "signer-async-only"


@pytest.mark.parametrize("failing", [0, 1])
def test_one_failure_leaves_no_task_behind(local: TokenPairBuilder, failing: int) -> None:
    async def main() -> list[Remote]:
        never = asyncio.Barrier(2)
        remotes = [Remote(signer, gate=never) for signer in signers_of(local)]
        remotes[failing] = Remote(signers_of(local)[failing], error=ConnectionError())
        with pytest.raises(SigningError) as caught:
            await with_signers(local, *remotes).abuild("42")
        assert "ConnectionError" in str(caught.value)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return remotes

    remotes = asyncio.run(main())
    assert remotes[1 - failing].cancelled


def test_cancelling_the_caller_cancels_both_signers(local: TokenPairBuilder) -> None:
    async def main() -> None:
        never = asyncio.Barrier(3)
        remotes = [Remote(signer, gate=never) for signer in signers_of(local)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(with_signers(local, *remotes).abuild("42"), timeout=0.01)
        assert [remote.cancelled for remote in remotes] == [True, True]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_failed_signature_shows_the_anonymous_page(local: TokenPairBuilder) -> None:
    intercom, salesforce = signers_of(local)
    for remotes in (
        (intercom, Remote(salesforce, error=ConnectionError())),
        (Remote(intercom, error=ConnectionError()), Remote(salesforce, error=ConnectionError())),
    ):
        builder = replace(with_signers(local, *remotes), on_signing_error="anonymous")
        assert asyncio.run(builder.abuild("42")) is None
        assert asyncio.run(builder.abuild_settings("42")) == local.build_settings(None)


def test_third_party_signers_satisfy_the_protocols_by_shape(local: TokenPairBuilder) -> None:
    intercom, salesforce = signers_of(local)
    remote: AsyncSigner = Remote(intercom)
    at_once: Signer = salesforce

    assert IntercomMinter(remote).signer is remote
    assert SalesforceMinter(at_once, issuer="i", audience="https://a.my.salesforce-scrt.com").signer is at_once
