"""Projects of three frameworks, written as the documentation says and served by each framework's own start command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

from fin_messenger_auth.testing import throwaway_environ
from tests import django_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = """<!doctype html><html><head><title>Shop</title><link rel="icon" href="data:,"></head><body>
<p id="user">{{ name or "nobody" }}</p>
<form method="post" action="/sign-in"><input name="username"><input name="password" type="password">
<button id="sign-in">Sign in</button></form>
<form method="post" action="/sign-out"><button id="sign-out">Sign out</button></form>
"""

FLASK = """
import secrets

from fin_messenger_auth.contrib.flask import FinMessenger
from fin_messenger_auth.page import strict_policy
from flask import Flask, abort, g, redirect, render_template, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

messenger = FinMessenger()
login_manager = LoginManager()


class Person(UserMixin):
    def __init__(self, name):
        self.name = self.id = name


@login_manager.user_loader
def load(name):
    return Person(name)


def create_app():
    app = Flask(__name__)
    app.secret_key = "for-tests-only"
    messenger.init_app(app)
    login_manager.init_app(app)

    @app.before_request
    def nonce():
        g.csp_nonce = secrets.token_urlsafe(16)

    @app.after_request
    def policy(response):
        response.headers["Content-Security-Policy"] = strict_policy(g.csp_nonce)
        return response

    @app.get("/")
    def home():
        return render_template("home.html", name=getattr(current_user, "name", None))

    @app.get("/plain")
    def plain():
        return "Nothing personal."

    @app.post("/sign-in")
    def sign_in():
        if request.form["password"] != "demo":
            abort(403)
        login_user(Person(request.form["username"]), remember=True)
        return redirect("/")

    @app.post("/sign-out")
    def sign_out():
        logout_user()
        return redirect("/")

    return app
"""

FASTAPI = """
import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from fin_messenger_auth.contrib.fastapi import FinMessenger
from fin_messenger_auth.page import strict_policy
from starlette.middleware.sessions import SessionMiddleware

templates = Jinja2Templates("templates")


def session_user(request: Request):
    return request.session.get("user")


app = FastAPI()
messenger = FinMessenger(app, user=session_user)


@app.middleware("http")
async def policy(request, call_next):
    request.state.csp_nonce = secrets.token_urlsafe(16)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = strict_policy(request.state.csp_nonce)
    return response


app.add_middleware(SessionMiddleware, secret_key="for-tests-only")


@app.get("/")
async def home(request: Request, scripts: Annotated[str, Depends(messenger.snippet)]):
    return templates.TemplateResponse(request, "home.html", {"name": session_user(request), "scripts": scripts})


@app.get("/plain")
async def plain():
    return "Nothing personal."


@app.post("/sign-in")
async def sign_in(request: Request, username: Annotated[str, Form()], password: Annotated[str, Form()]):
    if password != "demo":
        raise HTTPException(403)
    request.session["user"] = username
    return RedirectResponse("/", 303)


@app.post("/sign-out")
async def sign_out(request: Request):
    request.session.clear()
    messenger.sign_out(request)
    return RedirectResponse("/", 303)
"""

COMMANDS = {
    "django runserver": "manage.py runserver --noreload {port}",
    "flask run": "-m flask --app shop run --port {port}",
    "fastapi run": "-m fastapi run main.py --host 127.0.0.1 --port {port}",
    "fastapi dev": "-m fastapi dev main.py --port {port}",
    "uvicorn": "-m uvicorn main:app --port {port}",
}
"""How each is started, as arguments of Python."""


class Project(NamedTuple):
    """A project, and the IDs of its users."""

    directory: Path
    ada: str = "ada"
    grace: str = "grace"


def make(framework: str, directory: Path) -> Project:
    """Write a project: of Django by its own command, of the others in a file and a template, as people do."""
    if framework == "django":
        return Project(django_project.make(directory), django_project.ADA, django_project.GRACE)
    name, source, scripts = {
        "flask": ("shop.py", FLASK, "{{ fin_messenger() }}"),
        "fastapi": ("main.py", FASTAPI, "{{ scripts }}"),
    }[framework]
    (directory / name).write_text(source)
    (directory / "templates").mkdir()
    (directory / "templates" / "home.html").write_text(f"{PAGE}{scripts}\n</body></html>\n")
    return Project(directory)


def framework_of(command: str) -> str:
    """Return the framework that a command belongs to."""
    return {"uvicorn": "fastapi"}.get(command, command.split(maxsplit=1)[0])


@contextmanager
def started(directory: Path, command: str, **environ: str) -> Iterator[str]:
    """Start a project by a command, and yield its address."""
    port = free_port()
    arguments = COMMANDS[command].format(port=port).split()
    settings = {**os.environ, **django_project.SOURCE, **throwaway_environ(), **environ, "PYTHONUNBUFFERED": "1"}
    with running([sys.executable, *arguments], f"http://127.0.0.1:{port}/", directory, settings) as url:
        yield url


@contextmanager
def running(command: list[str], url: str, directory: Path, environ: dict[str, str] | None = None) -> Iterator[str]:
    """Run a server until it responds at ``url``; end it, and what it started, afterwards."""
    log = directory / f"{re.sub('[^0-9]', '', url)}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=directory, env=environ, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            for _ in range(600):
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def sign_in(client: httpx.Client, name: str) -> None:
    """Sign in, with Django's own token against forgery where there is one."""
    assert post(client, "sign-in", username=name, password="demo").is_redirect


def post(client: httpx.Client, path: str, **data: str) -> httpx.Response:
    """Send a form."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("").text)
    return client.post(path, data={**data, "csrfmiddlewaretoken": token[1] if token else ""})
