"""A FastAPI site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

pip install . fastapi uvicorn jinja2 python-multipart itsdangerous
python examples/fastapi/app.py --demo      (throwaway keys and a stand-in for both platforms; without it, your keys)
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from fin_messenger_auth import MessengerUser
from fin_messenger_auth.contrib.fastapi import FinMessenger
from fin_messenger_auth.page import NO_STORE, is_same_origin, strict_policy
from fin_messenger_auth.page._snippet import Snippet
from fin_messenger_auth.sandbox import start_throwaway

# Stands for your database; everybody's password is "demo".
PEOPLE = {
    "ada": {"id": 42, "name": "Ada Lovelace"},
    "grace": {"id": 7, "name": "Grace Hopper"},
    "root": {"id": 1, "name": "Root", "is_admin": True},
}
TEMPLATES = Jinja2Templates(Path(__file__).with_name("templates"))
FormField = Annotated[str, Form()]


def session_user(request: Request):
    """Say for whom tokens may be made: the session's user, and nobody whom an administrator looks at."""
    user = PEOPLE.get(request.session.get("user"))
    return MessengerUser(user["id"], name=user["name"]) if user and "shown_as" not in request.session else None


def create_app(builder=None):
    """Make the site, with the builder from the environment if none is given."""
    app = FastAPI(openapi_url=None)
    messenger = FinMessenger(app, user=session_user, builder=builder)

    @app.middleware("http")
    async def protect(request: Request, call_next):
        nonce = request.state.csp_nonce = secrets.token_urlsafe(16)
        foreign = request.method == "POST" and not is_same_origin(request.headers, request.url.netloc)
        response = PlainTextResponse("Only pages of this site may ask.", 403) if foreign else await call_next(request)
        response.headers.update({**NO_STORE, "Content-Security-Policy": strict_policy(nonce)})
        return response

    app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(32))  # a real site keeps its own

    @app.get("/")
    async def index(request: Request, scripts: Annotated[Snippet, Depends(messenger.snippet)]):
        user = PEOPLE.get(request.session.get("user"), {})
        shown = PEOPLE.get(request.session.get("shown_as"), user)
        context = {"user": user, "shown": shown, "people": PEOPLE, "scripts": scripts}
        return TEMPLATES.TemplateResponse(request, "page.html", context)

    @app.post("/sign-in")
    async def sign_in(request: Request, username: FormField, password: FormField):
        if username not in PEOPLE or password != "demo":  # noqa: S105 - said so on the page
            raise HTTPException(403)
        request.session["user"] = username
        return RedirectResponse("/", 303)

    @app.post("/show-as")
    async def show_as(request: Request, username: FormField):
        if "is_admin" not in PEOPLE.get(request.session.get("user"), {}):
            raise HTTPException(403)
        request.session["shown_as"] = username
        return RedirectResponse("/", 303)

    @app.post("/sign-out")
    async def sign_out(request: Request):
        request.session.clear()
        messenger.sign_out(request)
        return RedirectResponse("/", 303)

    return app


if __name__ == "__main__":
    demo, sandbox = start_throwaway() if "--demo" in sys.argv else (None, "")
    os.environ["FIN_MESSENGER_WIDGET_BASE"] = sandbox and f"{sandbox}widget/"
    uvicorn.run(create_app(demo), port=8000)
