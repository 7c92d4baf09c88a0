"""Signers that wait for a network: both at once, cancelled, timed out, failing, and none left behind."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from fin_messenger_auth import (
    HMACSigner,
    IntercomMinter,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
    TokenPairBuilder,
    with_deadline,
)
from fin_messenger_auth.errors import SigningError
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret, verify
from fin_messenger_auth.testing._throwaway import pem_of

HMAC = HMACSigner(StringKeySource(throwaway_secret()))
RSA = RSASigner(StringKeySource(pem_of(throwaway_rsa_key())), kid="key-1")
ISSUER, AUDIENCE = "https://issuer.example", "https://a.my.salesforce-scrt.com"


def builder_on(intercom: Any, salesforce: Any, **options: Any) -> TokenPairBuilder:
    return TokenPairBuilder(
        app_id="app",
        intercom=IntercomMinter(intercom),
        salesforce=SalesforceMinter(salesforce, issuer=ISSUER, audience=AUDIENCE),
        **options,
    )


class Remote:
    """An asynchronous signer around a local one; ``wait`` is its network."""

    def __init__(self, local: Any, wait: Callable[[], Awaitable[object]]) -> None:
        self.alg, self.kid = local.alg, local.kid
        self._local, self._wait = local, wait
        self.cancelled = False

    async def asign(self, signing_input: bytes, /) -> bytes:
        try:
            await self._wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        signature: bytes = self._local.sign(signing_input)
        return signature


async def never() -> None:
    await asyncio.Event().wait()


async def failing() -> None:
    await asyncio.sleep(0)  # as whatever comes over a wire
    raise ConnectionError("the KMS at kms.example says: secret-looking text")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``main``, and see that it left no task behind."""

    async def watched() -> None:
        async with asyncio.timeout(30):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())


def test_both_tokens_are_signed_at_once() -> None:
    async def main() -> None:
        together = asyncio.Barrier(2)  # passed only by two that wait at the same time
        builder = builder_on(Remote(HMAC, together.wait), Remote(RSA, together.wait))
        verify(await builder.abuild_settings("42"))

    run(main)


def test_blocking_signers_are_run_at_once_in_threads() -> None:
    together = threading.Barrier(2, timeout=10)

    class Blocking:
        def __init__(self, local: Any) -> None:
            self.alg, self.kid, self._local = local.alg, local.kid, local

        def sign(self, signing_input: bytes, /) -> bytes:
            together.wait()
            signature: bytes = self._local.sign(signing_input)
            return signature

    async def main() -> None:
        verify(await builder_on(with_deadline(Blocking(HMAC)), with_deadline(Blocking(RSA))).abuild_settings("42"))

    run(main)


def test_local_signers_are_called_directly_in_the_loops_own_thread() -> None:
    threads: list[str] = []

    class Local:
        alg, kid = RSA.alg, RSA.kid

        def sign(self, signing_input: bytes, /) -> bytes:
            threads.append(threading.current_thread().name)
            return RSA.sign(signing_input)

    async def main() -> None:
        await builder_on(HMAC, Local()).abuild("42")
        assert threads == [threading.current_thread().name]

    run(main)


def test_a_call_in_a_thread_sees_the_context_of_the_task() -> None:
    trace = contextvars.ContextVar("trace", default="none")
    seen: list[str] = []

    class Traced:
        alg, kid = RSA.alg, RSA.kid

        def sign(self, signing_input: bytes, /) -> bytes:
            seen.append(trace.get())
            return RSA.sign(signing_input)

    async def main() -> None:
        trace.set("request-7")
        await builder_on(HMAC, with_deadline(Traced())).abuild("42")

    run(main)
    assert seen == ["request-7"]


def test_signers_that_hang_do_not_take_asyncios_own_threads() -> None:
    release = threading.Event()

    class Hanging:
        alg, kid = RSA.alg, RSA.kid

        def sign(self, signing_input: bytes, /) -> bytes:
            release.wait(30)
            return RSA.sign(signing_input)

    async def main() -> None:
        builder = builder_on(HMAC, with_deadline(Hanging(), threads=64))
        pages = [asyncio.create_task(builder.abuild("42")) for _ in range(64)]
        await asyncio.sleep(0)
        assert await asyncio.to_thread(lambda: "served") == "served"
        release.set()
        assert all(await asyncio.gather(*pages))

    run(main)


@pytest.mark.parametrize("failing_first", [True, False])
def test_a_failure_of_one_cancels_the_other(failing_first: bool) -> None:
    async def main() -> None:
        hanging = Remote(RSA if failing_first else HMAC, never)
        broken = Remote(HMAC if failing_first else RSA, failing)
        builder = builder_on(broken, hanging) if failing_first else builder_on(hanging, broken)
        with pytest.raises(SigningError, match=r"^Remote raised ConnectionError\.$"):
            await builder.abuild("42")
        assert hanging.cancelled

    run(main)


def test_two_failures_are_one_error() -> None:
    async def main() -> None:
        with pytest.raises(SigningError, match=r"^Remote raised ConnectionError\.$"):
            await builder_on(Remote(HMAC, failing), Remote(RSA, failing)).abuild("42")

    run(main)


@pytest.mark.parametrize("both", [True, False])
def test_a_cancelled_page_cancels_its_signers(both: bool) -> None:
    async def main() -> None:
        remote = [Remote(HMAC, never), Remote(RSA, never)]
        builder = builder_on(remote[0] if both else HMAC, remote[1])
        page = asyncio.create_task(builder.abuild_settings("42"))
        await asyncio.sleep(0.01)
        page.cancel()
        with pytest.raises(asyncio.CancelledError):
            await page
        assert [each.cancelled for each in remote] == [both, True]

    run(main)


def test_the_callers_time_out_is_a_time_out_and_no_signing_error() -> None:
    async def main() -> None:
        builder = builder_on(Remote(HMAC, never), Remote(RSA, never), on_signing_error="anonymous")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await builder.abuild("42")

    run(main)


def test_a_kms_that_hangs_until_its_time_out_leaves_an_anonymous_page(caplog: pytest.LogCaptureFixture) -> None:
    async def hanging() -> None:
        async with asyncio.timeout(0.05):  # the client's own
            await never()

    async def main() -> None:
        builder = builder_on(Remote(HMAC, hanging), Remote(RSA, never), on_signing_error="anonymous")
        assert await builder.abuild_settings("42", hide_default_launcher=True) == {
            **builder.build_settings(None),
            "hide_default_launcher": True,
        }

    run(main)
    assert [record.getMessage() for record in caplog.records if record.name == "fin_messenger_auth"] == [
        (
            "Signing intercom_user_jwt with kid None failed (anonymous): Remote raised TimeoutError. "
            "Pages since the last record: 1."
        )
    ]


def test_the_next_page_is_signed_after_a_failure() -> None:
    async def main() -> None:
        broken = True

        async def wait() -> None:
            nonlocal broken
            if broken:
                broken = False
                await failing()

        builder = builder_on(HMAC, Remote(RSA, wait))
        with pytest.raises(SigningError):
            await builder.abuild("42")
        verify(await builder.abuild_settings("42"))

    run(main)


def test_the_core_imports_no_client_of_a_service() -> None:
    program = (
        "import sys, fin_messenger_auth, fin_messenger_auth.testing\n"
        "import fin_messenger_auth.backends.aws_kms, fin_messenger_auth.backends.pkcs11\n"
        "clients = {'boto3', 'botocore', 'pkcs11', 'google', 'azure', 'hvac', 'grpc', 'requests'}\n"
        "print(sorted(clients & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
