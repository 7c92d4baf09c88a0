"""A FastAPI site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

pip install . fastapi uvicorn jinja2 python-multipart itsdangerous
python examples/fastapi/app.py --demo      throwaway keys and a stand-in for both platforms
python examples/fastapi/app.py             your own keys, from the environment
"""

from __future__ import annotations

import secrets
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from fin_messenger_auth import MessengerUser, TokenPairBuilder, render_snippet
from fin_messenger_auth.page import (
    NO_STORE,
    cookie_names,
    is_same_origin,
    render_renewal,
    render_sign_out,
    renewal_module,
    strict_policy,
)
from fin_messenger_auth.page.snippet import WIDGET_BASE
from fin_messenger_auth.sandbox import start_throwaway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Person(NamedTuple):
    """A row of the site's own user table."""

    id: int
    name: str
    is_admin: bool = False


# Stands for your database; everybody's password is "demo".
PEOPLE = {
    "ada": Person(42, "Ada Lovelace"),
    "grace": Person(7, "Grace Hopper"),
    "root": Person(1, "Root", is_admin=True),
}

TEMPLATES = Jinja2Templates(Path(__file__).with_name("templates"))


class Visitor(NamedTuple):
    """Who is signed in, and as whom the site is shown."""

    user: Person | None
    shown: Person | None

    @property
    def messenger_user(self) -> MessengerUser | None:
        """An administrator who looks at the site as somebody else must not speak in that person's name."""
        return MessengerUser(self.user.id, name=self.user.name) if self.user and self.user == self.shown else None


def current_visitor(request: Request) -> Visitor:
    """Read the session, and nothing else."""
    session = request.session if request.session.get("until", 0) > time.time() else {}
    people = {person.id: person for person in PEOPLE.values()}
    user = people.get(session.get("user"))
    return Visitor(user, people.get(session.get("shown_as"), user))


CurrentVisitor = Annotated[Visitor, Depends(current_visitor)]
FormField = Annotated[str, Form()]


def create_app(
    builder: TokenPairBuilder, *, sandbox: str | None = None, session_lifetime: timedelta = timedelta(hours=1)
) -> FastAPI:
    """Make the site.

    Args:
        builder: Made once, at start-up: a mistake in the configuration shows now and not to the first visitor.
        sandbox: The address of a stand-in for the platforms.
        session_lifetime: How long a visitor stays signed in.
    """
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.nonce = secrets.token_urlsafe(16)
        if request.method == "POST" and not is_same_origin(request.headers, request.url.netloc):
            response: Response = PlainTextResponse("Only pages of this site may ask.", 403)
        else:
            response = await call_next(request)
        response.headers.update(NO_STORE)
        also = {"connect-src": [sandbox.rstrip("/")]} if sandbox else None
        response.headers["Content-Security-Policy"] = strict_policy(
            request.state.nonce, region=builder.region, also=also
        )
        return response

    # A real site keeps its own key. The middleware signs the cookie anew with each answer, so the session's end
    # stands in it: renewing tokens must not keep a session alive.
    app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(32), same_site="lax")

    async def page(request: Request, visitor: Visitor, **more: object) -> HTMLResponse:
        settings, nonce = await builder.abuild_settings(visitor.messenger_user), request.state.nonce
        base = f"{sandbox}widget/" if sandbox else WIDGET_BASE
        renewal = render_renewal("/messenger/renewal.js", "/messenger/settings", nonce=nonce)
        snippet = render_snippet(settings, nonce=nonce, widget_base=base)
        context = {"visitor": visitor, "people": PEOPLE, "snippet": snippet, "renewal": renewal, **more}
        return TEMPLATES.TemplateResponse(request, "page.html", context)

    @app.get("/")
    async def index(request: Request, visitor: CurrentVisitor) -> HTMLResponse:
        return await page(request, visitor)

    @app.post("/sign-in")
    async def sign_in(request: Request, username: FormField, password: FormField) -> RedirectResponse:
        person = PEOPLE.get(username)
        if person is None or password != "demo":  # noqa: S105 - said so on the page
            raise HTTPException(403)
        request.session.clear()
        request.session.update(user=person.id, until=time.time() + session_lifetime.total_seconds())
        return RedirectResponse("/", 303)

    @app.post("/show-as")
    async def show_as(request: Request, visitor: CurrentVisitor, username: FormField) -> RedirectResponse:
        if visitor.user is None or not visitor.user.is_admin:
            raise HTTPException(403)
        request.session["shown_as"] = PEOPLE[username].id
        return RedirectResponse("/", 303)

    @app.post("/sign-out")
    async def sign_out(request: Request) -> RedirectResponse:
        request.session.clear()
        response = RedirectResponse("/signed-out", 303)
        for name in cookie_names(builder.app_id):
            response.delete_cookie(name)
        return response

    @app.get("/signed-out")
    async def signed_out(request: Request, visitor: CurrentVisitor) -> HTMLResponse:
        return await page(request, visitor, sign_out=render_sign_out(builder.app_id, nonce=request.state.nonce))

    @app.get("/messenger/settings")
    async def fresh_settings(request: Request, visitor: CurrentVisitor) -> JSONResponse:
        if visitor.messenger_user is None:
            raise HTTPException(401, "Nobody is signed in.")
        if not is_same_origin(request.headers, request.url.netloc):
            raise HTTPException(403, "Only pages of this site may ask.")
        settings = await builder.abuild_settings(visitor.messenger_user)
        if "user_id" not in settings:
            raise HTTPException(503, "The tokens cannot be signed at the moment.")
        return JSONResponse(settings)

    @app.get("/messenger/renewal.js")
    async def renewal() -> FileResponse:
        return FileResponse(renewal_module(), media_type="text/javascript")

    return app


def main() -> None:
    """Serve the site on this machine."""
    if "--demo" in sys.argv:
        builder, sandbox = start_throwaway()
        print(f"A stand-in for both platforms: {sandbox}")
    else:
        builder, sandbox = TokenPairBuilder.from_env(on_signing_error="anonymous"), None
    uvicorn.run(create_app(builder, sandbox=sandbox), port=8000)


if __name__ == "__main__":
    main()
