"""Real extensions of Flask beside the Messenger: alone, and all that go together in one factory with blueprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

for package in ("flasgger", "flask_admin", "flask_security"):
    pytest.importorskip(package, reason="the session `frameworks` installs it")

import flask
from flasgger import Swagger
from flask_admin import Admin
from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, login_user, logout_user
from flask_seasurf import SeaSurf
from flask_security import RoleMixin, Security, SQLAlchemyUserDatastore
from flask_security import UserMixin as SecurityUser
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import relationship

from fin_messenger_auth.contrib.flask import FinMessenger
from fin_messenger_auth.page import csp_sources
from fin_messenger_auth.testing import settings_in, throwaway_builder
from tests.pages import must_be_private

pytestmark = pytest.mark.filterwarnings("ignore")  # of the extensions, about each other and about Python

PAGE = "<!doctype html><title>Shop</title><body>{{ '<p>filler</p>' * 50 }}{{ fin_messenger(page_title='Shop') }}</body>"
SIGN_OUT_SCRIPT = '})().leave("'
HTTPS = "https://shop.example"


class Person(UserMixin):
    def __init__(self, name: str) -> None:
        self.id = name


def cached(app: flask.Flask) -> Cache:
    return Cache(app, config={"CACHE_TYPE": "SimpleCache"})


def with_sessions_in_a_store(app: flask.Flask) -> None:
    from cachelib import SimpleCache

    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(), SESSION_PERMANENT=True)
    Session(app)


def with_documentation(app: flask.Flask) -> None:
    Swagger(app)


EXTENSIONS: dict[str, Callable[[flask.Flask], Any]] = {
    "flask-wtf": CSRFProtect,
    "flask-limiter": lambda app: Limiter(get_remote_address, app=app, default_limits=["1000 per minute"]),
    "flask-seasurf": SeaSurf,
    "flask-talisman": lambda app: Talisman(
        app,
        content_security_policy={**csp_sources("us"), "script-src": "'strict-dynamic'"},
        content_security_policy_nonce_in=["script-src"],
    ),
    "flask-caching": cached,
    "flask-session": with_sessions_in_a_store,
    "flask-compress": Compress,
    "flask-admin": Admin,
    "flasgger": with_documentation,
}


def create_app(extensions: list[str], *, first: bool = False) -> flask.Flask:
    """Make a site in a factory, with blueprints; ``first``: the Messenger comes before the extensions."""
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY="for tests", PERMANENT_SESSION_LIFETIME=60)
    messenger, shop = FinMessenger(builder=throwaway_builder()), flask.Blueprint("shop", __name__)
    if first:
        messenger.init_app(app)
    made = {name: EXTENSIONS[name](app) for name in extensions}
    cache = made.get("flask-caching") or Cache(app, config={"CACHE_TYPE": "NullCache"})
    LoginManager(app).user_loader(Person)
    if not first:
        messenger.init_app(app)

    @shop.get("/")
    def home() -> str:
        """A page.
        ---
        responses: {200: {description: A page}}
        """
        return flask.render_template_string(PAGE)

    @shop.get("/cached")
    @cache.cached(timeout=60)
    def cached_view() -> str:
        return flask.render_template_string(PAGE)

    @shop.get("/memoized")
    def memoized_view() -> str:
        return part()

    @cache.memoize(60)
    def part() -> str:
        return flask.render_template_string(PAGE)

    @shop.get("/in/<name>")
    def sign_in(name: str) -> str:
        flask.session.permanent = True
        login_user(Person(name))
        return ""

    @shop.get("/out")
    def sign_out() -> str:
        logout_user()
        return ""

    app.register_blueprint(shop)
    return app


def visit(app: flask.Flask, *paths: str) -> None:
    """Sign in, look at pages, endpoint and script, sign out; then the next user."""
    client = app.test_client()

    def get(path: str, **headers: str) -> Any:
        return client.get(path, base_url=HTTPS, headers=headers)

    assert [get(path).status_code for path in ("/messenger/renewal.js", "/messenger/settings")] == [200, 401]
    for name in ("1", "2"):
        assert get(f"/in/{name}").status_code == 200
        for path in paths:
            page = get(path)
            assert settings_in(page.text)["user_id"] == name
            assert settings_in(page.text)["page_title"] == "Shop"
            must_be_private(page)
        fresh = get("/messenger/settings")
        assert fresh.json["user_id"] == name
        assert "Set-Cookie" not in fresh.headers
        gone = get("/out")
        assert any(each.startswith("intercom-session-throwaway=;") for each in gone.headers.getlist("Set-Cookie"))
        after = get(paths[0])
        assert SIGN_OUT_SCRIPT in after.text
        assert "user_id" not in settings_in(after.text)
        for path in paths:
            page = get(path)
            assert "eyJ" not in page.text
            assert ").boot(" in page.text


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_alone(name: str, *, first: bool) -> None:
    visit(create_app([name], first=first), "/", "/cached", "/memoized")


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("csrf", ["flask-wtf", "flask-seasurf"])
def test_the_extensions_together(csrf: str, *, first: bool) -> None:
    others = [name for name in EXTENSIONS if name not in {"flask-wtf", "flask-seasurf"}]
    visit(create_app([csrf, *others], first=first), "/", "/cached", "/memoized")


@pytest.fixture
def client() -> Iterator[Any]:
    app = create_app(["flask-compress", "flask-talisman", "flasgger"])
    with app.test_client() as client:
        yield client


def test_a_compressed_page_has_the_scripts_in_it(client: Any) -> None:
    import gzip

    client.get("/in/1", base_url=HTTPS)
    page = client.get("/", base_url=HTTPS, headers={"Accept-Encoding": "gzip"})

    assert page.headers["Content-Encoding"] == "gzip"
    assert settings_in(gzip.decompress(page.data).decode())["user_id"] == "1"
    must_be_private(page)


def test_the_nonce_is_talismans(client: Any) -> None:
    page = client.get("/", base_url=HTTPS)
    policy = page.headers["Content-Security-Policy"]

    assert page.text.count(f'nonce="{policy.partition("nonce-")[2].partition(chr(39))[0]}"') == 2


def test_the_page_of_flasgger_works(client: Any) -> None:
    assert client.get("/apidocs/", base_url=HTTPS).status_code == 200
    assert client.get("/apispec_1.json", base_url=HTTPS).status_code == 200


def test_flask_security_and_flask_sqlalchemy() -> None:
    app = flask.Flask(__name__)
    app.config.update(
        SECRET_KEY="for tests",
        SECURITY_PASSWORD_SALT="for tests",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        WTF_CSRF_ENABLED=False,
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SINGLE_HASH=["plaintext"],
    )
    db: Any = SQLAlchemy(app)
    FinMessenger(app, builder=throwaway_builder())
    members = Table(
        "roles_users", db.metadata, Column("user_id", ForeignKey("user.id")), Column("role_id", ForeignKey("role.id"))
    )

    class Role(db.Model, RoleMixin):  # type: ignore[name-defined,misc]
        id = Column(Integer, primary_key=True)
        name = Column(String)

    class User(db.Model, SecurityUser):  # type: ignore[name-defined,misc]
        id = Column(Integer, primary_key=True)
        email = Column(String, unique=True)
        password = Column(String)
        active = Column(Boolean)
        fs_uniquifier = Column(String, unique=True)
        roles = relationship("Role", secondary=members)

    store = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, store)
    app.add_url_rule("/", view_func=lambda: flask.render_template_string(PAGE))
    with app.app_context():
        db.create_all()
        people = [store.create_user(email=f"{name}@example.com", password="demo") for name in ("ada", "grace")]
        db.session.commit()
        ids = [str(each.id) for each in people]

    client = app.test_client()
    for name, user_id in zip(("ada", "grace"), ids, strict=True):
        answer = client.post("/login", data={"email": f"{name}@example.com", "password": "demo"})
        assert answer.status_code == 302
        assert settings_in(client.get("/").text)["user_id"] == user_id
        assert client.get("/messenger/settings").json["user_id"] == user_id
        gone = client.post("/logout")
        assert any(each.startswith("intercom-session-throwaway=;") for each in gone.headers.getlist("Set-Cookie"))
        assert SIGN_OUT_SCRIPT in client.get("/").text
        assert client.get("/messenger/settings").status_code == 401
    with app.app_context():
        db.engine.dispose()
