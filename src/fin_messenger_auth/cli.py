"""Parses the command line and runs a command of ``commands``."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from .commands import inspect_token, make_keys, print_settings, run_demo, run_doctor, run_sandbox, write_assets
from .errors import FinMessengerAuthError, FinMessengerAuthWarning

PROGRAM = "fin-messenger-auth"
_GIVEN = re.compile(r"(?<=arguments: ).*|(?<=invalid )([\w ]+): .*?(?= \(choose |\Z)", re.DOTALL)

_COMMANDS = (run_demo, print_settings, make_keys, inspect_token, run_doctor, write_assets, run_sandbox)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit status: 0 fine, 1 the answer is no. argparse exits with 2."""
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "✓" shows "?"
    with warnings.catch_warnings():
        warnings.simplefilter("always", FinMessengerAuthWarning)
        warnings.showwarning = _show_warning
        try:
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        except FinMessengerAuthError as error:
            return _print_error(error)
        except BrokenPipeError:  # the reader of the output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as error:
            return _print_error(error.strerror)
        except KeyboardInterrupt:
            return 130  # 128 plus the number of the signal, as in shells
    return status


def _print_error(message: object) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return 1


class _Parser(argparse.ArgumentParser):
    """A parser whose errors do not repeat values, which could be a secret in place of a path: CI keeps its output."""

    def error(self, message: str) -> NoReturn:
        super().error(_GIVEN.sub(lambda found: found[1] or _options(found[0]), message))


def _options(given: str) -> str:
    """Return the names of the options among arguments, without values."""
    names = re.findall(r"(?<!\S)--?[a-z][a-z-]*(?![^\s=])", given)
    return " ".join(names) or "a value without an option, which is not shown"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM, description="Make and check the two tokens that Fin Messenger needs for Salesforce Enhanced Chat."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version(PROGRAM)}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.register(commands)
    return parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    sys.stderr.write(f"{PROGRAM}: warning: {message}\n")
