"""A Flask site with the Messenger: sign-in, a page under a strict policy, fresh settings, sign-out.

pip install . flask
python examples/flask/app.py --demo      (throwaway keys and a stand-in for both platforms; without it, your keys)
"""

import os
import secrets
import sys

from flask import Flask, abort, g, redirect, render_template, request, session

from fin_messenger_auth import MessengerUser
from fin_messenger_auth.contrib.flask import FinMessenger
from fin_messenger_auth.page import NO_STORE, is_same_origin, strict_policy
from fin_messenger_auth.sandbox import start_throwaway

# Stands for your database; everybody's password is "demo".
PEOPLE = {
    "ada": {"id": 42, "name": "Ada Lovelace"},
    "grace": {"id": 7, "name": "Grace Hopper"},
    "root": {"id": 1, "name": "Root", "is_admin": True},
}


def messenger_user():
    """Say for whom tokens may be made: the session's user, and nobody whom an administrator looks at."""
    return MessengerUser(g.user["id"], name=g.user["name"]) if g.user and g.user is g.shown else None


def create_app(builder=None):
    """Make the site, with the builder from the environment if none is given."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_SAMESITE="Lax")  # a real site keeps its own
    messenger = FinMessenger(app, user=messenger_user, builder=builder)

    @app.before_request
    def start():
        g.csp_nonce = secrets.token_urlsafe(16)
        g.user = PEOPLE.get(session.get("user"), {})
        g.shown = PEOPLE.get(session.get("shown_as"), g.user)
        if request.method == "POST" and not is_same_origin(request.headers, request.host):
            abort(403)

    @app.after_request
    def protect(response):
        response.headers.update({**NO_STORE, "Content-Security-Policy": strict_policy(g.csp_nonce)})
        return response

    @app.get("/")
    def index():
        return render_template("page.html", people=PEOPLE)

    @app.post("/sign-in")
    def sign_in():
        if request.form["username"] not in PEOPLE or request.form["password"] != "demo":  # noqa: S105
            abort(403)
        session["user"] = request.form["username"]
        return redirect("/", 303)

    @app.post("/show-as")
    def show_as():
        session["shown_as"] = request.form["username"] if "is_admin" in g.user else abort(403)
        return redirect("/", 303)

    @app.post("/sign-out")
    def sign_out():
        session.clear()
        messenger.sign_out()
        return redirect("/", 303)

    return app


if __name__ == "__main__":
    demo, sandbox = start_throwaway() if "--demo" in sys.argv else (None, "")
    os.environ["FIN_MESSENGER_WIDGET_BASE"] = sandbox and f"{sandbox}widget/"
    create_app(demo).run(port=8000)
