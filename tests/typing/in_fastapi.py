"""An application with FastAPI, as mypy and pyright see it; it is never run."""

from __future__ import annotations

from typing import Annotated, Any, assert_type

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse

from fin_messenger_auth import MessengerUser
from fin_messenger_auth.contrib.fastapi import FinMessenger
from fin_messenger_auth.page._snippet import Snippet


async def session_user(request: Request) -> MessengerUser | None:
    user: str | None = request.session.get("user")
    return None if user is None else MessengerUser(user)


app = FastAPI()
messenger = FinMessenger(app, user=session_user, exclude=lambda request: request.url.path == "/admin")
assert_type(messenger.router, APIRouter)
FinMessenger(user=session_user).init_app(app)

Scripts = Annotated[Snippet, Depends(messenger.snippet)]
Settings = Annotated[dict[str, Any], Depends(messenger.settings)]


@app.get("/")
async def home(scripts: Scripts) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html>{scripts}")


@app.get("/settings")
async def settings(made: Settings) -> dict[str, Any]:
    return made


@app.get("/cart")
async def cart(request: Request, user: Annotated[MessengerUser | None, Depends(session_user)]) -> HTMLResponse:
    scripts = await messenger.render(request, user, page_title="Cart", extra={"items": 3}, nonce="bm9uY2U")
    assert_type(scripts, Snippet)
    await messenger.render(request, user, page_title=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await messenger.render(request, user, page_titel="Cart")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    return HTMLResponse(scripts)


@app.post("/sign-out")
async def sign_out(request: Request) -> None:
    messenger.sign_out(request)


FinMessenger(app)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
FinMessenger(user="42")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
