"""The recipes under real session libraries: fresh settings extend no session, neither its cookie nor its record."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest

from fin_messenger_auth.testing import throwaway_environ

for package in ("aiohttp_session", "beaker", "litestar", "pyramid", "quart"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package, reason="the session `frameworks` installs it")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks, about Python and about each other
RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
PATH = "/messenger/settings"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in throwaway_environ().items():
        monkeypatch.setenv(name, value)


def recipe(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_recipe", RECIPES / f"{name}_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Pyramid and Litestar look it up
    spec.loader.exec_module(module)
    return module


def must_not_extend(sign_in: httpx.Response, plain: httpx.Response | None, fresh: httpx.Response) -> None:
    """The sign-in sets the session's cookie, and perhaps every page does; the endpoint does not."""
    assert "Set-Cookie" in sign_in.headers
    assert plain is None or "Set-Cookie" in plain.headers
    assert (fresh.status_code, fresh.json()["user_id"]) == (200, "42")
    assert "Set-Cookie" not in fresh.headers


async def ask(app: Any, *paths: str) -> list[httpx.Response]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
        return [await client.get(path) for path in paths]


def test_starlette() -> None:
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.responses import PlainTextResponse

    def sign_in(request: Any) -> PlainTextResponse:
        request.session["user"] = "42"
        return PlainTextResponse("")

    app = recipe("starlette").make_app(lambda request: request.session.get("user"))
    app.add_route("/in", sign_in)
    app.add_middleware(SessionMiddleware, secret_key="for tests")
    signed_in, fresh = asyncio.run(ask(app, "/in", PATH))
    must_not_extend(signed_in, None, fresh)


@pytest.mark.parametrize("kind", ["server", "client"])
def test_litestar(kind: str) -> None:
    from litestar import Litestar, Request, get
    from litestar.middleware.session.client_side import CookieBackendConfig
    from litestar.middleware.session.server_side import ServerSideSessionConfig
    from litestar.stores.memory import MemoryStore

    class Store(MemoryStore):
        async def set(self, *arguments: Any, **options: Any) -> None:
            saved.append(arguments)
            await super().set(*arguments, **options)

    @get("/in")
    async def sign_in(request: Request[Any, Any, Any]) -> None:
        request.set_session({"user": "42"})

    @get("/plain")
    async def plain() -> None: ...

    saved: list[Any] = []
    config: Any = ServerSideSessionConfig() if kind == "server" else CookieBackendConfig(secret=b"x" * 16)
    made = recipe("litestar").make_app(lambda request: request.session.get("user"))
    handlers = [each for route in made.routes for each in route.route_handlers if "GET" in each.http_methods]
    app = Litestar(
        [*handlers, sign_in, plain],
        middleware=[config.middleware],
        stores={"sessions": Store()},
        signature_types=[Request],
        openapi_config=None,
    )
    signed_in, page, fresh = asyncio.run(ask(app, "/in", "/plain", PATH))
    must_not_extend(signed_in, page, fresh)
    assert len(saved) == (2 if kind == "server" else 0)


def test_quart() -> None:
    from quart import session

    app = recipe("quart").make_app(lambda _request: session.get("user"))
    app.secret_key = "for tests"

    @app.get("/in")
    async def sign_in() -> str:
        session.permanent, session["user"] = True, "42"
        return ""

    @app.get("/plain")
    async def plain() -> str:
        return ""

    must_not_extend(*asyncio.run(ask(app, "/in", "/plain", PATH)))


def test_pyramid() -> None:
    from pyramid.config import Configurator
    from pyramid.response import Response
    from pyramid.session import SignedCookieSessionFactory

    def sign_in(request: Any) -> Response:
        request.session["user"] = "42"
        return Response("")

    def plain(request: Any) -> Response:
        return Response(request.session.get("user"))

    class With(Configurator):
        def make_wsgi_app(self) -> Any:
            self.set_session_factory(SignedCookieSessionFactory("for tests", reissue_time=-1))  # at every reading
            for view in (sign_in, plain):
                self.add_route(view.__name__, f"/{view.__name__}")
                self.add_view(view, route_name=view.__name__)
            return super().make_wsgi_app()

    module = recipe("pyramid")
    module.Configurator = With
    app = module.make_app(lambda request: request.session.get("user"))
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://shop.example") as client:
        must_not_extend(*[client.get(path) for path in ("/sign_in", "/plain", PATH)])


def test_aiohttp() -> None:
    from aiohttp import CookieJar, web
    from aiohttp.test_utils import TestClient, TestServer
    from aiohttp_session import get_session, setup
    from aiohttp_session.cookie_storage import EncryptedCookieStorage

    @web.middleware
    async def read(request: web.Request, handler: Any) -> Any:
        request["user"] = (await get_session(request)).get("user")
        return await handler(request)

    async def sign_in(request: web.Request) -> web.Response:
        (await get_session(request))["user"] = "42"
        return web.Response()

    async def flow() -> list[Any]:
        app = recipe("aiohttp").make_app(lambda request: request["user"])
        setup(app, EncryptedCookieStorage(b"x" * 32, max_age=60))
        app.middlewares.append(read)
        app.router.add_get("/in", sign_in)
        async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
            return [(await client.get(path)).headers for path in ("/in", PATH)]

    signed_in, fresh = asyncio.run(flow())
    assert "Set-Cookie" in signed_in
    assert "Set-Cookie" not in fresh


@pytest.mark.parametrize("name", ["bottle", "falcon"])
def test_beaker(name: str, tmp_path: Path) -> None:
    from beaker.middleware import SessionMiddleware

    def environ_of(request: Any) -> Any:
        return request.environ if name == "bottle" else request.env

    inner = recipe(name).make_app(lambda request: environ_of(request)["beaker.session"].get("user"))

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == PATH:
            return inner(environ, start_response)
        session = environ["beaker.session"]
        if environ["PATH_INFO"] == "/in":
            session["user"] = "42"
            session.save()
        times.append(session.last_accessed)
        start_response("200 OK", [])
        return [b""]

    times: list[Any] = []
    options = {"session.type": "file", "session.data_dir": str(tmp_path), "session.save_accessed_time": False}
    wrapped = SessionMiddleware(app, options)
    with httpx.Client(transport=httpx.WSGITransport(wrapped), base_url="http://shop.example") as client:
        must_not_extend(client.get("/in"), None, client.get(PATH))
        files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        client.get(PATH)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
