"""A pytest plugin that runs every Python block of the documentation and the README.

Each file has one namespace; its blocks run in order. The environment holds a configuration on throwaway keys.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

from fin_messenger_auth import default_builder
from fin_messenger_auth.testing import throwaway_environ


def _configure(namespace: dict[str, Any]) -> None:
    namespace["__name__"] = "__main__"
    os.environ.update(throwaway_environ())
    default_builder.cache_clear()


pytest_collect_file = Sybil(
    path=str(Path(__file__).parents[1]),
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    setup=_configure,
).pytest()
