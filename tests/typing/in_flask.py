"""An application with Flask, as mypy and pyright see it; it is never run."""

from __future__ import annotations

from flask import Flask, g

from fin_messenger_auth import MessengerUser, TokenPairBuilder
from fin_messenger_auth.contrib.flask import FinMessenger


def session_user() -> MessengerUser | None:
    return MessengerUser("42") if "user" in g else None


def is_excluded() -> bool:
    return False


messenger = FinMessenger(user=session_user, exclude=is_excluded, renewal=False, url_prefix="/chat")


def create_app(builder: TokenPairBuilder) -> Flask:
    app = Flask(__name__)
    messenger.init_app(app)
    FinMessenger(app, user=lambda: g.user, builder=builder, enabled=not app.debug)

    @app.post("/sign-out")
    def sign_out() -> str:
        messenger.sign_out()
        return ""

    return app


FinMessenger("app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
FinMessenger(user="42")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
FinMessenger(user=lambda _request: None)  # type: ignore[arg-type,misc]  # pyright: ignore[reportArgumentType]
FinMessenger(prefix="/chat")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
