"""Puts the Messenger into a Flask site: ``{{ fin_messenger() }}`` before ``</body>``, and two routes."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from importlib import import_module, util
from operator import attrgetter
from typing import Any, cast

import flask
from flask import request
from werkzeug.datastructures import Headers
from werkzeug.wsgi import ClosingIterator

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import renewal_module
from fin_messenger_auth.page._mark import make_mark
from fin_messenger_auth.page._snippet import Snippet

from ._visit import OF_THE_CONTENT, Framework, Site, Visit, filled_parts, is_text

_FLASK_LOGIN: Any = import_module("flask_login") if util.find_spec("flask_login") else None
_NO_USER = "user: expected a function that returns the session's user, or Flask-Login with its LoginManager."

__all__ = ["FinMessenger"]


@dataclass(eq=False)
class FinMessenger:
    """The Messenger of one application.

    Templates have ``fin_messenger(**display)``, which takes display settings, such as ``page_title`` and
    ``hide_default_launcher``. It leaves a mark, which the response fills with scripts for the user of its request: so
    no cache inside the application keeps a token. The nonce is that of Flask-Talisman, or ``g.csp_nonce``.

    Args:
        app: The application; or call :meth:`init_app` later.
        user: Returns the session's user, or ``None``; Flask-Login's ``current_user`` if left out. For a user whom an
            administrator impersonates, return ``None``.
        builder: Makes the settings: a builder, or a function of the request that returns one, called once a request;
            from the environment, in :meth:`init_app`, if left out.
        exclude: Tells whether the current request is without the Messenger.
        enabled: Whether there is a Messenger, or a function of the request that says so. If ``False``, the environment
            is not read.
        settings: A function of the request that returns further public settings, and ``extra``, for the user's pages.
        origins: Other origins whose pages may ask for settings, such as ``https://app.example``.
        renewal: Whether pages renew their tokens.
        url_prefix: Where the two routes are.

    Raises:
        ConfigurationError: The environment or an argument is invalid, or there is neither ``user`` nor Flask-Login.
        KeyUnavailableError: A key cannot be read.
    """

    app: InitVar[flask.Flask | None] = None
    _: KW_ONLY
    user: Callable[[], Any] | None = None
    builder: TokenPairBuilder | Callable[[flask.Request], TokenPairBuilder] | None = None
    exclude: Callable[..., bool] = lambda: False
    enabled: bool | Callable[[flask.Request], bool] = True
    settings: Callable[[flask.Request], Any] = lambda _request: {}
    origins: Sequence[str] = ()
    renewal: bool = True
    url_prefix: str = "/messenger"

    def __post_init__(self, app: flask.Flask | None) -> None:  # noqa: D105
        if self.user is None and _FLASK_LOGIN is None:
            raise ConfigurationError(_NO_USER)
        self._user: Callable[[], Any] = self.user or _current_user
        framework = Framework(
            host=attrgetter("host"),
            is_secure=attrgetter("is_secure"),
            cookies=lambda asked: asked.environ.get("HTTP_COOKIE", ""),
            urls=lambda asked: [f"{asked.script_root}{self.url_prefix}/{name}" for name in ("renewal.js", "settings")],
            user=lambda _: self._user(),
            nonce=lambda asked: getattr(asked, "csp_nonce", None) or flask.g.get("csp_nonce"),
            secrets=self._secrets,
            add_cookie=lambda response, value: response.headers.add("Set-Cookie", value),
        )
        self._site = Site.of(self, framework)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Add the template function, the routes and the headers to ``app``. Raises what the class raises."""
        self._site.start()
        app.extensions["fin_messenger"] = self
        app.add_template_global(self._mark, "fin_messenger")
        routes = flask.Blueprint("fin_messenger", __name__, url_prefix=self.url_prefix)

        def fresh_settings(**_host: str) -> Any:
            made = self._visit.answer(dict(request.headers))
            _leave_the_session()
            return made.body, made.status, made.headers

        def renewal_script(**_host: str) -> flask.Response:
            return flask.send_file(renewal_module(), mimetype="text/javascript", max_age=3600)

        hosts: list[dict[str, Any]] = [{}]  # a page's own host has the routes, whichever it is
        if app.url_map.host_matching:
            hosts = [{"host": "<_host>"}]
        elif app.subdomain_matching:
            hosts = [{}, {"subdomain": "<_host>"}]
        for where in hosts:
            view = {"methods": ["GET", "OPTIONS"], "provide_automatic_options": False, **where}
            routes.add_url_rule("/settings", "settings", fresh_settings, **view)
            routes.add_url_rule("/renewal.js", "renewal", renewal_script, **where)
        app.register_blueprint(routes)
        # Filled first, before an extension compresses the page; headers last, after every extension and the session.
        process: Any = app.process_response

        def process_response(*given: Any) -> flask.Response:  # the response; from Flask 3.2 on, a context before it
            *context, response = given
            visit = self._visit
            response = process(*context, self._filled(visit, response))
            if visit.request.blueprint == routes.name:
                response.headers.remove("Set-Cookie")  # it would prolong the session, or a cache would keep it
            visit.complete(response)
            return cast("flask.Response", response)

        app.__dict__["process_response"] = process_response
        if _FLASK_LOGIN is not None:
            _FLASK_LOGIN.user_logged_out.connect(self._sign_out, app)

    def sign_out(self) -> None:
        """End the Messenger's session with this response or the next page. Flask-Login's sign-out needs no call."""
        self._visit.signed_out = True

    def _sign_out(self, *_sender: object, **_signal: object) -> None:
        self.sign_out()

    @property
    def _visit(self) -> Visit:
        asked = cast("Any", request)._get_current_object()  # noqa: SLF001 - Werkzeug names no other way
        visit: Visit | None = flask.g.get("fin_messenger")  # in the environ, it and its request would be a cycle
        if visit is None or visit.request is not asked:  # what tests push can outlive a request
            visit = flask.g.fin_messenger = Visit(self._site, asked)
        return visit

    def _mark(self, **display: Any) -> Snippet:
        if self._site.enabled is False:
            return Snippet()
        if "nonce" in display:
            raise ConfigurationError("nonce: a template's part of the page may stand in a cache. Set g.csp_nonce.")
        return make_mark(display, self._secrets()[0], identify="identify= of the builder", settings="settings=")

    def _secrets(self) -> list[str | bytes]:
        config = flask.current_app.config
        key, fallbacks = config["SECRET_KEY"] or self._site.secret(), config.get("SECRET_KEY_FALLBACKS")
        return [key, *fallbacks] if fallbacks else [key]

    @staticmethod
    def _filled(visit: Visit, response: flask.Response) -> flask.Response:
        kind = response.content_type or ""
        if response.direct_passthrough or not is_text(kind):
            return response
        if response.is_streamed and response.content_length is None:
            filled = filled_parts(response.iter_encoded(), visit.filler(kind, is_streamed=True))
            close = getattr(response.response, "close", None)
            response.response = ClosingIterator(flask.stream_with_context(filled), close)
        elif (filled := visit.filled(response.get_data(), kind)) is not None:
            kept, response = response, object.__new__(type(response))
            vars(response).update(vars(kept))  # the application may keep the other for the next visitor
            response.headers = Headers([each for each in kept.headers if each[0].lower() not in OF_THE_CONTENT])
            response.set_data(filled)
        return response


def _current_user() -> Any:
    if not hasattr(flask.current_app, "login_manager"):
        raise ConfigurationError(_NO_USER)
    return _FLASK_LOGIN.current_user


def _leave_the_session() -> None:
    """Let no session interface prolong a permanent session that has not changed, in its store or in its cookie."""
    session: Any = flask.session
    if not session.modified:
        dict.pop(session._get_current_object(), "_permanent", None)  # noqa: SLF001 - so that this does not modify it
