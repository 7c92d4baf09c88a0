"""The contestants in other languages: long-lived processes that take their turns and time themselves.

One JSON object a line goes in and one comes out, so that what is timed holds no start of a process and no pipe.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, Self

from . import peers
from .measure import Slot
from .peers import Case

HERE = Path(__file__).parent / "other_languages"
PROGRAMS = {"ruby": "contestants.rb", "node": "contestants.mjs"}
ARTICLE = "ruby-jwt, as in the article"


class Neighbours:
    """Those of the processes that run on this machine.

    Attributes:
        missing: What does not, and why, for the report to say loudly.
    """

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        """Start them."""
        for program, script in PROGRAMS.items():
            path = shutil.which(program)
            if path is None:
                self.missing.append(f"{program} is not installed: its libraries were not measured")
                continue
            self._processes[program] = subprocess.Popen(
                [path, script], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        for process in self._processes.values():
            process.communicate()

    def slots(self, case: Case, kind: str) -> dict[str, Slot]:
        """Return the contestants for ``case``, having looked at what they sign.

        Args:
            case: What to sign.
            kind: ``pair``, or ``hs256`` for the token for Intercom alone.
        """
        setup = {
            "secret": case.secret.decode(),
            "pem": case.pem.decode(),
            "kid": peers.KID,
            "issuer": peers.ISSUER,
            "audience": peers.AUDIENCE,
            "user_id": case.user_id,
            "lifetime": peers.LIFETIME,
            "more": dict(case.more),
        }
        slots: dict[str, Slot] = {}
        for program in tuple(self._processes):
            answer = self._ask(program, {"setup": setup})
            if answer is None:
                self.missing.append(f"{program} is here and its JWT libraries are not: they were not measured")
                self._processes.pop(program).communicate()
                continue
            for name in answer["names"]:
                peers.check_same(case, {name: self._must(program, {"show": name})["tokens"]})
                slots[name] = partial(self._seconds, program, name, kind)
        return slots

    def _seconds(self, program: str, name: str, kind: str, count: int) -> float:
        return float(self._must(program, {"run": name, "kind": kind, "count": count})["seconds"])

    def _must(self, program: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(program, request)
        if answer is None:
            raise RuntimeError(f"{program} ended in the middle of a run.")
        return answer

    def _ask(self, program: str, request: dict[str, Any]) -> dict[str, Any] | None:
        process = self._processes[program]
        assert process.stdin and process.stdout  # noqa: PT018, S101 - tells the type checker that they are pipes
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return None
        line = process.stdout.readline()
        return dict(json.loads(line)) if line else None
