"""A Flask site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

pip install . flask
python examples/flask/app.py --demo      throwaway keys and a stand-in for both platforms
python examples/flask/app.py             your own keys, from the environment
"""

from __future__ import annotations

import secrets
import sys
from datetime import timedelta
from typing import NamedTuple

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request, send_file, session, url_for

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


def create_app(
    builder: TokenPairBuilder, *, sandbox: str | None = None, session_lifetime: timedelta = timedelta(hours=1)
) -> Flask:
    """Make the site.

    Args:
        builder: Made once, at start-up: a mistake in the configuration shows now and not to the first visitor.
        sandbox: The address of a stand-in for the platforms.
        session_lifetime: How long a visitor stays signed in.
    """
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)  # a real site keeps its own
    app.config.update(
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=session_lifetime,
        SESSION_REFRESH_EACH_REQUEST=False,  # renewing tokens must not keep a session alive
    )

    @app.before_request
    def start() -> None:
        g.nonce = secrets.token_urlsafe(16)
        g.user = next((each for each in PEOPLE.values() if each.id == session.get("user")), None)
        # An administrator who looks at the site as somebody else must not speak in that person's name.
        g.shown = next((each for each in PEOPLE.values() if each.id == session.get("shown_as")), g.user)
        if request.method == "POST" and not is_same_origin(request.headers, request.host):
            abort(403)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.update(NO_STORE)
        also = {"connect-src": [sandbox.rstrip("/")]} if sandbox else None
        response.headers["Content-Security-Policy"] = strict_policy(g.nonce, region=builder.region, also=also)
        return response

    def messenger_user() -> MessengerUser | None:
        if g.user is None or g.shown is not g.user:
            return None
        return MessengerUser(g.user.id, name=g.user.name)

    def page(**more: object) -> str:
        settings = builder.build_settings(messenger_user())
        return render_template(
            "page.html",
            snippet=render_snippet(
                settings, nonce=g.nonce, widget_base=f"{sandbox}widget/" if sandbox else WIDGET_BASE
            ),
            renewal=render_renewal(url_for("renewal"), url_for("fresh_settings"), nonce=g.nonce),
            people=PEOPLE,
            **more,
        )

    @app.get("/")
    def index() -> str:
        return page()

    @app.post("/sign-in")
    def sign_in() -> Response:
        person = PEOPLE.get(request.form["username"])
        if person is None or request.form["password"] != "demo":  # noqa: S105 - said so on the page
            abort(403)
        session.clear()
        session.permanent = True
        session["user"] = person.id
        return redirect(url_for("index"), 303)

    @app.post("/show-as")
    def show_as() -> Response:
        if g.user is None or not g.user.is_admin:
            abort(403)
        session["shown_as"] = PEOPLE[request.form["username"]].id
        return redirect(url_for("index"), 303)

    @app.post("/sign-out")
    def sign_out() -> Response:
        session.clear()
        response = redirect(url_for("signed_out"), 303)
        for name in cookie_names(builder.app_id):
            response.delete_cookie(name)
        return response

    @app.get("/signed-out")
    def signed_out() -> str:
        return page(sign_out=render_sign_out(builder.app_id, nonce=g.nonce))

    @app.get("/messenger/settings")
    def fresh_settings() -> tuple[Response, int] | Response:
        user = messenger_user()
        if user is None:
            return jsonify(error="Nobody is signed in."), 401
        if not is_same_origin(request.headers, request.host):
            return jsonify(error="Only pages of this site may ask."), 403
        settings = builder.build_settings(user)
        if "user_id" not in settings:
            return jsonify(error="The tokens cannot be signed at the moment."), 503
        return jsonify(settings)

    @app.get("/messenger/renewal.js")
    def renewal() -> Response:
        return send_file(renewal_module(), mimetype="text/javascript")

    return app


def main() -> None:
    """Serve the site on this machine."""
    if "--demo" in sys.argv:
        builder, sandbox = start_throwaway()
        print(f"A stand-in for both platforms: {sandbox}")
    else:
        builder, sandbox = TokenPairBuilder.from_env(on_signing_error="anonymous"), None
    create_app(builder, sandbox=sandbox).run(port=8000)


if __name__ == "__main__":
    main()
