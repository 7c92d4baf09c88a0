"""Prints the settings of one user from the environment, as JSON (``settings``)."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._json_values import read_json
from fin_messenger_auth._users import MessengerUser


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "settings",
        help="print window.intercomSettings for a user, from the environment",
        description="Print window.intercomSettings for a user as JSON. Keys and IDs come from the environment; "
        "the README lists the variables. The output holds bearer tokens: treat it like a password.",
    )
    parser.add_argument("--user", required=True, metavar="ID", help="the signed-in user's ID")
    parser.add_argument(
        "--attribute",
        action="append",
        default=[],
        type=_attribute,
        metavar="NAME=VALUE",
        help='a signed attribute; VALUE is JSON where it parses (true, 12, "12"), else a string; may be repeated',
    )
    parser.add_argument("--prefix", default="", metavar="P", help="a prefix of the names of all variables")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the settings."""
    user = MessengerUser(arguments.user, attributes=dict(arguments.attribute))
    builder = TokenPairBuilder.from_env(prefix=arguments.prefix)
    print(json.dumps(asyncio.run(builder.abuild_settings(user)), indent=2))  # any signer: some have asign only
    return 0


def _attribute(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    try:
        return name, read_json(value)
    except ValueError:
        return name, value
