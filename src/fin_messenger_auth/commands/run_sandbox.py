"""Runs a local stand-in for both platforms (``sandbox``)."""

from __future__ import annotations

import argparse

from fin_messenger_auth.diagnosis._report import print_report
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page._csp import VARIABLE
from fin_messenger_auth.sandbox import SandboxServer, sandbox_from_env

from .options import KEY_FILE, add_options, expected_from, given_keys

_LAST_PORT = 65_535


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "sandbox",
        help="a local stand-in for both platforms: would they verify your page?",
        description="Serve a stand-in for the Messenger's widget on 127.0.0.1. It verifies the tokens of the pages "
        "that load it with the keys of your configuration, and shows in the page and on its own status page which user "
        "each platform would identify. It does not know what is configured in Intercom or in Salesforce.",
    )
    parser.add_argument("--port", type=_port, default=8765, metavar="P", help="where to listen (8765)")
    parser.add_argument("--key", metavar="FILE", help=f"the uploaded key, if you lack the private key: {KEY_FILE}")
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    keys, findings = given_keys(arguments.key)
    sandbox = sandbox_from_env(prefix=arguments.prefix, given=expected_from(arguments, keys))
    if findings:
        print_report(findings)
    try:
        server = SandboxServer(sandbox, arguments.port)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on port {arguments.port}: {error.strerror}. Choose another with --port."
        ) from error
    with server:
        print(f"A stand-in for Intercom and Salesforce, on this machine only. Status page: {server.url}")
        print("While you develop, start your site with this variable. render_snippet and strict_policy read it:")
        print(f"  {VARIABLE}={server.url}widget/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LAST_PORT)) and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to {_LAST_PORT}")
    return int(text)
