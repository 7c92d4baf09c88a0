"""What pages get while a KMS hangs, and what a burst costs: ``python -m bench.outage``, from the root, with boto3.

The KMS is the double of ``tests/backends``, in a process of its own. It answers after 20 ms. While it hangs it accepts
requests, and answers them when it has recovered. Beside ``with_deadline``, the same calls by boto3 alone, in a pool of
threads.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import chain
from multiprocessing import get_context
from multiprocessing.connection import Connection
from operator import truediv
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import boto3
from botocore.config import Config

from fin_messenger_auth import with_deadline
from fin_messenger_auth._deadline import PROBES
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.testing import throwaway_rsa_key
from tests.backends.doubles import aws_kms, serving

THREADS, TIMEOUT = 32, 5.0
LATENCY = 0.020
BURST, ROUNDS = 500, 7
RATE, BEFORE, HANGS, AFTER = 60, 5, 30, 10  # pages a second, seconds
RESULTS = Path(__file__).with_name("outage.md")
OUTAGE = "| | p50 | p99 | longest | pages that wait, at most | normal again after | failed before | full pools |"
NORMAL = 0.5  # seconds: a page that takes longer is not normal
OWN_TIMEOUTS = {"connect_timeout": 1.5, "read_timeout": 1.5, "retries": {"mode": "standard", "total_max_attempts": 2}}


class Page:
    """When it was asked for, how long it took, and whether it was signed."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds = 0.0
        self.signed = False

    async def get(self, sign: Callable[[], Awaitable[object]]) -> None:
        """Sign once."""
        try:
            await sign()
            self.signed = True
        except Exception:  # noqa: BLE001 - whatever it is, the page is not signed
            self.signed = False
        self.seconds = time.perf_counter() - self.start


def _serve(pipe: Connection) -> None:
    from threading import Event  # noqa: PLC0415 - in the process of the double

    answers = Event()
    answers.set()
    service = aws_kms(throwaway_rsa_key(), LATENCY)

    def answer(*request: Any) -> Any:  # noqa: ANN401 - as the double is called
        answers.wait()
        return service(*request)

    with serving(answer) as address:
        pipe.send(address)
        while (command := pipe.recv()) != "stop":
            (answers.clear if command == "hang" else answers.set)()


@contextmanager
def kms() -> Iterator[tuple[str, Connection]]:
    """Start the double; yield its address, and the pipe that takes ``hang`` and ``recover``."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield ours.recv(), ours
    ours.send("recover")
    ours.send("stop")
    process.join(5)


def client(address: str, **options: Any) -> Any:  # noqa: ANN401 - boto3 makes the classes at run time
    """Return a client that keeps a connection for each call, those that hang included."""
    return boto3.Session().client(
        "kms",
        endpoint_url=f"http://{address}",
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="throwaway",  # noqa: S106 - the double takes any
        config=Config(max_pool_connections=THREADS + PROBES, **options),
    )


def bare(kms_client: Any) -> Callable[[], bytes]:  # noqa: ANN401 - see above
    """Return the call of boto3 that signs, and nothing else."""
    call = partial(kms_client.sign, KeyId="key", MessageType="DIGEST", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
    return lambda: call(Message=sha256(b"message").digest())["Signature"]


def contestants(address: str) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the ways to sign that are compared."""
    ours = AWSKMSSigner("key", kid="key-1", client=lambda: client(address, **OWN_TIMEOUTS))
    patient = AWSKMSSigner("key", kid="key-1", client=lambda: client(address))
    pool, call = ThreadPoolExecutor(THREADS), bare(client(address, **OWN_TIMEOUTS))
    return {
        "with_deadline": partial(with_deadline(ours, threads=THREADS, timeout=TIMEOUT).asign, b"message"),
        "with_deadline, boto3's time-outs of a minute": partial(
            with_deadline(patient, threads=THREADS, timeout=TIMEOUT).asign, b"message"
        ),
        "boto3 in a thread pool": lambda: asyncio.get_running_loop().run_in_executor(pool, call),
    }


async def outage(sign: Callable[[], Awaitable[object]], pipe: Connection) -> str:
    """Ask for pages at an even rate, before, while and after the KMS hangs; return what they got, as a row."""
    pages: list[Page] = []
    tasks = []
    start = time.perf_counter()
    hangs, recovers = start + BEFORE, start + BEFORE + HANGS
    commands = [(hangs, "hang"), (recovers, "recover")]
    most = 0
    for number in range((BEFORE + HANGS + AFTER) * RATE):
        await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))
        while commands and time.perf_counter() >= commands[0][0]:
            pipe.send(commands.pop(0)[1])
        pages.append(Page())
        tasks.append(asyncio.create_task(pages[-1].get(sign)))
        most = max(most, sum(not task.done() for task in tasks))
    await asyncio.gather(*tasks)
    centiles = quantiles([page.seconds for page in pages], n=100)
    late = [page.start for page in pages if page.start > recovers and not (page.signed and page.seconds < NORMAL)]
    failed = sum(page.start < hangs and not page.signed for page in pages)
    return (
        f"{centiles[49]:.3f} s | {centiles[98]:.2f} s | {max(page.seconds for page in pages):.2f} s | {most:,} | "
        f"{max(late, default=recovers) - recovers:.1f} s | {failed}"
    )


async def burst(sign: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that many signatures take which are asked for at once."""
    start = time.perf_counter()
    await asyncio.gather(*(sign() for _ in range(BURST)))
    return time.perf_counter() - start


class FullPools(logging.Handler):
    """Counts the warnings of urllib3 that a pool of connections is full."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        self.count += "pool is full" in record.getMessage()

    def since(self) -> int:
        """Return how many there were since the last call."""
        count, self.count = self.count, 0
        return count


def bursts(address: str, full: FullPools) -> Iterator[str]:
    """Yield what a burst costs."""
    ways = contestants(address)
    del ways["with_deadline, boto3's time-outs of a minute"]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, sign in ways.items():
            seconds[name].append(asyncio.run(burst(sign)))
    ours, theirs = (values[1:] for values in seconds.values())
    yield (
        f"{BURST} signatures at once, {ROUNDS} rounds: `with_deadline` takes {median(ours):.3f} s, boto3 alone "
        f"in as many threads {median(theirs):.3f} s, a ratio of {median(map(truediv, ours, theirs)):.2f}. "
        f"Warnings that the pool of connections is full: {full.since()}.\n"
    )


def outages(address: str, pipe: Connection, full: FullPools) -> Iterator[str]:
    """Yield a table of what pages get while the KMS hangs."""
    yield f"{RATE} pages a second for {BEFORE + HANGS + AFTER} s; the KMS hangs for {HANGS} s of them.\n"
    yield OUTAGE + "\n|" + "---|" * OUTAGE.count("|", 1)
    for name, sign in contestants(address).items():
        yield f"| {name} | {asyncio.run(outage(sign, pipe))} | {full.since()} |"
        time.sleep(2)


def main() -> None:
    """Measure, print each line, and keep them for the docs where everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description=__doc__)
    parser.add_argument("--only", choices=["burst", "outage"], help="one of the two; the outages take three minutes")
    only = parser.parse_args().only
    full = FullPools()
    logging.getLogger("urllib3.connectionpool").addHandler(full)
    lines = []
    with kms() as (address, pipe):
        measured = [] if only == "outage" else [bursts(address, full)]
        for line in chain(*measured, () if only == "burst" else outages(address, pipe, full)):
            print(line, flush=True)
            lines.append(line)
    if only is None:
        RESULTS.write_text("\n".join([*lines, ""]), "utf-8")


if __name__ == "__main__":
    main()
