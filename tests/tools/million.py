"""A million pairs by one builder, each verified and each its own user's: ``python -m tests.tools.million``.

A quarter each over threads, forked processes with threads in them, spawned processes, and tasks of an event loop. All
but the spawned ones, which cannot inherit it, use the same builder. It is verified with ``hmac`` and ``cryptography``
alone. The command fails if one token is wrong. ``--pairs`` makes fewer.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fin_messenger_auth import Company, MessengerUser, TokenPair, TokenPairBuilder
from fin_messenger_auth.testing import throwaway_environ

PROCESSES = 2
THREADS = 8
TASKS = 200

_inherited: list[Shared] = []  # what a forked process finds


class Shared:
    """The builder that all use, and the keys that verify what it makes.

    Args:
        environ: The environment that the builder is made from.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.builder = TokenPairBuilder.from_env(environ)
        self._secret = environ["INTERCOM_MESSENGER_SECRET"].encode()
        key = load_pem_private_key(environ["SALESFORCE_PRIVATE_KEY"].encode(), None)
        self._key = cast(RSAPrivateKey, key).public_key()

    def is_right(self, name: str, pair: TokenPair | None) -> bool:
        """Tell whether both tokens verify, and say of this user what they must and of no other anything."""
        if pair is None or pair.salesforce_identity_token is None:
            return False
        message, signature, intercom = _parts(pair.intercom_user_jwt)
        if not hmac.compare_digest(hmac.digest(self._secret, message, "sha256"), signature):
            return False
        message, signature, salesforce = _parts(pair.salesforce_identity_token)
        try:
            self._key.verify(signature, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        del intercom["exp"]
        claims = {"user_id": name, "name": f"{name} 名", "company": {"id": f"{name} & co"}, "of": name}
        return bool(intercom == claims and salesforce["sub"] == name)


def user(name: str) -> MessengerUser:
    """Return a user of whom every value is its own."""
    return MessengerUser(name, name=f"{name} 名", company=Company(f"{name} & co"), attributes={"of": name})


def wrong_in_threads(shared: Shared, prefix: str, pairs: int) -> int:
    """Return how many of so many pairs, made in threads, are wrong."""

    def wrong(names: range) -> int:
        made = ((name, shared.builder.build(user(name))) for name in (f"{prefix} {number}" for number in names))
        return sum(not shared.is_right(name, pair) for name, pair in made)

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(wrong, _slices(pairs, THREADS)))


def wrong_in_tasks(shared: Shared, prefix: str, pairs: int) -> int:
    """Return how many of so many pairs, made by tasks of one event loop, are wrong."""

    async def wrong(names: range) -> int:
        count = 0
        for name in (f"{prefix} {number}" for number in names):
            made = await shared.builder.abuild(user(name))
            await asyncio.sleep(0)  # others make theirs meanwhile
            count += not shared.is_right(name, made)
        return count

    async def together() -> int:
        return sum(await asyncio.gather(*map(wrong, _slices(pairs, TASKS))))

    return asyncio.run(together())


def wrong_in_processes(method: str, environ: Mapping[str, str], shared: Shared, prefix: str, pairs: int) -> int:
    """Return how many of so many pairs, made in threads of processes, are wrong.

    A forked process uses the builder that was made before it; a spawned one makes its own of the same environment.
    """
    _inherited.append(shared)
    try:
        with ProcessPoolExecutor(PROCESSES, get_context(method)) as processes:
            shares = [len(each) for each in _slices(pairs, PROCESSES)]
            jobs = [processes.submit(_wrong, dict(environ), f"{prefix} {n}", share) for n, share in enumerate(shares)]
            return sum(job.result() for job in jobs)
    finally:
        _inherited.pop()


def run(pairs: int, environ: Mapping[str, str]) -> Iterator[tuple[str, int, int, float]]:
    """Yield for each way how many pairs it made, how many are wrong, and the seconds."""
    shared, quarter = Shared(environ), pairs // 4
    ways: dict[str, Callable[[str, int], int]] = {
        "forked processes": partial(wrong_in_processes, "fork", environ, shared),
        "spawned processes": partial(wrong_in_processes, "spawn", environ, shared),
        "threads": partial(wrong_in_threads, shared),
        "tasks": partial(wrong_in_tasks, shared),
    }
    for name, way in ways.items():
        start = time.perf_counter()
        wrong = way(name, quarter)
        yield name, quarter, wrong, time.perf_counter() - start


def main(arguments: list[str]) -> int:
    """Print what each way made, and return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.million", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    asked = parser.parse_args(arguments)
    made = failed = 0
    for name, pairs, wrong, seconds in run(asked.pairs, throwaway_environ()):
        print(f"{name}: {pairs} pairs, {wrong} wrong, {seconds:.0f} s", flush=True)
        made, failed = made + pairs, failed + wrong
    print(f"{made} pairs, {failed} wrong")
    return int(failed > 0)


def _parts(token: str) -> tuple[bytes, bytes, dict[str, Any]]:
    message, _, signature = token.rpartition(".")
    claims = json.loads(urlsafe_b64decode(message.partition(".")[2] + "=="))
    return message.encode(), urlsafe_b64decode(signature + "=="), claims


def _slices(pairs: int, parts: int) -> list[range]:
    return [range(number, pairs, parts) for number in range(parts)]


def _wrong(environ: Mapping[str, str], prefix: str, pairs: int) -> int:
    shared = _inherited[-1] if _inherited else Shared(environ)
    return wrong_in_threads(shared, prefix, pairs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
