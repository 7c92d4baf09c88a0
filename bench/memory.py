"""What stays in memory: after many pairs, after many tokens, and of a builder. In a process of its own.

python -m bench.memory PAIRS TOKENS
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import peers
from .measure import Effort, Figure, Section
from .peers import Case

WARM_UP = 5_000
BUILDERS = 100


def measure(effort: Effort) -> list[Section]:
    """Measure in a fresh process."""
    pairs, tokens = effort.times(100_000), effort.times(1_000_000)
    command = [sys.executable, "-m", "bench.memory", str(pairs), str(tokens)]
    grown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    names = {
        "pairs": f"growth over {pairs:,} pairs",
        "tokens": f"growth over {tokens:,} HS256 tokens",
        "builder": "a builder with its RSA key of 2048 bits",
    }
    figures = {key: Figure(names[key], "bytes", value, value, value, 1) for key, value in grown.items()}
    return [
        Section(
            key="memory",
            title="Memory",
            note=f"Resident memory of a fresh process, after {WARM_UP:,} operations to warm up; one run, so no spread. "
            f"A builder's is a share of the growth over {BUILDERS}, the key parsed anew for each.",
            figures=tuple(figures.values()),
            ratios={"resident growth over the pairs": figures["pairs"]},
        )
    ]


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()  # exact, where statm is not
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


def growth(operation: Callable[[], object], count: int) -> int:
    """Return by how many bytes ``count`` operations make the process grow, after a warm-up."""
    for _ in range(WARM_UP):
        operation()
    before = resident()
    for _ in range(count):
        operation()
    return resident() - before


def main() -> None:
    """Measure, and print the figures as JSON."""
    pairs, tokens = map(int, sys.argv[1:])
    case = Case()
    grown = {
        "pairs": growth(lambda: case.builder.build(case.user), pairs),
        "tokens": growth(peers.ours_hs256(case), tokens),
    }
    before = resident()
    kept = [Case().builder for _ in range(BUILDERS)]
    grown["builder"] = (resident() - before) // len(kept)
    print(json.dumps(grown))


if __name__ == "__main__":
    main()
