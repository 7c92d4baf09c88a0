"""A single-page application with two workspaces, by host name; Fin makes the second token of one of them.

pip install . fastapi uvicorn itsdangerous
(cd examples/single_page/front_end && npm install && npm run build)
python examples/single_page/app.py --demo  (throwaway keys and a stand-in for both platforms; without it, your keys)

http://shop.localhost:8000/ is one workspace, http://desk.localhost:8000/ the other, /npm on either has the
front end beside the npm package of the Messenger, and /react has it in React.
"""

import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.sessions import SessionMiddleware

from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth.page import NO_STORE, asettings_response, is_same_origin, strict_policy
from fin_messenger_auth.sandbox import start_throwaway

FRONT_END = Path(__file__).with_name("front_end")
BUNDLES = {"npm": "beside_npm.js", "react": "in_react.js"}
PEOPLE = {"ada": "42", "grace": "7"}  # stands for your database; everybody's password is "demo"


def workspaces(builder=None):
    """Return a builder for each host, made at start-up: from SHOP_INTERCOM_APP_ID, DESK_INTERCOM_APP_ID and so on."""
    if builder:
        return {"shop.localhost": builder, "desk.localhost": replace(builder, app_id="desk", salesforce=None)}
    return {f"{name}.localhost": TokenPairBuilder.from_env(prefix=f"{name.upper()}_") for name in ("shop", "desk")}


def create_app(builder=None, scripts=FRONT_END / "dist"):
    """Make the site; ``scripts`` is where the bundles are."""
    app = FastAPI(openapi_url=None)
    key = secrets.token_hex(32)  # a real site keeps its own
    # The session ends with the browser, so the requests of an open page cannot prolong it.
    app.add_middleware(SessionMiddleware, secret_key=key, same_site="lax", max_age=None)
    app.mount("/scripts", StaticFiles(directory=scripts))
    builders = workspaces(builder)
    page = (FRONT_END / "index.html").read_text("utf-8")
    widget_base = os.environ.get("FIN_MESSENGER_WIDGET_BASE") or "https://widget.intercom.io/widget/"

    @app.get("/messenger/settings")
    async def settings(request: Request):
        if request.url.hostname not in builders:
            raise HTTPException(404)
        user, host = request.session.get("user"), request.headers["host"]
        made = await asettings_response(builders[request.url.hostname], user, request.headers, host)
        return JSONResponse(made.body, made.status, made.headers)

    @app.get("/session")
    async def session(request: Request):
        return JSONResponse({"user": request.session.get("user")}, headers=dict(NO_STORE))

    @app.post("/session")
    async def sign_in(request: Request):
        form = await request.json()
        is_foreign = not is_same_origin(request.headers, request.headers["host"])
        if is_foreign or form.get("name") not in PEOPLE or form.get("password") != "demo":
            raise HTTPException(403)
        request.session["user"] = PEOPLE[form["name"]]

    @app.delete("/session")
    async def sign_out(request: Request):
        if not is_same_origin(request.headers, request.headers["host"]):
            raise HTTPException(403)
        request.session.clear()

    @app.get("/{path:path}")
    async def index(path: str):
        nonce = secrets.token_urlsafe(16)
        values = {
            "NONCE": nonce,
            "BUNDLE": BUNDLES.get(path, "module_alone.js"),
            "WIDGET_BASE": widget_base,
        }
        markup = page
        for name, value in values.items():
            markup = markup.replace(f"[[{name}]]", value)
        return HTMLResponse(markup, headers={**NO_STORE, "Content-Security-Policy": strict_policy(nonce)})

    return app


if __name__ == "__main__":
    demo, sandbox = start_throwaway() if "--demo" in sys.argv else (None, "")
    os.environ["FIN_MESSENGER_WIDGET_BASE"] = sandbox and f"{sandbox}widget/"
    uvicorn.run(create_app(demo), port=8000)
