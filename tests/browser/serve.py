"""Serve one of the examples, with a sandbox that knows its keys, in a process of its own: Django allows one site.

Prints the two addresses as JSON, then serves until it is ended.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import threading
import warnings
from argparse import ArgumentParser
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, NoReturn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from fin_messenger_auth import IntercomMinter, SalesforceMinter, TokenPairBuilder
from fin_messenger_auth.errors import FinMessengerAuthWarning
from fin_messenger_auth.sandbox import SandboxServer, throwaway_sandbox
from fin_messenger_auth.testing import throwaway_builder

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"


class BrokenSigner:
    """A signer whose key management service is down, and says too much about it."""

    alg = "HS256"
    kid = None

    def sign(self, _signing_input: bytes, /) -> NoReturn:
        raise RuntimeError("hush-hush")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None: ...


def make_builder(lifetime: timedelta, *, broken: bool, slash: bool) -> TokenPairBuilder:
    builder = throwaway_builder()
    assert builder.salesforce is not None
    salesforce = builder.salesforce
    issuer = f"{salesforce.issuer}/" if slash else salesforce.issuer
    return replace(
        builder,
        intercom=IntercomMinter(BrokenSigner() if broken else builder.intercom.signer, lifetime=lifetime),
        salesforce=SalesforceMinter(salesforce.signer, issuer=issuer, audience=salesforce.audience, lifetime=lifetime),
        on_signing_error="anonymous",
    )


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example"] = module
    spec.loader.exec_module(module)
    return module


def announce(url: str, sandbox: str) -> None:
    sys.stdout.write(json.dumps([url, sandbox]) + "\n")
    sys.stdout.flush()


def serve_wsgi(application: Any, sandbox: str) -> None:
    with make_server("127.0.0.1", 0, application, _Server, _Quiet) as server:
        announce(f"http://127.0.0.1:{server.server_port}/", sandbox)
        server.serve_forever()


def serve_asgi(application: Any, sandbox: str) -> None:
    import socket

    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        announce(f"http://127.0.0.1:{listener.getsockname()[1]}/", sandbox)
        uvicorn.Server(uvicorn.Config(application, log_level="error")).run(sockets=[listener])


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("example")
    parser.add_argument("--lifetime", type=int, default=3600)
    parser.add_argument("--broken", action="store_true", help="the signer fails")
    parser.add_argument("--slash", action="store_true", help="the issuer has a slash too many")
    parser.add_argument(
        "--demo", action="store_true", help="the page itself loads the stand-in, as with the example's --demo"
    )
    parser.add_argument("--scripts", type=Path, help="where the bundles of the single-page application are")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    warnings.simplefilter("ignore", FinMessengerAuthWarning)
    sandbox = SandboxServer(throwaway_sandbox(), 0)
    threading.Thread(target=sandbox.serve_forever, daemon=True).start()
    builder = make_builder(timedelta(seconds=arguments.lifetime), broken=arguments.broken, slash=arguments.slash)
    if arguments.demo:
        os.environ["FIN_MESSENGER_WIDGET_BASE"] = f"{sandbox.url}widget/"
    bundles = {"scripts": arguments.scripts} if arguments.scripts else {}
    application = load(arguments.example).create_app(builder, **bundles)
    (serve_wsgi if arguments.example in ("flask", "django") else serve_asgi)(application, sandbox.url)


if __name__ == "__main__":
    main()
