"""The Messenger in a Flask site: ``{{ fin_messenger() }}`` before ``</body>``, and two routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass, field
from importlib import import_module
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request, send_file, url_for

from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import renewal_module, settings_response
from fin_messenger_auth.page.snippet import WIDGET_BASE, Snippet
from fin_messenger_auth.pair import TokenPairBuilder

from .visit import Visit, builder_from_env

try:
    _FLASK_LOGIN: Any = import_module("flask_login")
except ImportError:  # pragma: no cover - the tests have it
    _FLASK_LOGIN = None

__all__ = ["FinMessenger"]


def _current_user() -> Any:
    return _FLASK_LOGIN.current_user


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
        widget_base: As for :func:`~fin_messenger_auth.page.render_snippet`.

    Raises:
        ConfigurationError: The environment is invalid, or there is neither ``user`` nor Flask-Login.
        KeyUnavailableError: A key cannot be read.
    """

    app: InitVar[Flask | None] = None
    _: KW_ONLY
    user: Callable[[], Any] = _current_user
    builder: TokenPairBuilder | None = None
    exclude: Callable[[], bool] = lambda: False
    enabled: bool = True
    renewal: bool = True
    url_prefix: str = "/messenger"
    widget_base: str = WIDGET_BASE
    _builder: TokenPairBuilder = field(init=False)

    def __post_init__(self, app: Flask | None) -> None:  # noqa: D105
        if self.user is _current_user and _FLASK_LOGIN is None:
            raise ConfigurationError("user: expected a function that returns the session's user, or Flask-Login.")
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the template function, the routes and the headers to ``app``. Raises what the class raises."""
        app.jinja_env.globals["fin_messenger"] = self._scripts if self.enabled else lambda **_public: Snippet()
        if self.enabled:
            self._builder = self.builder or builder_from_env()
            routes = Blueprint("fin_messenger", __name__, url_prefix=self.url_prefix)
            routes.get("/settings", endpoint="settings")(self._fresh_settings)
            routes.get("/renewal.js", endpoint="renewal")(_renewal_script)
            app.register_blueprint(routes)
            app.after_request(self._complete)
            if _FLASK_LOGIN is not None:
                _FLASK_LOGIN.user_logged_out.connect(_note_sign_out, app)

    @staticmethod
    def sign_out() -> None:
        """End the Messenger's session with this response or the next page. Flask-Login's sign-out needs no call."""
        _visit().signed_out = True

    def _scripts(self, *, nonce: object = None, **public: Any) -> Snippet:
        if self.exclude():
            return Snippet()
        made = self._builder.build_settings(self.user(), **public)
        urls = (url_for("fin_messenger.renewal"), url_for("fin_messenger.settings")) if self.renewal else None
        nonce = nonce or getattr(request, "csp_nonce", None) or g.get("csp_nonce")
        return _visit().scripts(made, nonce, urls, self.widget_base)

    def _fresh_settings(self) -> Response:
        user = None if self.exclude() else self.user()
        made = settings_response(self._builder, user, dict(request.headers), request.host)
        response = jsonify(made.body)
        response.status_code = made.status
        response.headers.update(made.headers)
        return _without_cookies(response)

    def _complete(self, response: Response) -> Response:
        visit = _visit()
        visit.is_private |= response.is_streamed and response.mimetype == "text/html"  # it may have tokens later
        visit.complete(response, self._builder.app_id)
        return response


def _visit() -> Visit:
    visit: Visit = request.environ.setdefault("fin_messenger", Visit(request.cookies, request.is_secure))
    return visit


def _note_sign_out(_app: Flask, **_signal: object) -> None:
    FinMessenger.sign_out()


def _renewal_script() -> Response:
    return _without_cookies(send_file(renewal_module(), mimetype="text/javascript", max_age=3600))


def _without_cookies(response: Response) -> Response:
    """Let no extension set a cookie: the session would be prolonged, or kept with the script by a cache."""
    vars(response)["set_cookie"] = lambda *_arguments, **_options: None
    return response
