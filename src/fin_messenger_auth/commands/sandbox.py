"""``sandbox``: a local stand-in for both platforms."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "sandbox",
        help="a local stand-in for both platforms: would they verify your page?",
        description="Serve a stand-in for the Messenger's widget on 127.0.0.1. It verifies the tokens of the pages "
        "that load it with the keys of your configuration, and says in the page and on its own status page whom each "
        "platform would take the visitor for. It knows nothing of what is set in Intercom or in Salesforce.",
    )
    parser.add_argument("--port", type=int, default=8765, metavar="P", help="where to listen (8765)")
    parser.add_argument("--kid", metavar="K", help="the kid of the JWK in Salesforce, if not the configuration's")
    parser.add_argument("--issuer", metavar="I", help="the keyset's issuer in Salesforce, likewise")
    parser.add_argument("--audience", metavar="A", help="the audience that is expected, likewise")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from fin_messenger_auth.sandbox import SandboxServer, sandbox_from_env  # noqa: PLC0415 - a web server, for here only

    known = {name: getattr(arguments, name) for name in ("kid", "issuer", "audience")}
    with SandboxServer(sandbox_from_env(os.environ, **known), arguments.port) as server:
        print(f"A stand-in for Intercom and Salesforce, on this machine only. Status page: {server.url}")
        print("In your page, while you develop:")
        print(f'  render_snippet(settings, nonce=nonce, widget_base="{server.url}widget/")')
        print(f'  strict_policy(nonce, also={{"connect-src": ["{server.url[:-1]}"]}})', flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")
    return 0
