"""From nothing to the first pair: whole processes, by their own CPU time and by the clock on the wall.

The scripts in ``cold/`` run isolated (``python -I``), on installed and byte-compiled packages; only the
few lines of the script itself are compiled at each start, everybody's alike.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from .measure import Effort, Figure, Rounds, Section, in_rounds
from .peers import Case

HERE = Path(__file__).parent / "cold"
OURS, FLOOR = "this library", "the floor"
FIRST_PAIR = {
    FLOOR: "floor.py",
    OURS: "this_library.py",
    "PyJWT": "pyjwt.py",
    "joserfc": "joserfc.py",
    "jwcrypto": "jwcrypto.py",
    "python-jose": "python_jose.py",
}
IMPORTS = {
    "Python alone": "pass",
    FLOOR: "import hmac, cryptography.hazmat.primitives.serialization, "
    "cryptography.hazmat.primitives.asymmetric.padding, cryptography.hazmat.primitives.hashes",
    OURS: "import fin_messenger_auth",
    "PyJWT": "import jwt",
    "joserfc": "import joserfc.jwt, joserfc.jwk",
    "jwcrypto": "import jwcrypto.jwt, jwcrypto.jwk",
    "python-jose": "import jose.jwt",
}


def measure(effort: Effort) -> list[Section]:
    """Measure the first pair, and the import alone."""
    with tempfile.TemporaryDirectory() as directory:
        key_file = Path(directory, "key.pem")
        key_file.write_bytes(Case().pem)
        environ = {"KEY_FILE": str(key_file), "SECRET": Case().secret.decode()}
        start = {name: [str(HERE / script)] for name, script in FIRST_PAIR.items()}
        imports = {name: ["-c", line] for name, line in IMPORTS.items()}
        return [
            *_sections("cold_start", "Cold start, from nothing to the first pair", start, environ, effort.times(40)),
            *_sections("import", "A process that imports and does nothing else", imports, environ, effort.times(25)),
        ]


def _sections(
    key: str, title: str, commands: Mapping[str, list[str]], environ: dict[str, str], rounds: int
) -> list[Section]:
    runs = {name: _Runs(command, environ) for name, command in commands.items()}
    for run in runs.values():
        run.wall()
        run.cpu_seconds.clear()
    wall = in_rounds({name: run.wall for name, run in runs.items()}, rounds)
    cpu = type(wall)({name: run.cpu_seconds for name, run in runs.items()})
    return [
        Section(
            key=f"{key}_{suffix}",
            title=f"{title}, {described}",
            note="With a key of 2048 bits." if key == "cold_start" else "",
            figures=times.figures(),
            ratios=_ratios(times),
        )
        for suffix, described, times in (("cpu", "own CPU time", cpu), ("wall", "by the clock", wall))
    ]


def _ratios(times: Rounds) -> dict[str, Figure]:
    return {f"cold start ÷ {name}": times.ratio(OURS, name) for name in times.seconds if name != OURS}


class _Runs:
    """One command, run again and again; what its processes used is read from the system."""

    def __init__(self, arguments: list[str], environ: dict[str, str]) -> None:
        self.arguments = [sys.executable, "-I", *arguments]
        self.environ = environ
        self.cpu_seconds: list[float] = []

    def wall(self) -> float:
        """Run it, note its CPU time, and return how long it took."""
        start = time.perf_counter()
        process = os.posix_spawn(sys.executable, self.arguments, self.environ)
        _, status, used = os.wait4(process, 0)
        taken = time.perf_counter() - start
        if status:
            raise RuntimeError(f"{self.arguments[-1]} failed with status {os.waitstatus_to_exitcode(status)}.")
        self.cpu_seconds.append(used.ru_utime + used.ru_stime)
        return taken
