"""What remote signers cost an event loop: ratios, measured side by side in one run.

Run it as ``python bench/async_pairs.py``. It prints

1. an async pair on two remote signers of 20 ms each, over one of them alone: at most 1.15;
2. how late the event loop is while 200 pairs are signed at once, over the same tasks with bare sleeps: at most 2;
3. the same with local keys, which sign on the loop.

Of each lateness the least of many rounds counts: the rest is what else the machine was doing.
It ends with status 1 if one of the first two ratios is too high.
"""

from __future__ import annotations

import asyncio
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from fin_messenger_auth import AsyncSigner, IntercomMinter, SalesforceMinter, TokenPairBuilder
from fin_messenger_auth.testing import throwaway_builder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

LATENCY = 0.02  # seconds that a remote signer takes
PAIRS = 200
ROUNDS = 40
MOST_FOR_A_PAIR = 1.15
MOST_FOR_THE_LOOP = 2.0


class Remote:
    """A signer at the other end of a network: it waits, and returns what was signed before."""

    def __init__(self, alg: str, size: int) -> None:
        self.alg = alg
        self.kid = "remote"
        self._signature = bytes(size)

    async def asign(self, _signing_input: bytes, /) -> bytes:
        """Wait as for a network."""
        await asyncio.sleep(LATENCY)
        return self._signature


def builder_on(intercom: AsyncSigner, salesforce: AsyncSigner) -> TokenPairBuilder:
    """Return a builder on two remote signers."""
    return TokenPairBuilder(
        app_id="bench",
        intercom=IntercomMinter(intercom),
        salesforce=SalesforceMinter(
            salesforce, issuer="https://issuer.example", audience="https://a.my.salesforce-scrt.com"
        ),
    )


async def seconds(awaitable: Awaitable[object]) -> float:
    """Return how long it takes to await."""
    start = time.perf_counter()
    await awaitable
    return time.perf_counter() - start


async def lateness(tasks: list[Coroutine[Any, Any, object]]) -> float:
    """Return by how many seconds a tick of the loop is late at most, while the tasks run."""
    latest = 0.0

    async def tick() -> None:
        nonlocal latest
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            latest = max(latest, time.perf_counter() - due)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    await asyncio.sleep(0.005)
    ticking.cancel()
    return latest


async def bare_pair() -> None:
    """Wait as a pair does, and do nothing else."""
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(LATENCY))
        group.create_task(asyncio.sleep(LATENCY))


async def main() -> int:
    """Measure and print."""
    remote = Remote("RS256", 256)
    pair, local = builder_on(Remote("HS256", 32), remote), throwaway_builder()
    await pair.abuild("42")
    pairs, singles, loops, bare, locals_ = [], [], [], [], []
    for _ in range(ROUNDS):
        singles.append(await seconds(remote.asign(b"message")))
        pairs.append(await seconds(pair.abuild("42")))
        bare.append(await lateness([bare_pair() for _ in range(PAIRS)]))
        loops.append(await lateness([pair.abuild("42") for _ in range(PAIRS)]))
        locals_.append(await lateness([local.abuild("42") for _ in range(PAIRS)]))
    for_a_pair, for_the_loop = median(pairs) / median(singles), min(loops) / min(bare)
    print(f"one remote signer        {median(singles) * 1e3:7.2f} ms")
    print(f"an async pair on two     {median(pairs) * 1e3:7.2f} ms   x {for_a_pair:.2f} (at most {MOST_FOR_A_PAIR})")
    print(f"loop late, bare sleeps   {min(bare) * 1e3:7.2f} ms   {PAIRS} at once")
    print(f"loop late, remote pairs  {min(loops) * 1e3:7.2f} ms   x {for_the_loop:.2f} (at most {MOST_FOR_THE_LOOP})")
    print(f"loop late, local keys    {min(locals_) * 1e3:7.2f} ms   {PAIRS} at once, signed on the loop")
    return int(for_a_pair > MOST_FOR_A_PAIR or for_the_loop > MOST_FOR_THE_LOOP)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
