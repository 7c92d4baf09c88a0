"""What remote signers cost an event loop: ratios, measured side by side in one run.

Run it as ``python bench/async_pairs.py``. It prints

1. an async pair on two remote signers of 20 ms each, over one of them alone: at most 1.15;
2. the longest turn of the event loop while 200 pairs are signed at once, over the same tasks with bare sleeps: at
   most 2;
3. the same with local keys, which sign on the loop.

A turn of the loop is what anybody else waits for. All figures are medians over the rounds.
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


async def longest_turn(tasks: list[Coroutine[Any, Any, object]]) -> float:
    """Return the seconds of the event loop's longest turn while the tasks run: what anybody else waits at most."""
    loop = asyncio.get_running_loop()
    longest = 0.0
    begun = time.perf_counter()
    over = False

    def turn() -> None:
        nonlocal longest, begun
        now = time.perf_counter()
        longest, begun = max(longest, now - begun), now
        if not over:
            loop.call_soon(turn)

    loop.call_soon(turn)
    await asyncio.gather(*tasks)
    over = True
    return longest


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
        bare.append(await longest_turn([bare_pair() for _ in range(PAIRS)]))
        loops.append(await longest_turn([pair.abuild("42") for _ in range(PAIRS)]))
        locals_.append(await longest_turn([local.abuild("42") for _ in range(PAIRS)]))
    for_a_pair, for_the_loop = median(pairs) / median(singles), median(loops) / median(bare)
    print(f"one remote signer        {median(singles) * 1e3:7.2f} ms")
    print(f"an async pair on two     {median(pairs) * 1e3:7.2f} ms   x {for_a_pair:.2f} (at most {MOST_FOR_A_PAIR})")
    print(f"longest turn, bare       {median(bare) * 1e3:7.2f} ms   {PAIRS} at once")
    print(
        f"longest turn, remote     {median(loops) * 1e3:7.2f} ms   x {for_the_loop:.2f} (at most {MOST_FOR_THE_LOOP})"
    )
    print(f"longest turn, local keys {median(locals_) * 1e3:7.2f} ms   {PAIRS} at once, signed on the loop")
    return int(for_a_pair > MOST_FOR_A_PAIR or for_the_loop > MOST_FOR_THE_LOOP)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
