"""Puts the Messenger into a Flask site: ``{{ fin_messenger() }}`` before ``</body>``, and two routes."""

from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass
from importlib import import_module, util
from typing import Any

import flask
from flask import request

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import renewal_module, settings_response
from fin_messenger_auth.page._snippet import Snippet

from ._visit import Visit, builder_from_env, checked_builder

_FLASK_LOGIN: Any = import_module("flask_login") if util.find_spec("flask_login") else None

__all__ = ["FinMessenger"]


@dataclass(eq=False)
class FinMessenger:
    """The Messenger of one application.

    Templates have ``fin_messenger(**public)``, which takes the public settings of ``build_settings``, ``extra`` and
    ``nonce``. The nonce is that of Flask-Talisman, or ``g.csp_nonce``, unless given.

    Args:
        app: The application; or call :meth:`init_app` later.
        user: Returns the session's user, or ``None``; Flask-Login's ``current_user`` if left out. For a user whom an
            administrator impersonates, return ``None``.
        builder: Makes the settings; from the environment, in :meth:`init_app`, if left out.
        exclude: Tells whether the current request is without the Messenger.
        enabled: Whether there is a Messenger at all; if not, the environment is not read.
        renewal: Whether pages renew their tokens.
        url_prefix: Where the two routes are.

    Raises:
        ConfigurationError: The environment is invalid, or there is neither ``user`` nor Flask-Login.
        KeyUnavailableError: A key cannot be read.
    """

    app: InitVar[flask.Flask | None] = None
    _: KW_ONLY
    user: Callable[[], Any] | None = None
    builder: TokenPairBuilder | None = None
    exclude: Callable[[], bool] = lambda: False
    enabled: bool = True
    renewal: bool = True
    url_prefix: str = "/messenger"

    def __post_init__(self, app: flask.Flask | None) -> None:  # noqa: D105
        if self.user is None and _FLASK_LOGIN is None:
            raise ConfigurationError("user: expected a function that returns the session's user, or Flask-Login.")
        self._user: Callable[[], Any] = self.user or (lambda: _FLASK_LOGIN.current_user)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Add the template function, the routes and the headers to ``app``. Raises what the class raises."""
        app.add_template_global(self._scripts, "fin_messenger")
        if self.enabled:
            self._builder = checked_builder(self.builder or builder_from_env())
            routes = flask.Blueprint("fin_messenger", __name__, url_prefix=self.url_prefix)

            @routes.get("/settings", endpoint="settings")
            def fresh_settings() -> Any:
                return self._fresh_settings()

            @routes.get("/renewal.js", endpoint="renewal")
            def renewal_script() -> flask.Response:
                return flask.send_file(renewal_module(), mimetype="text/javascript", max_age=3600)

            app.register_blueprint(routes)
            flask.request_finished.connect(self._complete, app)  # it comes after every after_request and the session
            if _FLASK_LOGIN is not None:
                _FLASK_LOGIN.user_logged_out.connect(lambda *_sender, **_signal: self.sign_out(), app, weak=False)

    @staticmethod
    def sign_out() -> None:
        """End the Messenger's session with this response or the next page. Flask-Login's sign-out needs no call."""
        _visit().signed_out = True

    def _scripts(self, *, nonce: object = None, **public: Any) -> Snippet:
        if not self.enabled or not flask.has_request_context() or self.exclude():
            return Snippet()
        made = self._builder.build_settings(self._user(), **public)
        urls = [flask.url_for(f"fin_messenger.{name}") for name in ("renewal", "settings")]
        nonce = nonce or getattr(request, "csp_nonce", None) or flask.g.get("csp_nonce")
        return _visit().scripts(made, nonce, urls if self.renewal else None)

    def _fresh_settings(self) -> Any:
        _visit().is_private = True
        user = None if self.exclude() else self._user()
        made = settings_response(self._builder, user, dict(request.headers), request.host)
        return made.body, made.status, made.headers

    def _complete(self, _app: flask.Flask, response: flask.Response, **_signal: object) -> None:
        if request.blueprint == "fin_messenger":
            response.headers.remove("Set-Cookie")  # it would prolong the session, or a cache would keep it
        is_streamed = response.is_streamed and response.content_length is None  # Flask's own 404 is an iterator, too
        _visit().complete(response, self._builder.app_id, is_streamed=is_streamed)


def _visit() -> Visit:
    visit: Visit = request.environ.setdefault("fin_messenger", Visit(request.cookies, request.is_secure))
    return visit
