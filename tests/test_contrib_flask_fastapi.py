"""The integrations with Flask and FastAPI, in this process; ``tests/frameworks`` and ``tests/browser`` serve them."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import flask
import flask_login
import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware

from fin_messenger_auth import IntercomMinter, MessengerUser, Reloading, TokenPairBuilder, default_builder
from fin_messenger_auth.contrib import fastapi as for_fastapi
from fin_messenger_auth.contrib import flask as for_flask
from fin_messenger_auth.contrib._visit import SIGNED_OUT
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.testing import fill, settings_in, throwaway_builder, throwaway_environ, verify
from tests.attempts import FOREIGN, attempts
from tests.pages import must_be_private

ATTEMPTS = attempts("42")
SETTINGS = "/messenger/settings"
ANONYMOUS = {"api_base": "https://api-iam.intercom.io", "app_id": "throwaway"}
NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"
SIGN_OUT_SCRIPT = '})().leave("'
PUBLIC = {
    "Cache-Control": "public, max-age=60",
    "CDN-Cache-Control": "public, max-age=600",
    "Fastly-Cache-Control": "max-age=600",
    "Surrogate-Control": "max-age=600",
    "X-Accel-Expires": "600",
    "Vary": "X-Cookie-Consent",
}
"""What a site with public pages behind a CDN says of all of them."""
PAGE = "<!doctype html><title>Shop</title>{{ fin_messenger(**public) }}"


def flask_site(**options: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    app.secret_key = "for tests"

    @app.after_request  # of an extension that was there first, so that it runs after those that come later
    def extension(response: flask.Response) -> flask.Response:
        response.headers.update(PUBLIC)
        response.set_cookie("seen", "1")
        return response

    messenger = for_flask.FinMessenger(user=lambda: flask.session.get("user"), **{"builder": None} | options)
    messenger.init_app(app)

    def home() -> str:
        flask.g.csp_nonce = NONCE
        public = {name: flask.request.args[name] for name in ("page_title",) if name in flask.request.args}
        return flask.render_template_string(PAGE, public=public)

    def sign_in() -> str:
        flask.session.permanent = True  # so that Flask prolongs it at each request
        flask.session["user"] = flask.request.args["name"]
        return ""

    def sign_out() -> Any:
        flask.session.clear()
        messenger.sign_out()
        return home() if "page" in flask.request.args else flask.redirect("/")

    def streamed() -> Any:
        return flask.Response(flask.stream_template_string(PAGE, public={}), mimetype="text/html")

    def plain() -> Any:
        return flask.Response("Nothing personal.", headers={"Vary": "Accept"})

    def rendered_before() -> str:
        page = home()
        messenger.sign_out()
        return page

    for each in (home, streamed, plain, rendered_before):
        app.add_url_rule("/" if each is home else f"/{each.__name__}", view_func=each)
    for each in (sign_in, sign_out):
        app.add_url_rule(f"/{each.__name__}", view_func=each, methods=["POST"])
    return app


def fastapi_site(**options: Any) -> FastAPI:  # noqa: C901 - many short views
    def session_user(request: Request) -> Any:
        return request.session.get("user")

    app = FastAPI()
    messenger = for_fastapi.FinMessenger(app, user=session_user, **{"builder": None} | options)
    app.add_middleware(SessionMiddleware, secret_key="for tests")

    @app.middleware("http")
    async def nonce(request: Request, call_next: Any) -> Any:
        request.state.csp_nonce = NONCE
        response = await call_next(request)
        response.headers.update(PUBLIC)
        response.headers.append("Vary", "Save-Data")  # in a line of its own
        response.set_cookie("seen", "1")
        return response

    @app.get("/", response_class=HTMLResponse)
    async def home(
        request: Request,
        user: Annotated[Any, Depends(session_user)],
        scripts: Annotated[Any, Depends(messenger.snippet)],
    ) -> str:
        public: Any = dict(request.query_params)
        return PAGE.partition("{")[0] + (await messenger.render(request, user, **public) if public else scripts)

    @app.get("/made")
    async def made(made: Annotated[Any, Depends(messenger.settings)]) -> Any:
        return made

    @app.post("/sign_in")
    async def sign_in(request: Request, name: str) -> None:
        request.session["user"] = name

    @app.post("/sign_out")
    async def sign_out(request: Request) -> Any:
        request.session.clear()
        messenger.sign_out(request)
        scripts = await messenger.render(request, None) if "page" in request.query_params else ""
        return HTMLResponse(scripts) if scripts else RedirectResponse("/", 303)

    @app.get("/plain", response_class=HTMLResponse)
    async def plain() -> Any:
        return HTMLResponse("Nothing personal.", headers={"Vary": "Accept"})

    @app.get("/rendered_before", response_class=HTMLResponse)
    async def rendered_before(request: Request, scripts: Annotated[Any, Depends(messenger.snippet)]) -> Any:
        messenger.sign_out(request)
        return PAGE.partition("{")[0] + scripts

    @app.get("/streamed")
    async def streamed(request: Request, user: Annotated[Any, Depends(session_user)]) -> Any:
        async def parts() -> Any:
            yield PAGE.partition("{")[0]
            yield await messenger.render(request, user)

        return StreamingResponse(parts(), media_type="text/html")

    @app.websocket("/socket")
    async def socket(websocket: Any) -> None: ...

    return app


class AsgiTransport(httpx.BaseTransport):
    """An application served to a synchronous client."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.inner = httpx.ASGITransport(app, **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def respond() -> httpx.Response:
            answer = await self.inner.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(respond())


Make = Callable[..., httpx.Client]


@pytest.fixture(params=["flask", "fastapi"])
def make(request: pytest.FixtureRequest) -> Make:
    """Make a site, and return a client of it."""

    def made(*, mounted: str = "", **options: Any) -> httpx.Client:
        transport: httpx.BaseTransport
        if request.param == "flask":
            transport = httpx.WSGITransport(flask_site(**options), raise_app_exceptions=True, script_name=mounted)
        else:
            site: Any = fastapi_site(**options)
            if mounted:
                parent, site = site, FastAPI()
                site.mount(mounted, parent)
            transport = AsgiTransport(site)
        return httpx.Client(transport=transport, base_url="http://shop.example")

    return made


@pytest.fixture
def client(make: Make) -> Iterator[httpx.Client]:
    with make(builder=throwaway_builder()) as each:
        yield each


def sign_in(client: httpx.Client, name: str = "42") -> None:
    assert client.post("/sign_in", params={"name": name}).status_code == 200
    assert "session" in client.cookies


def user_in(page: httpx.Response) -> str | None:
    """The user of the page's snippet; if there is one, no cache may keep the page."""
    assert page.status_code == 200
    assert set(re.findall(r'nonce="([^"]+)"', page.text)) == {NONCE}
    found: str | None = None
    if "eyJ" in page.text:
        must_be_private(page)
        assert 'from"/messenger/renewal.js";startMessenger("/messenger/settings")' in page.text
        found = re.findall(r'"user_id":"([^"]+)"', page.text)[0]
    return found


def test_from_sign_in_to_the_next_user(client: httpx.Client) -> None:
    anonymous = client.get("/")
    assert user_in(anonymous) is None
    assert "Cookie" in anonymous.headers["Vary"]
    sign_in(client)
    assert user_in(client.get("/")) == "42"
    answer = client.get(SETTINGS)
    assert answer.status_code == 200
    must_be_private(answer)
    assert verify(answer.json()).unsigned["user_id"] == "42"

    gone = client.post("/sign_out")
    assert gone.is_redirect
    expired = [each for each in gone.headers.get_list("Set-Cookie") if each.startswith("intercom-")]
    assert len(expired) == 6  # for the host alone and for its domain
    assert all("Max-Age=0" in each for each in expired)
    [told] = [each.lower() for each in gone.headers.get_list("Set-Cookie") if each.startswith(SIGNED_OUT)]
    assert "httponly" in told
    assert "samesite=lax" in told
    assert "secure" not in told
    after = client.get("/")
    assert after.text.index(SIGN_OUT_SCRIPT) < after.text.index("https://api-iam.intercom.io")
    must_be_private(after)
    assert user_in(after) is None
    assert SIGN_OUT_SCRIPT not in client.get("/").text
    assert client.get(SETTINGS).status_code == 401

    sign_in(client, "7")
    assert user_in(client.get("/")) == "7"


def test_over_https_the_sign_out_cookie_is_secure(client: httpx.Client) -> None:
    gone = client.post("https://shop.example/sign_out")
    [told] = [each for each in gone.headers.get_list("Set-Cookie") if each.startswith(SIGNED_OUT)]
    assert "Secure" in told


def test_the_page_of_the_sign_out_itself_has_the_script_once(client: httpx.Client) -> None:
    sign_in(client)
    page = client.post("/sign_out", params={"page": "1"})
    assert SIGN_OUT_SCRIPT in page.text
    must_be_private(page)
    assert SIGNED_OUT not in str(page.headers)
    assert SIGN_OUT_SCRIPT not in client.get("/").text


def test_in_fastapi_a_page_that_was_made_before_the_sign_out_leaves_it_to_the_next() -> None:
    client = fastapi_client(fastapi_site(builder=throwaway_builder()))
    sign_in(client)
    page = client.get("/rendered_before")
    assert SIGN_OUT_SCRIPT not in page.text
    assert SIGN_OUT_SCRIPT in client.get("/").text


@pytest.mark.parametrize("site", [flask_site, fastapi_site])
def test_a_wrong_address_of_the_sandbox_stops_the_start(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIN_MESSENGER_WIDGET_BASE", "http://sandbox.example/widget/")
    with pytest.raises(ConfigurationError, match="FIN_MESSENGER_WIDGET_BASE"):
        site(builder=throwaway_builder())
    site(builder=throwaway_builder(), enabled=False)


def test_a_mounted_site(make: Make) -> None:
    with make(mounted="/at/shop", builder=throwaway_builder()) as client:
        at = "" if isinstance(client._transport, httpx.WSGITransport) else "/at/shop"  # its paths are without
        assert client.get(f"{at}{SETTINGS}").status_code == 401
        assert client.post(f"{at}/sign_in", params={"name": "42"}).status_code == 200
        page = client.get(f"{at}/")
        assert 'from"/at/shop/messenger/renewal.js";startMessenger("/at/shop/messenger/settings")' in page.text
        must_be_private(page)
        answer = client.get(f"{at}{SETTINGS}")
        assert answer.json()["user_id"] == "42"
        assert "Set-Cookie" not in answer.headers
        assert client.get(f"{at}/messenger/renewal.js").headers["Cache-Control"].startswith("public")


def test_two_sites_in_one_process_do_not_mix(make: Make) -> None:
    others = {"identify": lambda name: None if name is None else MessengerUser(f"other-{name}"), "region": "eu"}
    with (
        make(builder=throwaway_builder()) as first,
        make(builder=replace(throwaway_builder(), **others)) as second,  # type: ignore[arg-type]  # by name
    ):
        for each, user, region in ((first, "42", "iam.intercom"), (second, "other-42", "iam.eu.intercom")):
            sign_in(each)
            settings = each.get(SETTINGS).json()
            assert settings["user_id"] == user
            assert region in settings["api_base"]


def test_there_are_more_than_23_ways_to_be_refused() -> None:
    assert len(ATTEMPTS) >= 23
    assert len(FOREIGN) >= 6


def test_other_responses_stay_as_they_are(client: httpx.Client) -> None:
    sign_in(client)
    for path in ("/plain", "/nowhere"):
        answer = client.get(path)
        assert {name: answer.headers[name] for name in PUBLIC if name != "Vary"} == {
            name: value for name, value in PUBLIC.items() if name != "Vary"
        }
        assert "X-Cookie-Consent" in answer.headers["Vary"]
    if isinstance(client._transport, AsgiTransport):  # Flask says so itself, as the session was read
        assert answer.headers["Vary"] == f"{PUBLIC['Vary']}, Save-Data"


def test_no_header_puts_a_cache_before_cache_control(client: httpx.Client) -> None:
    sign_in(client)
    for path in ("/", SETTINGS):
        answer = client.get(path)
        must_be_private(answer)
        assert answer.headers.keys().isdisjoint({name.lower() for name in PUBLIC} - {"cache-control", "vary"})
        assert "X-Cookie-Consent" in answer.headers["Vary"]
        if isinstance(client._transport, AsgiTransport):  # Flask's session forgets the second line
            assert "Save-Data" in answer.headers["Vary"]


def test_the_views_of_flask_are_plain_functions_with_names() -> None:
    app = flask_site(builder=throwaway_builder())
    for name in ("settings", "renewal"):
        view: Any = app.view_functions[f"fin_messenger.{name}"]
        assert (view.__module__, type(view).__name__) == (for_flask.__name__, "function")


def test_the_routes_are_not_in_the_schema_of_fastapi() -> None:
    paths = fastapi_site(builder=throwaway_builder()).openapi()["paths"]

    assert "/" in paths
    assert [each for each in paths if "messenger" in each] == []


def test_the_routes_do_not_prolong_the_session(client: httpx.Client) -> None:
    sign_in(client)
    for path in (SETTINGS, "/messenger/renewal.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"].startswith("public")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert client.get(SETTINGS).status_code == 200


def test_data_of_one_page(client: httpx.Client) -> None:
    sign_in(client)
    page = client.get("/", params={"page_title": "Cart"})
    assert '"page_title":"Cart"' in page.text
    must_be_private(page)


def test_a_nonce_of_one_page() -> None:
    nonce = "b3RoZXItbm9uY2Utb2YtMTY"
    page = fastapi_client(fastapi_site(builder=throwaway_builder())).get("/", params={"nonce": nonce})
    assert f'nonce="{nonce}"' in page.text
    app = flask_site(builder=throwaway_builder())
    with app.app_context(), pytest.raises(ConfigurationError, match=r"^nonce: .* Set g\.csp_nonce"):
        flask.render_template_string("{{ fin_messenger(nonce='x') }}")


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_without_a_session_there_are_no_tokens(client: httpx.Client, attempt: str) -> None:
    answer = client.request("GET", SETTINGS, **ATTEMPTS[attempt])  # type: ignore[arg-type]  # one of its keywords

    assert (answer.status_code, answer.json()) == (401, ANONYMOUS)
    must_be_private(answer)


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_origin_gets_nothing(client: httpx.Client, origin: str) -> None:
    sign_in(client)
    answer = client.get(SETTINGS, headers=FOREIGN[origin])

    assert (answer.status_code, answer.json()) == (403, {})
    must_be_private(answer)


def test_a_named_origin_gets_settings_after_a_preflight(make: Make) -> None:
    origin = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    with make(builder=throwaway_builder(), origins=["https://app.example"]) as client:
        sign_in(client)
        preflight = client.options(SETTINGS, headers={**origin, "Access-Control-Request-Method": "GET"})
        assert (preflight.status_code, preflight.json()) == (200, {})
        assert preflight.headers["Access-Control-Allow-Headers"] == "X-Fin-Messenger"
        fresh = client.get(SETTINGS, headers={**origin, "X-Fin-Messenger": "1"})
        assert fresh.json()["user_id"] == "42"
        assert fresh.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "eyJ" not in client.options(SETTINGS).text


def test_a_session_gives_its_own_users_tokens_only(client: httpx.Client) -> None:
    sign_in(client)
    assert client.get(SETTINGS, params={"user_id": "7"}, headers={"X-User-Id": "7"}).json()["user_id"] == "42"
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, SETTINGS).status_code == 405


class Broken:
    alg, kid = "HS256", None

    def sign(self, _signing_input: bytes, /) -> bytes:
        raise RuntimeError("hush-hush")


def test_if_signing_fails_the_page_is_anonymous_and_fresh_settings_are_503(
    make: Make, monkeypatch: pytest.MonkeyPatch, messenger_environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def from_env(**options: Any) -> TokenPairBuilder:
        made.append(options)
        builder = throwaway_builder()
        return replace(
            builder, intercom=IntercomMinter(Broken()), on_signing_error=options["on_signing_error"] or "raise"
        )

    made: list[dict[str, Any]] = []
    del messenger_environment
    monkeypatch.setattr(TokenPairBuilder, "from_env", from_env)
    with make() as client:
        sign_in(client)
        assert user_in(client.get("/")) is None
        answer = client.get(SETTINGS)
        assert (answer.status_code, answer.json()) == (503, ANONYMOUS)
        must_be_private(answer)
    assert "failed (anonymous)" in caplog.text
    assert "RuntimeError: hush-hush" not in caplog.text
    monkeypatch.setenv("MESSENGER_ON_SIGNING_ERROR", "raise")
    default_builder.cache_clear()
    make()
    assert [each["on_signing_error"] for each in made] == ["anonymous", None]


def test_the_integrations_use_the_builder_of_the_process(
    make: Make, messenger_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    default_builder()  # as a hook of the server's master does
    for name in messenger_environment:
        monkeypatch.setenv(name, "damaged")  # as a delivery can be, while a worker starts
    with make() as client:
        sign_in(client)
        assert user_in(client.get("/")) == "42"
        default_builder.use(Reloading(lambda: replace(throwaway_builder(), region="eu")))
        assert client.get(SETTINGS).json()["api_base"] == "https://api-iam.eu.intercom.io"


def test_the_environment_is_read_when_the_site_is_made(make: Make, messenger_environment: dict[str, str]) -> None:
    with make() as client:
        sign_in(client)
        assert user_in(client.get("/")) == "42"
    assert messenger_environment == throwaway_environ()


def test_no_site_is_made_without_secrets(
    make: Make, messenger_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in messenger_environment:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match="must be set"):
        make()


def test_a_site_can_be_without_the_messenger(
    make: Make, messenger_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in messenger_environment:
        monkeypatch.delenv(name)
    with make(enabled=False) as client:
        sign_in(client)
        page = client.get("/")
        assert (page.status_code, page.text) == (200, PAGE.partition("{")[0])
        assert (client.get(SETTINGS).status_code, client.get(SETTINGS).json()) == (410, {})
        assert not [each for each in client.post("/sign_out").headers.get_list("Set-Cookie") if "intercom" in each]


def test_a_request_can_be_without_the_messenger(make: Make) -> None:
    with make(builder=throwaway_builder(), exclude=lambda *_request: True) as client:
        sign_in(client)
        assert client.get("/").text == PAGE.partition("{")[0]
        assert client.get(SETTINGS).json() == ANONYMOUS


@pytest.mark.parametrize("site", [flask_site, fastapi_site])
def test_something_that_is_not_a_builder_stops_the_start(site: Callable[..., object]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"builder: expected the function to return a TokenPairBuilder, got str\."
    ):
        site(builder=lambda: "builder")
    with pytest.raises(ConfigurationError, match=r"builder: expected a TokenPairBuilder, or a function .*, got str\."):
        site(builder="builder")


def test_renewal_can_be_left_out(make: Make) -> None:
    with make(builder=throwaway_builder(), renewal=False) as client:
        sign_in(client)
        page = client.get("/").text
        assert "eyJ" in page
        assert "renewal.js" not in page


def test_identify_is_the_builders(make: Make) -> None:
    builder = throwaway_builder(identify=lambda name: None if name is None else MessengerUser(f"shop-{name}"))
    with make(builder=builder) as client:
        assert client.get(SETTINGS).status_code == 401
        sign_in(client)
        assert client.get(SETTINGS).json()["user_id"] == "shop-42"


# Each on its own


def test_flask_streamed_pages_are_private() -> None:
    client = flask_site(builder=throwaway_builder()).test_client()
    client.post("/sign_in?name=42")
    page = client.get("/streamed")
    assert "eyJ" in page.text
    assert page.headers["Cache-Control"] == "private, no-store"


class Account(flask_login.UserMixin):  # type: ignore[misc]  # flask-login has no types
    id = "42"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # of Flask-Login
def test_flask_login_needs_no_more_than_the_application() -> None:
    app = flask.Flask(__name__)
    app.secret_key = "for tests"
    for_flask.FinMessenger(app, builder=throwaway_builder())
    flask_login.LoginManager(app).user_loader(lambda _name: Account())
    app.add_url_rule("/in", "in", view_func=lambda: str(flask_login.login_user(Account(), remember=True)))
    app.add_url_rule("/out", "out", view_func=lambda: str(flask_login.logout_user()))
    app.config["REMEMBER_COOKIE_REFRESH_EACH_REQUEST"] = True
    client = app.test_client()

    assert client.get(SETTINGS).status_code == 401
    client.get("/in")
    answer = client.get(SETTINGS)
    assert answer.get_json()["user_id"] == "42"
    assert "Set-Cookie" not in answer.headers
    gone = client.get("/out").headers.getlist("Set-Cookie")
    assert len([each for each in gone if each.startswith("intercom-")]) == 3
    assert client.get(SETTINGS).status_code == 401


def test_flask_without_a_user_or_flask_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(for_flask, "_FLASK_LOGIN", None)
    with pytest.raises(ConfigurationError, match="Flask-Login"):
        for_flask.FinMessenger()
    app = flask_site(builder=throwaway_builder())
    assert app.test_client().get(SETTINGS).status_code == 401


def test_flask_login_without_its_manager() -> None:
    app = flask.Flask(__name__)
    for_flask.FinMessenger(app, builder=throwaway_builder())
    with app.test_request_context(SETTINGS), pytest.raises(ConfigurationError, match="LoginManager"):
        app.dispatch_request()


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({"subdomain_matching": True}, ["shop.example", "eu.shop.example"]),
        ({"host_matching": True, "static_host": "shop.example"}, ["shop.example", "other.example"]),
    ],
)
def test_flask_has_the_routes_on_every_host_that_has_pages(options: dict[str, Any], hosts: list[str]) -> None:
    app = flask.Flask(__name__, **options)
    app.config.update(SECRET_KEY="for tests", SERVER_NAME="shop.example")
    for_flask.FinMessenger(app, user=lambda: "42", builder=throwaway_builder())
    where: dict[str, Any] = {"host": "<host>"} if app.url_map.host_matching else {"subdomain": "<host>"}

    def home(**_host: str) -> str:
        return flask.render_template_string(PAGE, public={})

    app.add_url_rule("/", view_func=home)
    app.add_url_rule("/", view_func=home, **where)
    for host in hosts:
        client, base = app.test_client(), f"http://{host}"
        assert f'startMessenger("{SETTINGS}")' in client.get("/", base_url=base).text
        assert client.get(SETTINGS, base_url=base).get_json()["user_id"] == "42"
        with client.get("/messenger/renewal.js", base_url=base) as script:
            assert script.status_code == 200


@pytest.mark.parametrize("allowed", ["*", "https://elsewhere.example"])
def test_fastapi_beside_a_cors_middleware(allowed: str) -> None:
    app = fastapi_site(builder=throwaway_builder(), origins=["https://app.example"])
    app.add_middleware(CORSMiddleware, allow_origins=[allowed], allow_credentials=True)
    with fastapi_client(app) as client:
        sign_in(client)
        for origin, status in (("https://app.example", 200), ("https://elsewhere.example", 403)):
            headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "X-Fin-Messenger": "1"}
            asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-fin-messenger"}
            for answer in (client.options(SETTINGS, headers=headers | asked), client.get(SETTINGS, headers=headers)):
                assert answer.status_code == status
                named = [origin] if status == 200 else []
                assert answer.headers.get_list("Access-Control-Allow-Origin") == named


def test_fastapi_takes_no_messenger_after_the_start() -> None:
    app = FastAPI()
    with fastapi_client(app) as client:
        client.get("/")
        with pytest.raises(ConfigurationError, match="started"):
            for_fastapi.FinMessenger(app, user=lambda: None, builder=throwaway_builder())


def test_flask_talismans_nonce() -> None:
    app = flask_site(builder=throwaway_builder())

    @app.before_request
    def talisman() -> None:
        flask.request.csp_nonce = "dGFsaXNtYW5zLW5vbmNl"  # type: ignore[attr-defined]  # it does just that

    assert 'nonce="dGFsaXNtYW5zLW5vbmNl"' in app.test_client().get("/").text


def test_fastapi_settings_alone() -> None:
    transport = AsgiTransport(fastapi_site(builder=throwaway_builder()))
    with httpx.Client(transport=transport, base_url="http://shop.example") as client:
        anonymous = client.get("/made")
        assert anonymous.json() == ANONYMOUS
        sign_in(client)
        answer = client.get("/made")
        assert answer.json()["user_id"] == "42"
        must_be_private(answer)
    transport = AsgiTransport(fastapi_site(enabled=False))
    with httpx.Client(transport=transport, base_url="http://shop.example") as client:
        assert client.get("/made").json() == {}


def fastapi_client(app: Any, **options: Any) -> httpx.Client:
    return httpx.Client(transport=AsgiTransport(app, **options), base_url="http://shop.example")


def test_fastapi_refuses_tokens_in_a_response_that_has_started() -> None:
    with fastapi_client(fastapi_site(builder=throwaway_builder())) as client:
        assert ".boot(" in client.get("/streamed").text  # an anonymous visitor's
        sign_in(client)
        with pytest.raises(ConfigurationError, match="before it starts"):
            client.get("/streamed")


def test_fastapi_under_a_root_path_that_a_proxy_strips() -> None:
    with fastapi_client(fastapi_site(builder=throwaway_builder()), root_path="/shop") as client:
        sign_in(client)
        for path in (SETTINGS, f"/shop{SETTINGS}"):
            assert "Set-Cookie" not in client.get(path).headers
        assert 'startMessenger("/shop/messenger/settings")' in client.get("/").text


def test_fastapi_if_the_users_dependency_refuses() -> None:
    def session_user() -> None:
        raise HTTPException(401)

    app = FastAPI()
    for_fastapi.FinMessenger(app, user=session_user, builder=throwaway_builder())
    with fastapi_client(app) as client:
        answer = client.get(SETTINGS)
        assert answer.status_code == 401
        must_be_private(answer)


def test_fastapi_takes_one_messenger_for_each_application() -> None:
    app = fastapi_site(builder=throwaway_builder())
    with pytest.raises(ConfigurationError, match="already"):
        for_fastapi.FinMessenger(app, user=lambda: None, builder=throwaway_builder(), prefix="/other")


def test_fastapi_beside_a_tool_that_wraps_the_middlewares() -> None:
    app = FastAPI()
    build, wrapped = app.build_middleware_stack, []

    def wrapping() -> Any:
        wrapped.append(True)
        return build()

    vars(app)["build_middleware_stack"] = wrapping
    for_fastapi.FinMessenger(app, user=lambda: "42", builder=throwaway_builder())
    with fastapi_client(app) as client:
        assert client.get(SETTINGS).json()["user_id"] == "42"
    assert wrapped == [True]


def test_flask_takes_one_messenger_for_each_application() -> None:
    app = flask_site(builder=throwaway_builder())
    with pytest.raises(ValueError, match="already"):
        for_flask.FinMessenger(app, user=lambda: None, builder=throwaway_builder(), url_prefix="/other")


def test_flask_outside_a_request() -> None:
    app = flask_site(builder=throwaway_builder())
    with app.app_context():
        rendered = flask.render_template_string("Dear Ada,{{ fin_messenger(z_index=7) }}")
    assert settings_in(fill(rendered, "42"))["z_index"] == 7


def test_fastapi_says_that_init_app_was_not_called() -> None:
    app = FastAPI()
    messenger = for_fastapi.FinMessenger(user=lambda: None, builder=throwaway_builder())

    @app.get("/made")
    async def made(made: Annotated[Any, Depends(messenger.settings)]) -> Any:
        return made

    with (
        httpx.Client(transport=AsgiTransport(app), base_url="http://shop.example") as client,
        pytest.raises(ConfigurationError, match="init_app"),
    ):
        client.get("/made")


def test_fastapi_leaves_other_protocols_alone() -> None:
    sent: list[Any] = []

    async def talk() -> None:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await fastapi_site(builder=throwaway_builder())({"type": "lifespan", "state": {}}, receive, send)

    asyncio.run(talk())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_the_core_loads_no_framework(framework: str) -> None:
    code = f"import sys, fin_messenger_auth.page, fin_messenger_auth.testing; assert {framework!r} not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_builder_is_asked_for_by_the_request(make: Make) -> None:
    with make(builder=Reloading(throwaway_builder)) as client:
        sign_in(client)
        assert user_in(client.get("/")) == "42"
    with make(builder=lambda request: {"shop.example": throwaway_builder()}[request.headers["host"]]) as client:
        sign_in(client)
        assert user_in(client.get("/")) == "42"
        assert client.get(SETTINGS).json()["user_id"] == "42"
