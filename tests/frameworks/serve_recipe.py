"""Serve one of the recipes on this machine; prints its address."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
SESSIONS = {"adas-session": 42}

# How each framework reads a cookie.
COOKIES: dict[str, Callable[[Any], str | None]] = {
    "bottle": lambda request: request.get_cookie("session"),
    "tornado": lambda handler: handler.get_cookie("session"),
}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None: ...


def _from_mapping(request: Any) -> str | None:
    found: str | None = request.cookies.get("session")
    return found


def user_id_of(name: str) -> Any:
    cookie = COOKIES.get(name, _from_mapping)
    return lambda request: SESSIONS.get(cookie(request) or "")


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location("recipe", RECIPES / f"{name}_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Pyramid looks it up
    spec.loader.exec_module(module)
    return module.make_app(user_id_of(name))


def main() -> None:
    name = sys.argv[1]
    application = load(name)
    if name in {"pyramid", "falcon", "bottle"}:
        server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)
        announce(server.server_port)
        server.serve_forever()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(name != "tornado")
    announce(listener.getsockname()[1])
    if name == "aiohttp":
        from aiohttp import web

        web.run_app(application, sock=listener, print=None)
    elif name == "tornado":
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop

        HTTPServer(application).add_sockets([listener])
        IOLoop.current().start()
    else:
        import uvicorn

        uvicorn.Server(uvicorn.Config(application, log_level="error")).run(sockets=[listener])


def announce(port: int) -> None:
    sys.stdout.write(f"http://127.0.0.1:{port}/\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
