"""What the pair adds to a page of a real server: Flask under gunicorn, FastAPI under uvicorn.

The server is a process of its own with one worker; the visitors are threads of this one, each with a connection
that stays open, who take the pages in an order drawn anew each time.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from statistics import median, quantiles

from .measure import Effort, Figure, Section
from .site import KINDS

SERVERS = {
    "Flask under gunicorn": "gunicorn bench.site:create_flask() --worker-class=gthread --threads=8 --keep-alive=60 "
    "--log-level=critical --bind=127.0.0.1:{port}",
    "FastAPI under uvicorn": "uvicorn bench.site:create_fastapi --factory --no-access-log --log-level=critical "
    "--timeout-keep-alive=60 --host=127.0.0.1 --port={port}",
}
PAGES = {
    "without": "the page alone",
    "local": "with the pair, local key",
    "kms": "with the pair, a KMS of 20 ms",
    "down": "with a KMS that is down",
}
WARM_UP = 50


def measure(effort: Effort) -> list[Section]:
    """Measure both servers, with one visitor at a time and with eight."""
    sections = []
    for number, (name, command) in enumerate(SERVERS.items()):
        with _served(command) as port:
            for visitors in (1, 8):
                times = _visit(port, visitors, effort.times(800))
                sections.append(_section(f"server_{number}_{visitors}", name, visitors, times))
    return sections


def _section(key: str, name: str, visitors: int, times: dict[str, list[float]]) -> Section:
    figures, added = [], {}
    alone = times["without"]
    for kind, values in times.items():
        figures.append(Figure.of(f"{PAGES[kind]}: median", values))
        centiles = quantiles(values, n=100, method="inclusive")
        figures.append(Figure(f"{PAGES[kind]}: p99", "s", centiles[98], centiles[97], max(values), len(values)))
        if kind != "without":
            more = median(values) - median(alone)
            added[f"added at the median, {kind}"] = Figure(f"{kind} at the median", "s", more, more, more, len(values))
            more = centiles[98] - quantiles(alone, n=100, method="inclusive")[98]
            added[f"added at p99, {kind}"] = Figure(f"{kind} at p99", "s", more, more, more, len(values))
    return Section(
        key=key,
        title=f"{name}, {visitors} visitor{'s' if visitors > 1 else ''} at a time",
        note="One worker process. Rows of p99 show p98 and the slowest of all as their spread. The KMS is a double; "
        "the one that is down refuses at once.",
        figures=tuple(figures),
        ratios=added,
    )


def _visit(port: int, visitors: int, pages: int) -> dict[str, list[float]]:
    """Take every kind of page ``pages`` times, by all visitors together."""
    with ThreadPoolExecutor(visitors) as pool:
        walks = list(pool.map(partial(_walk, port), [max(1, pages // visitors)] * visitors))
    return {kind: [seconds for walk in walks for seconds in walk[kind]] for kind in KINDS}


def _walk(port: int, pages: int) -> dict[str, list[float]]:
    connection = HTTPConnection("127.0.0.1", port)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(WARM_UP):
        _take(connection, "without")
        _take(connection, "local")
    order = list(KINDS)
    for _ in range(pages):
        random.shuffle(order)
        for kind in order:
            times[kind].append(_take(connection, kind))
    connection.close()
    return times


def _take(connection: HTTPConnection, kind: str) -> float:
    start = time.perf_counter()
    connection.request("GET", f"/{kind}")
    response = connection.getresponse()
    body = response.read()
    taken = time.perf_counter() - start
    signed = b'"intercom_user_jwt"' in body
    if response.status != 200 or signed != (kind in ("local", "kms")):  # noqa: PLR2004 - OK
        raise RuntimeError(f"/{kind} answered {response.status}, {'with' if signed else 'without'} tokens.")
    return taken


@contextmanager
def _served(command: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", *command.format(port=port).split()], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("The server did not start; run its command by hand to see why.")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The server does not answer.")
