"""The mark that a template leaves: caches inside an application keep it, and each response fills it for its user."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface

from fin_messenger_auth import IntercomMinter, StringKeySource, TokenPairBuilder
from fin_messenger_auth._signers import HMACSigner
from fin_messenger_auth.contrib.flask import FinMessenger
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page._mark import MARK_START, Uncut, display_of, fill_marks, make_mark
from fin_messenger_auth.testing import fill, settings_in, throwaway_builder
from tests.pages import must_be_private

PAGE = "<!doctype html><title>Shop</title><p>{{ text }}</p>{{ fin_messenger(page_title='Shop') }}"
SIGN_OUT_SCRIPT = '})().leave("'


def mark(**display: Any) -> str:
    return str(make_mark(display, "secret", identify="IDENTIFY", settings="SETTINGS"))


def site(**options: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    app.secret_key = "for tests"
    FinMessenger(app, user=lambda: flask.request.cookies.get("user"), **{"builder": throwaway_builder()} | options)
    return app


def get(app: flask.Flask, path: str = "/", user: str | None = None, method: str = "GET", **more: Any) -> Any:
    client = app.test_client()
    if user is not None:
        client.set_cookie("user", user)
    return client.open(path, method=method, **more)


# The mark itself


@pytest.mark.parametrize("display", [{}, {"page_title": "Ünï <b>\"'&", "z_index": -1}, {"hide_default_launcher": True}])
def test_a_mark_says_what_it_was_given(display: dict[str, Any]) -> None:
    made = mark(**display)

    assert made == mark(**display)  # in every process
    assert set(made.partition("=")[2].partition(">")[0]).isdisjoint("<>\"'&\\ ")  # so that JSON leaves it as it is
    assert "eyJ" not in made
    assert display_of(made.encode(), ["other", b"secret"]) == display


@pytest.mark.parametrize(
    "forged",
    [
        mark(z_index=1).replace("1%7D", "2%7D"),
        str(make_mark({}, "another secret", identify="", settings="")),
        "<fin-messenger-mark>",
        "<fin-messenger-mark id=>",
        "<fin-messenger-mark id=." + 32 * "0" + "></fin-messenger-mark>",
        "<fin-messenger-mark id=é." + 32 * "0" + "></fin-messenger-mark>",
    ],
)
def test_a_mark_cannot_be_forged(forged: str) -> None:
    assert display_of(forged.encode(), ["secret"]) is None
    app = site()
    app.add_url_rule("/", view_func=lambda: f"<p>{forged}</p>")

    page = get(app, user="42")
    assert page.text == "<p></p>"
    assert "Cache-Control" not in page.headers


def test_the_escaped_text_of_a_visitor_is_no_mark() -> None:
    app = site()
    app.add_url_rule("/", view_func=lambda: flask.render_template_string(PAGE, text=mark()))

    assert get(app, user="42").text.count(").boot(") == 1


@pytest.mark.parametrize("size", range(1, 40))
def test_a_mark_in_parts_is_put_together(size: int) -> None:
    page = f"<p><fin>&lt;fin-messenger-mark</p>{mark(z_index=1)}<{mark()}< <fin-messenger-mar".encode()
    uncut, filled = Uncut(), b""
    for at in range(0, len(page), size):
        filled += fill_marks(uncut.feed(page[at : at + size]), lambda _mark: b"!")
    filled += fill_marks(uncut.end(), lambda _mark: b"!")

    assert filled == b"<p><fin>&lt;fin-messenger-mark</p>!<!< <fin-messenger-mar"


def test_what_is_never_closed_is_sent_in_the_end() -> None:
    uncut, sent = Uncut(), 0
    for _ in range(30):
        sent += len(uncut.feed(MARK_START + 1000 * b"x"))
    assert sent >= 10_000


IDENTIFYING = ["email", "name", "phone", "company", "created_at", "companies", "avatar", "extra"]


@pytest.mark.parametrize("name", IDENTIFYING)
def test_a_tag_is_given_nothing_about_a_person(name: str) -> None:
    for value in ("ada@example.com", "", None):
        with pytest.raises(ConfigurationError, match=rf"^{name}: .* IDENTIFY, .* SETTINGS"):
            mark(**{name: value})


@pytest.mark.parametrize("name", ["session_duration", "unsubscribed_from_emails"])
def test_a_tag_is_given_display_settings_alone(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: .* SETTINGS"):
        mark(**{name: 300_000 if name == "session_duration" else True})
    with pytest.raises(ConfigurationError, match="did you mean 'page_title'"):
        mark(page_titel="Shop")
    with pytest.raises(ConfigurationError, match="it comes from the signed-in user"):
        mark(user_id="42")


def test_a_test_fills_what_a_template_left() -> None:
    html = f"<p>{mark(page_title='Shop')}"

    assert settings_in(fill(html, "42"))["user_id"] == "42"
    assert settings_in(fill(html, None))["page_title"] == "Shop"
    assert fill("<p>", "42") == "<p>"


# In Flask


def test_a_cache_inside_the_application_keeps_no_token() -> None:
    app = site()

    @app.get("/")
    @functools.cache
    def home() -> flask.Response:
        return flask.make_response(flask.render_template_string(PAGE))

    @app.get("/part")
    @functools.cache
    def part() -> str:
        return flask.render_template_string(PAGE)

    for path in ("/", "/part"):
        for user in ("1", "2", None, "1"):
            page = get(app, path, user)
            assert settings_in(page.text).get("user_id") == user
            assert ("Cache-Control" in page.headers) is (user is not None)
            assert "fin-messenger-mark" not in page.text


def test_a_validator_of_what_was_not_sent_is_left_out() -> None:
    app = site()

    @app.get("/")
    def home() -> flask.Response:
        response = flask.make_response(flask.render_template_string(PAGE))
        response.add_etag()
        response.headers["Last-Modified"] = "Thu, 01 Jan 1970 00:00:00 GMT"
        return response

    headers = get(app).headers
    assert {"ETag", "Last-Modified"}.isdisjoint(headers.keys())
    assert int(headers["Content-Length"]) > 1000


def test_a_page_with_two_tags_is_signed_once() -> None:
    app = site()
    app.add_url_rule("/", view_func=lambda: flask.render_template_string("{{ fin_messenger() }}{{ fin_messenger() }}"))

    page = get(app, user="42").text
    assert page[: len(page) // 2] == page[len(page) // 2 :]


def test_error_pages_are_filled() -> None:
    app = site()
    app.register_error_handler(404, lambda _error: (flask.render_template_string(PAGE), 404))
    app.register_error_handler(500, lambda _error: (flask.render_template_string(PAGE), 500))

    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError

    app.before_request(lambda: ("refused", 403) if flask.request.path == "/refused" else None)

    for path, status in (("/nowhere", 404), ("/broken", 500)):
        page = get(app, path, "42")
        assert (page.status_code, settings_in(page.text)["user_id"]) == (status, "42")
        must_be_private(page)
    assert "Cache-Control" not in get(app, "/refused", "42").headers


class AwaitedSigner:
    alg, kid = "HS256", None

    async def asign(self, _message: bytes, /) -> bytes:
        raise AssertionError


def test_head_signs_nothing_and_says_what_get_says() -> None:
    signed = []

    class Counting:
        alg, kid = "HS256", None

        def sign(self, message: bytes, /) -> bytes:
            signed.append(message)
            return bytes(32)

    app = site(builder=TokenPairBuilder(app_id="a", intercom=IntercomMinter(Counting()), salesforce=None))
    app.add_url_rule("/", view_func=lambda: flask.render_template_string(PAGE))

    must_be_private(get(app, user="42", method="HEAD"))
    assert "Cache-Control" not in get(app, method="HEAD").headers
    assert get(app, method="HEAD").headers["Vary"] == "Cookie"
    assert not signed
    must_be_private(get(app, user="42"))
    assert len(signed) == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html"])
@pytest.mark.parametrize("streamed", [True, False])
def test_only_html_is_filled(*, kind: str, streamed: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = site()
    closed = []

    class Parts:
        def __iter__(self) -> Any:
            rendered = flask.render_template_string("<p>{{ fin_messenger() }}")
            return iter(rendered if streamed else [rendered])

        def close(self) -> None:
            closed.append(True)

    app.add_url_rule("/", view_func=lambda: flask.Response(Parts() if streamed else list(Parts()), mimetype=kind))
    app.add_url_rule("/map", "map", lambda: flask.Response(map(str, list(Parts())), mimetype=kind))
    assert "fin-messenger-mark" not in get(app, "/map", "42").text
    caplog.clear()
    page = get(app, user="42")

    assert "fin-messenger-mark" not in page.text
    if kind == "text/html":
        assert settings_in(page.text)["user_id"] == "42"
        must_be_private(page)
    else:
        assert page.text == "<p>"
        assert "Cache-Control" not in page.headers
        assert "A mark of the Messenger was removed" in caplog.text
    page.close()
    assert bool(closed) is streamed


@pytest.mark.parametrize("kind", ["Text/HTML; charset=UTF-8", "application/x-ndjson"])
def test_types_of_media_are_those_of_the_standards(kind: str) -> None:
    app = site()
    rendered = "<p>{{ fin_messenger() }}"
    app.add_url_rule("/", view_func=lambda: flask.Response(flask.render_template_string(rendered), content_type=kind))

    page = get(app, user="42").text
    assert "fin-messenger-mark" not in page
    assert (".boot(" in page) is ("HTML" in kind)


@pytest.mark.parametrize(
    "around", ["<script>x={{ part|tojson }}", '<p data-page="{{ part|string|forceescape }}">', "<pre>{{ part }}"]
)
def test_a_mark_that_was_escaped_with_its_page_is_removed(around: str, caplog: pytest.LogCaptureFixture) -> None:
    app = site()

    def view() -> str:
        part = flask.render_template_string("<p>{{ fin_messenger(z_index=1) }}</p>")
        forged = mark(z_index=1)
        return flask.render_template_string(around + "{{ forged }}", part=str(part), forged=forged)

    app.add_url_rule("/", view_func=view)
    page = get(app, user="42")

    assert page.text.count("fin-messenger-mark") == 2  # a visitor's text, which no process of this site has made
    assert "eyJ" not in page.text
    assert "A mark of the Messenger was removed" in caplog.text


@pytest.mark.parametrize("encoded", [gzip.compress, lambda _content: b"no gzip"])
def test_a_page_that_its_view_compressed_is_filled(encoded: Callable[[bytes], bytes]) -> None:
    app = site()

    def view() -> flask.Response:
        content = encoded(flask.render_template_string(PAGE).encode())
        return flask.Response(content, headers={"Content-Encoding": "gzip"})

    app.add_url_rule("/", view_func=view)
    page = get(app, user="42")

    if page.data == b"no gzip":
        assert page.headers["Content-Encoding"] == "gzip"
    else:
        assert settings_in(page.text)["user_id"] == "42"
        assert "Content-Encoding" not in page.headers
        must_be_private(page)


def test_files_are_sent_as_they_are(tmp_path: Any) -> None:
    app = site()
    (tmp_path / "page.html").write_text("<p>")
    app.add_url_rule("/", view_func=lambda: flask.send_file(tmp_path / "page.html"))

    page = get(app, user="42")
    assert "private" not in page.headers["Cache-Control"]
    assert "Cookie" not in page.headers.get("Vary", "")
    page.close()


def test_the_key_of_the_sessions_can_be_rotated_and_is_not_needed() -> None:
    def rendered(app: flask.Flask) -> str:
        with app.app_context():
            return flask.render_template_string("{{ fin_messenger() }}")

    def fills(app: flask.Flask, kept: str) -> bool:
        app.add_url_rule("/", view_func=lambda: f"<p>{kept}")
        return ").boot(" in get(app, user="42").text

    old = rendered(site())
    newer = site()
    newer.config.update(SECRET_KEY="newer", SECRET_KEY_FALLBACKS=["for tests"])
    later = site()
    later.config["SECRET_KEY"] = "newer"
    assert rendered(newer) == rendered(later)
    assert fills(newer, old)
    newest = site()
    newest.config["SECRET_KEY"] = b"newest"
    assert not fills(newest, old)

    own = IntercomMinter(HMACSigner(StringKeySource("0123456789" * 4)))
    without, others = (site(builder=builder) for builder in (throwaway_builder(), throwaway_builder))
    for app in (without, others):
        app.secret_key = None
        assert fills(app, rendered(app))
    another = site(builder=TokenPairBuilder(app_id="a", intercom=own, salesforce=None))
    another.secret_key = None
    assert not fills(another, rendered(without))
    tenants = site(builder=lambda request: {"shop": throwaway_builder()}[request.host])
    tenants.secret_key = None
    awaited = IntercomMinter(AwaitedSigner())
    awaiting = site(builder=TokenPairBuilder(app_id="a", intercom=awaited, salesforce=None))
    awaiting.secret_key = None
    for app in (tenants, awaiting):
        with pytest.raises(ConfigurationError, match="The site needs a secret key"):
            rendered(app)


def test_what_is_refused_is_refused_before_a_page_is_sent() -> None:
    app = site()
    app.testing = True

    @app.get("/")
    def home() -> flask.Response:
        flask.g.csp_nonce = "not base64!"
        return flask.Response(flask.stream_template_string(PAGE), mimetype="text/html")

    with pytest.raises(ConfigurationError, match=r"^nonce: "):
        get(app, user="42")


# What a request decides


def test_a_builder_for_each_request_is_asked_for_once() -> None:
    asked = []

    def builder(request: flask.Request) -> TokenPairBuilder:
        asked.append(request.host)
        own = throwaway_builder()
        return TokenPairBuilder(app_id=request.host.split(".")[0], intercom=own.intercom, salesforce=own.salesforce)

    app = site(builder=builder)
    messenger = app.extensions["fin_messenger"]

    @app.get("/")
    def home() -> str:
        messenger.sign_out()
        return flask.render_template_string(PAGE)

    assert not asked  # there is no request at start-up
    for tenant in ("acme", "globex"):
        page = get(app, user="42", base_url=f"https://{tenant}.shop.example/")
        assert settings_in(page.text)["app_id"] == tenant
        cookies = [each for each in page.headers.getlist("Set-Cookie") if each.startswith("intercom-session-")]
        assert cookies == [
            f"intercom-session-{tenant}=; Max-Age=0; Path=/; SameSite=Lax; Secure{domain}"
            for domain in ("", f"; Domain={tenant}.shop.example", "; Domain=shop.example")
        ]
        assert f'{SIGN_OUT_SCRIPT}{tenant}"' in page.text
    assert asked == ["acme.shop.example", "globex.shop.example"]
    fresh = get(app, "/messenger/settings", "42", base_url="https://acme.shop.example/")
    assert fresh.json["app_id"] == "acme"


def test_the_messenger_can_be_switched_off_by_a_request_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(**options: Any) -> flask.Flask:
        app = site(**options)
        app.add_url_rule("/", view_func=lambda: flask.render_template_string(PAGE))
        return app

    app = made(enabled=lambda request: "on" in request.args)
    assert ").boot(" in get(app, "/?on", "42").text
    assert get(app, "/messenger/settings?on", "42").status_code == 200
    off = get(app, "/", "42")
    assert off.text.endswith("<p></p>")
    assert "Cache-Control" not in off.headers
    monkeypatch.setenv("MESSENGER_ENABLED", "0")
    for each, query in ((app, ""), (made(builder=None), "?on")):
        gone = get(each, f"/messenger/settings{query}", "42")
        assert (gone.status_code, gone.json) == (410, {})
        must_be_private(gone)
    monkeypatch.setenv("MESSENGER_ENABLED", "maybe")
    with pytest.raises(ConfigurationError, match=r"^MESSENGER_ENABLED: expected 0 or 1\."):
        made()
    monkeypatch.delenv("MESSENGER_ENABLED")
    with pytest.raises(ConfigurationError, match=r"^enabled: expected True, False or a function of the request"):
        made(enabled=None)
    with pytest.raises(ConfigurationError, match=r"^settings: expected a function of the request, got dict"):
        made(settings={})


def test_settings_of_the_site_are_made_for_the_user_of_the_request() -> None:
    def settings(request: flask.Request) -> dict[str, Any]:
        return {
            "email": f"{request.cookies.get('user')}@example.com",
            "z_index": 7,
            "extra": {"name": "x", "plan": "pro"},
        }

    app = site(settings=settings)
    app.add_url_rule("/", view_func=lambda: flask.render_template_string("{{ fin_messenger(z_index=8) }}"))

    page, fresh = settings_in(get(app, user="42").text), get(app, "/messenger/settings", "42").json
    assert (page["email"], page["z_index"], page["plan"]) == ("42@example.com", 8, "pro")
    assert (fresh["email"], fresh["z_index"]) == ("42@example.com", 7)
    nobody = settings_in(get(app).text)
    assert nobody.keys() == {"api_base", "app_id", "z_index", "plan"}


def test_the_endpoint_leaves_a_permanent_session_in_its_store_alone() -> None:
    saved = []

    class Store(SecureCookieSessionInterface):
        def save_session(self, app: flask.Flask, session: Any, _response: flask.Response) -> None:
            if self.should_set_cookie(app, session):
                saved.append(flask.request.path)

    app = flask.Flask(__name__)
    app.secret_key, app.session_interface = "for tests", Store()
    FinMessenger(app, user=lambda: flask.session.get("user"), builder=throwaway_builder())

    @app.before_request
    def permanent() -> None:
        session: Any = flask.session
        session.modified = "modified" in flask.request.args
        dict.update(session._get_current_object(), user="42", _permanent=True)

    assert get(app, "/messenger/settings").status_code == 200
    assert get(app, "/nowhere").status_code == 404
    assert saved == ["/nowhere"]
    assert get(app, "/messenger/settings?modified").status_code == 200
    assert saved == ["/nowhere", "/messenger/settings"]
