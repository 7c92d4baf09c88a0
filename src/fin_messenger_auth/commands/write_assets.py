"""Writes the JavaScript module for an application that serves its own static files (``assets``)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth.page import renewal_module

if TYPE_CHECKING:
    import argparse


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "assets",
        help="write the JavaScript module for single-page applications, with its type declarations",
        description="Write fin-messenger-auth.js and fin-messenger-auth.d.ts, and print the module's integrity hash.",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="where to write; made if it does not exist")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write both files, and print the hash for an ``integrity`` attribute (Subresource Integrity §3.5)."""
    directory, module = Path(arguments.directory), Path(renewal_module())
    directory.mkdir(parents=True, exist_ok=True)
    for path in (module, module.with_suffix(".d.ts")):
        (directory / path.name).write_bytes(path.read_bytes())
    print(f"sha384-{b64encode(hashlib.sha384(module.read_bytes()).digest()).decode()}")
    return 0
