"""Real extensions of FastAPI beside the Messenger, in one application."""

import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest

for package in ("fastapi_cache", "fastapi_users", "slowapi", "sqladmin"):
    pytest.importorskip(package, reason="the session `frameworks` installs it")

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from fastapi_users import BaseUserManager, FastAPIUsers, IntegerIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTable, SQLAlchemyUserDatabase
from slowapi import Limiter
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from sqladmin import Admin
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware

from fin_messenger_auth.contrib.fastapi import FinMessenger
from fin_messenger_auth.page._snippet import Snippet
from fin_messenger_auth.testing import settings_in, throwaway_builder
from tests.pages import must_be_private

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer releases of Starlette prefer another client
    from starlette.testclient import TestClient

pytestmark = pytest.mark.filterwarnings("ignore")  # of the extensions, about each other and about Python

SIGN_OUT_SCRIPT = '})().leave("'
SECRET = "for tests, but long enough for HS256"


class Base(DeclarativeBase): ...


class User(SQLAlchemyBaseUserTable[int], Base):
    id: Mapped[int] = mapped_column(primary_key=True)


class Manager(IntegerIDMixin, BaseUserManager[User, int]):
    reset_password_token_secret = verification_token_secret = SECRET


class Created(schemas.BaseUserCreate): ...


def create_app(url: str) -> FastAPI:
    """Make the site, with the Messenger added between the others."""
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        FastAPICache.reset()
        FastAPICache.init(InMemoryBackend())
        yield
        await engine.dispose()

    async def manager() -> AsyncIterator[Manager]:
        async with sessions() as session:
            yield Manager(SQLAlchemyUserDatabase(session, User))

    backend = AuthenticationBackend(
        name="cookie",
        transport=CookieTransport(cookie_secure=False),
        get_strategy=lambda: JWTStrategy(SECRET, lifetime_seconds=60),
    )
    users = FastAPIUsers[User, int](manager, [backend])
    app = FastAPI(lifespan=lifespan)
    app.add_middleware(GZipMiddleware, minimum_size=100)
    messenger = FinMessenger(app, user=users.current_user(optional=True), builder=throwaway_builder())
    app.add_middleware(SessionMiddleware, secret_key=SECRET)
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["1000/minute"])
    app.add_middleware(SlowAPIMiddleware)
    Admin(app, engine)

    def ends_the_messenger(request: Request) -> None:
        if request.url.path.endswith("/logout"):
            messenger.sign_out(request)

    app.include_router(users.get_auth_router(backend), prefix="/auth", dependencies=[Depends(ends_the_messenger)])
    app.include_router(users.get_register_router(schemas.BaseUser[int], Created), prefix="/auth")

    @app.get("/")
    async def home(scripts: Annotated[Snippet, Depends(messenger.snippet)]) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>Shop</title>{scripts}")

    @app.get("/cached", response_class=HTMLResponse)
    @cache(expire=60)
    async def cached(scripts: Annotated[Snippet, Depends(messenger.snippet)]) -> str:
        return f"<!doctype html><title>Shop</title>{scripts}"

    @app.get("/streamed")
    async def streamed(scripts: Annotated[Snippet, Depends(messenger.snippet)]) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "<!doctype html><title>Shop</title>"
            yield str(scripts)

        return StreamingResponse(parts(), media_type="text/html")

    return app


@pytest.fixture
def client(tmp_path: Any) -> Iterator[TestClient]:
    with TestClient(create_app(f"sqlite+aiosqlite:///{tmp_path}/db")) as client:
        yield client


def test_from_sign_in_to_the_next_user(client: TestClient) -> None:
    assert client.get("/messenger/renewal.js").status_code == 200
    assert client.get("/messenger/settings").status_code == 401
    ids = {}
    for name in ("ada", "grace"):
        account = {"email": f"{name}@example.com", "password": "demo-demo"}
        ids[name] = str(client.post("/auth/register", json=account).json()["id"])
        answer = client.post("/auth/login", data={"username": account["email"], "password": account["password"]})
        assert answer.status_code == 204
        for path in ("/", "/cached", "/streamed") * 2:
            page = client.get(path)
            assert settings_in(page.text)["user_id"] == ids[name], path
            must_be_private(page)
        assert client.get("/messenger/settings").json()["user_id"] == ids[name]
        gone = client.post("/auth/logout")
        assert any(each.startswith("intercom-session-throwaway=;") for each in gone.headers.get_list("Set-Cookie"))
        assert SIGN_OUT_SCRIPT in client.get("/").text
        for path in ("/", "/cached", "/streamed"):
            assert "eyJ" not in client.get(path).text
        assert client.get("/messenger/settings").status_code == 401
    assert len(set(ids.values())) == 2


def test_the_others_work_beside_it(client: TestClient) -> None:
    assert client.get("/admin/").status_code == 200
    page = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert ").boot(" in page.text


def test_a_key_of_your_own_that_leaves_out_the_user_hands_tokens_on() -> None:
    """What the guide warns of: no integration sees that a decorator in the application keeps a function's result."""
    app, users = FastAPI(), iter(["1", "2"])
    messenger = FinMessenger(app, user=lambda: next(users), builder=throwaway_builder())
    FastAPICache.reset()
    FastAPICache.init(InMemoryBackend())

    @app.get("/", response_class=HTMLResponse)
    @cache(expire=60, key_builder=lambda *_args, **_options: "home")
    async def home(scripts: Annotated[Snippet, Depends(messenger.snippet)]) -> str:
        return str(scripts)

    client = TestClient(app)
    assert [settings_in(client.get("/").text)["user_id"] for _ in range(2)] == ["1", "1"]
